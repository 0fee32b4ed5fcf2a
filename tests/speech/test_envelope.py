"""The gateway's wrappings, as documented and as uneven as they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import envelope
from memweb.speech.envelope import Answer, Refusal, StreamMessage, StreamStatus, TaskFailed, TaskRows, Unreadable


def body(**content) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize("code", [200, "200", "0000", "0", 0, None])
def test_every_known_code_of_success_is_one(code):
    assert envelope.read(200, body(code=code, msg="anything", data={"asset_id": "re_1"})) == Answer(
        {"asset_id": "re_1"}
    )


def test_a_missing_code_is_success_and_what_is_not_wrapped_is_the_answer():
    assert envelope.read(200, body(data=[1])) == Answer([1])
    assert envelope.read(200, body(token="t")) == Answer({"token": "t"})
    assert envelope.read(201, b"[1]") == Answer([1])
    assert envelope.read(200, body(code=200, msg="success")) == Answer(None)


def test_failed_means_failed_whatever_the_code():
    assert envelope.read(200, body(code=200, failed=True, msg="no")) == Refusal(500, "no")
    assert envelope.read(200, body(code="0000", failed="true")) == Refusal(500, "")
    assert envelope.read(200, body(code=200, failed=False, data=1)) == Answer(1)


@pytest.mark.parametrize(
    ("code", "status"),
    [(400, 400), ("0429", 429), (402, 402), ("E1", 500), (1234, 500), (True, 500), ("9" * 5000, 500), ("٤٠٠", 500)],
)
def test_a_code_inside_a_good_status_decides(code, status):
    assert envelope.read(200, body(code=code, message="why")) == Refusal(status, "why")


def test_the_http_status_decides_over_the_code():
    assert envelope.read(401, body(code=200, msg="Unauthorized")) == Refusal(401, "Unauthorized")
    assert envelope.read(302, b"") == Refusal(502, "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"msg": "a", "message": "b"}, "a"),
        ({"message": "b"}, "b"),
        ({"error": "c"}, "c"),
        ({"error": {"message": "d"}}, "d"),
        ({"msg": 5}, ""),
        ({"msg": "two\nlines\x00"}, "two lines\ufffd"),
        ({"msg": "x" * 900}, "x" * 500),
    ],
)
def test_a_message_is_found_where_it_is_and_made_one_line(content, message):
    assert envelope.read(400, json.dumps(content)) == Refusal(400, message)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_a_refusal_in_words(raw):
    assert envelope.read(200, raw) == Refusal(502, "The answer is not JSON.")
    assert envelope.read(503, raw) == Refusal(503, "")


@pytest.mark.parametrize("write", [envelope.success, envelope.stream_success])
def test_what_is_written_as_success_is_read_as_such(write):
    assert envelope.read(200, json.dumps(write({"a": 1}))) == Answer({"a": 1})


@pytest.mark.parametrize("write", [envelope.failure, envelope.stream_failure])
def test_what_is_written_as_failure_is_read_as_such(write):
    assert envelope.read(200, json.dumps(write(402, "No balance."))) == Refusal(402, "No balance.")


def test_the_two_shapes_are_the_documented_ones():
    assert envelope.success(1) == {"code": 200, "msg": "success", "data": 1, "success": True, "failed": False}
    assert envelope.stream_success(1) == {"code": 200, "message": "success", "data": 1}
    assert envelope.failure(401, "Unauthorized").items() >= {"code": 401, "msg": "Unauthorized", "data": None}.items()
    assert envelope.stream_failure(400, "x") == {"code": 400, "message": "x", "data": None}


DOCUMENTED = {
    "code": 200,
    "message": "SUCCESS",
    "task_id": "ec24",
    "data": {
        "data": {
            "data": [{"start_time": 0.0, "end_time": 2.98, "text": "…", "speaker": None}],
            "usage_metadata": {"duration": 6.78, "model": "whisper-1"},
        }
    },
}


def test_the_documented_callback_gives_its_rows_and_usage():
    assert envelope.read_callback(json.dumps(DOCUMENTED)) == TaskRows(
        "ec24", tuple(DOCUMENTED["data"]["data"]["data"]), {"duration": 6.78, "model": "whisper-1"}
    )


@pytest.mark.parametrize(
    "data",
    [
        [{"text": "a"}],
        {"data": [{"text": "a"}, "odd"]},
        {"data": {"data": {"data": [{"text": "a"}]}}},
        {"model": "whisper-1", "items": [{"text": "a"}]},
        {"data": {"items": [{"text": "a"}], "usage_metadata": "odd"}},
    ],
)
def test_rows_are_found_at_any_depth(data):
    assert envelope.read_callback(body(task_id=7, data=data)) == TaskRows("7", ({"text": "a"},), {})


@pytest.mark.parametrize("data", [None, 5, "rows", {}, {"data": None}, {"items": {}}])
def test_a_callback_without_rows_is_kept_as_unreadable(data):
    assert envelope.read_callback(body(task_id="t", data=data)) == Unreadable("t", "The callback holds no rows.")


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"\xff"])
def test_a_callback_that_is_no_object_is_unreadable(raw):
    assert envelope.read_callback(raw) == Unreadable("", "The callback is not a JSON object.")


def test_a_failed_task_says_so():
    assert envelope.read_callback(body(code=500, message="broken", task_id="t")) == TaskFailed("t", 500, "broken")
    assert envelope.read_callback(envelope.failed_callback("t", 402, "No balance.")) == TaskFailed(
        "t", 402, "No balance."
    )


@pytest.mark.parametrize("status", list(StreamStatus))
def test_a_stream_message_comes_back_as_it_was_written(status):
    spoken = '{"type":"Turn","start":1.50,"text":"é\\u00e9"}' if status == 0 else None
    raw = envelope.stream_callback("t-1", status, None if spoken else "why", spoken)
    message = envelope.read_callback(raw)
    assert message == StreamMessage("t-1", status, "" if spoken else "why", json.loads(spoken) if spoken else None)
    assert message.goes_on is (status == 0)
    assert (spoken or "null").encode() in raw


def test_a_stream_message_that_is_no_json_travels_as_a_string():
    message = envelope.read_callback(envelope.stream_callback("t", 0, None, b"not json \xff"))
    assert message == StreamMessage("t", 0, "", "not json \ufffd")


def test_a_task_id_inside_is_found_and_an_odd_status_is_unreadable():
    assert envelope.read_callback(body(data={"task_id": "in", "status": "14", "message": "m"})) == StreamMessage(
        "in", 14, "m", None
    )
    assert isinstance(envelope.read_callback(body(data={"status": "over"})), Unreadable)
    assert isinstance(envelope.read_callback('{"data":{"status":1e999}}'), Unreadable)


def test_rows_come_back_as_they_were_written():
    rows = [{"start_time": 0.0, "end_time": 1.5, "text": "Yes.", "speaker": None}]
    assert envelope.read_callback(envelope.rows_callback("t", rows, 1.5, "whisper-1")) == TaskRows(
        "t", tuple(rows), {"duration": 1.5, "model": "whisper-1"}
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "data", "msg", "status", "items", "task_id", "usage_metadata", "failed"]), inner
        )
    ),
    max_leaves=12,
)


@given(anything, st.integers(100, 599))
def test_no_answer_and_no_callback_raises(content, status):
    raw = json.dumps(content)
    answer = envelope.read(status, raw)
    assert isinstance(answer, Answer) or 400 <= answer.status < 600
    assert isinstance(envelope.read_callback(raw), StreamMessage | TaskRows | TaskFailed | Unreadable)


@pytest.mark.parametrize(
    ("seconds", "begins", "reads"),
    [
        (1, "1 second is", "1 second missing, the source went away"),
        (13, "13 seconds are", "13 seconds missing, the source went away"),
        (None, "Some sound is", "Some sound missing, the gateway was interrupted"),
    ],
)
def test_missing_sound_is_told_beside_a_message_and_known_by_it(seconds, begins, reads):
    said = envelope.gap(seconds)
    told = envelope.read_callback(envelope.stream_callback("t", 0, said, '{"type":"Begin"}'))
    assert said.startswith(f"{begins} missing")
    assert (told.message, told.is_gap, told.gap) == (said, True, reads)
    usual = envelope.read_callback(envelope.stream_callback("t", 0, "SUCCESS", '{"type":"Begin"}'))
    assert (usual.is_gap, usual.gap) == (False, "")
    assert not envelope.read_callback(envelope.stream_callback("t", -1, said)).is_gap
