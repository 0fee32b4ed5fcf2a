"""The HTTP client against a hosted gateway as documented: every call, every refusal, odd answers, dropped lines."""

from __future__ import annotations

import gzip
import io
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from memweb.upstream import errors, http
from memweb.upstream.address import Gateway
from memweb.upstream.http import Client
from tests.gateway_stand_in import API, Fault, StandIn
from tests.waiting import until


@pytest.fixture
def hosted() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


CUT_OFF = (
    b"Content-Length: 9000\r\n\r\n--b\r\nContent-Dispo",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n40\r\nContent-Dispo",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n",
)


@pytest.fixture
def client(hosted: StandIn) -> Iterator[Client]:
    with Client(Gateway(hosted.url, hosted.key)) as client:
        yield client


def test_a_file_is_streamed_and_its_progress_told(hosted: StandIn, client: Client) -> None:
    sound, sent = b"\x01\x02" * 200_000, []
    asset_id = client.upload(io.BytesIO(sound), "Gespräch “eins”.wav", sent.append)
    assert hosted.assets[asset_id][1] == sound
    assert hosted.asked[0].headers["authorization"] == hosted.key
    assert len(sent) > 3
    assert sent == sorted(sent)
    assert sent[-1] == len(sound)


def test_a_file_goes_to_the_storage_without_the_key(hosted: StandIn, client: Client) -> None:
    asset_id = client.upload_by_address(io.BytesIO(b"sound"), "a.wav")
    assert hosted.assets[asset_id] == ("a.wav", b"sound")
    assert hosted.paths() == ["POST /upload/signed-url", f"POST /storage/{asset_id}"]


def test_a_storage_that_refuses_is_told(hosted: StandIn, client: Client) -> None:
    hosted.faults.append(Fault("/re_660727003963174912", 403, body=b"<Error/>"))
    with pytest.raises(errors.Forbidden):
        client.upload_by_address(io.BytesIO(b"sound"), "a.wav")


@pytest.mark.parametrize("code", [200, "200", "0000"])
def test_success_is_known_in_every_spelling(hosted: StandIn, client: Client, code: int | str) -> None:
    hosted.code = code
    asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
    found = client.metadata(asset_id)
    assert (found["upload_status"], found["file_size"]) == ("SUCCESS", "5")
    heard = client.transcribe(asset_id, speaker=True)
    assert [row["speaker"] for row in heard.data["items"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert json.loads(heard.raw)["data"] == heard.data
    assert client.tell_speakers(asset_id).data["items"][0].keys() == {"start", "end", "speaker"}
    client.delete(asset_id)
    with pytest.raises(errors.Refused, match="Asset not found"):
        client.metadata(asset_id)


@pytest.mark.parametrize("built_in", [True, False])
def test_only_the_gateway_built_in_is_told_a_language(hosted: StandIn, built_in: bool) -> None:
    """The hosted one's contract has no such parameter."""
    with Client(Gateway(hosted.url, hosted.key, built_in=built_in)) as client:
        asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
        client.transcribe(asset_id, language="pt")
        client.transcribe(asset_id)
    assert [asked.body.get("language") for asked in hosted.asked[1:]] == ["pt" if built_in else None, None]


@pytest.mark.parametrize("built_in", [True, False])
def test_only_the_gateway_built_in_is_told_how_many_speak(hosted: StandIn, built_in: bool) -> None:
    hosted.webhook = hosted.url + "/storage/callback"
    with Client(Gateway(hosted.url, hosted.key, built_in=built_in)) as client:
        asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
        for most in (2, 0):
            client.tell_speakers(asset_id, most=most)
            client.begin_telling_speakers(asset_id, most=most)
    bodies = [asked.body for asked in hosted.asked if asked.path.endswith("generate-speaker")]
    assert [body.get("speakers") for body in bodies] == [2 if built_in else None] * 2 + [None] * 2


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai"])
def test_a_provider_is_asked_with_its_own_parameters(hosted: StandIn, client: Client, provider: str) -> None:
    asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
    parameters: dict[str, Any] = {
        "asset_id": asset_id,
        "diarize": True,
        "custom_spelling": [{"from": ["x"], "to": "y"}],
    }
    heard = client.speech_to_text(provider, parameters)
    assert hosted.asked[-1].body == {**parameters, "provider": provider}
    assert heard.data["text"].startswith("It was the best")
    assert json.loads(heard.raw)["data"] == heard.data


def test_a_task_is_begun_where_a_webhook_is_configured(hosted: StandIn, client: Client) -> None:
    asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
    with pytest.raises(errors.Refused, match="requires at least one webhook"):
        client.begin_transcribing(asset_id)
    hosted.webhook = hosted.url + "/storage/callback"  # takes what comes
    assert len(client.begin_transcribing(asset_id, speaker=True)) == 32
    assert len(client.begin_telling_speakers(asset_id)) == 32


def test_a_hosted_gateway_does_not_tell_how_a_task_stands(client: Client) -> None:
    assert client.task("ec24") is None
    client.cancel("ec24")


def test_a_stream_is_started_and_stopped(hosted: StandIn, client: Client) -> None:
    task_id = client.start_stream("rtsp://camera.example/1", "assemblyai", {"format_turns": True})
    sent = {"audio_url": "rtsp://camera.example/1", "provider": "assemblyai", "format_turns": True}
    assert hosted.streams[task_id] == sent
    client.stop_stream(task_id)
    with pytest.raises(errors.Refused, match="Invalid task id"):
        client.stop_stream(task_id)


REFUSALS = {
    401: (errors.Unauthorised, False),
    402: (errors.InsufficientBalance, False),
    403: (errors.Forbidden, False),
    400: (errors.Refused, False),
    415: (errors.Refused, False),
    429: (errors.AtCapacity, True),
    503: (errors.AtCapacity, True),
    500: (errors.Unreachable, True),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_each_refusal_has_its_error(hosted: StandIn, client: Client, status: int) -> None:
    kind, retry = REFUSALS[status]
    hosted.faults.append(Fault("/upload", status, "Request has exceeded the limit."))
    with pytest.raises(kind) as refused:
        client.upload(io.BytesIO(b"sound"), "a.wav")
    assert refused.value.retry is retry
    assert refused.value.sentence.endswith(".")


def test_a_refusal_inside_a_success_is_a_refusal(hosted: StandIn, client: Client) -> None:
    body = b'{"code":"0402","msg":"no money","data":null,"failed":true}'
    hosted.faults.append(Fault("/upload", 200, body=body))
    with pytest.raises(errors.InsufficientBalance):
        client.upload(io.BytesIO(b"sound"), "a.wav")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a captive portal</html>",
        b'{"code":200,"msg":"success","data":null}',
        b'{"code":200,"data":{"asset_id":""}}',
        b'{"code":200,"data":{"asset_id":"../../etc"}}',
        b'{"code":200,"data":{"asset_id":true}}',
    ],
)
def test_an_answer_that_makes_no_sense_is_told_as_such(hosted: StandIn, client: Client, body: bytes) -> None:
    hosted.faults.append(Fault("/upload", 200, body=body))
    with pytest.raises(errors.Unreachable):
        client.upload(io.BytesIO(b"sound"), "a.wav")


def test_an_id_that_is_a_number_is_taken(hosted: StandIn, client: Client) -> None:
    hosted.faults.append(Fault("/upload", 200, body=b'{"code":200,"data":{"asset_id":660727003963174912}}'))
    assert client.upload(io.BytesIO(b"sound"), "a.wav") == "660727003963174912"


def test_a_storage_address_of_another_kind_is_not_followed(hosted: StandIn, client: Client) -> None:
    body = b'{"code":200,"data":{"asset_id":"re_1","signed_url":"file:///etc/passwd"}}'
    hosted.faults.append(Fault("/upload/signed-url", 200, body=body))
    with pytest.raises(errors.Unreachable):
        client.upload_by_address(io.BytesIO(b"sound"), "a.wav")


def test_a_line_that_is_cut_is_told(hosted: StandIn, client: Client) -> None:
    hosted.faults.append(Fault("/upload", 0))
    with pytest.raises(errors.Unreachable, match="does not answer"):
        client.upload(io.BytesIO(b"sound"), "a.wav")


def test_a_gateway_that_takes_too_long_is_told(
    hosted: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset_id = client.upload(io.BytesIO(b"sound"), "a.wav")
    monkeypatch.setattr(http, "LISTEN_S", 0.05)
    hosted.seconds = 0.5
    with pytest.raises(errors.Unreachable, match="too long"):
        client.transcribe(asset_id)


def test_an_answer_without_end_is_not_kept(hosted: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    hosted.faults.append(Fault("/upload", 200, body=b" " * 2000))
    with pytest.raises(errors.Unreachable, match="longer"):
        client.upload(io.BytesIO(b"sound"), "a.wav")


def test_a_packed_answer_is_not_unpacked(hosted: StandIn, client: Client) -> None:
    body = gzip.compress(b'{"code":200,"data":{"asset_id":"re_1"}}')
    hosted.faults.append(Fault("/upload", 200, body=body, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(errors.Unreachable, match="no sense"):
        client.upload(io.BytesIO(b"sound"), "a.wav")
    assert hosted.asked[0].headers["accept-encoding"] == "identity"


def test_an_upload_can_be_ended_from_within(client: Client) -> None:
    def stop(sent: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        client.upload(io.BytesIO(b"sound"), "a.wav", stop)


@pytest.mark.parametrize("sent", CUT_OFF)
def test_the_stand_in_passes_over_an_upload_that_was_cut_off(capfd: pytest.CaptureFixture[str], sent: bytes) -> None:
    with StandIn() as hosted:
        address = urlsplit(hosted.url)
        with socket.create_connection((address.hostname, address.port)) as line:
            head = f"POST {API}/upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            line.sendall(head.encode() + sent)
            line.shutdown(socket.SHUT_WR)
            assert line.recv(100) == b"", "there is nobody to answer"
        assert hosted.asked == []
    assert capfd.readouterr().err == ""


def test_the_stand_in_passes_over_who_hangs_up_before_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    with StandIn() as hosted:
        address = urlsplit(hosted.url)
        before = set(threading.enumerate())
        with socket.create_connection((address.hostname, address.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            hosted.seconds = 0.3
            asset_id = hosted.keep("a.wav", b"sound")
            body = json.dumps({"asset_id": asset_id}).encode()
            head = (
                f"POST {API}/transcriptions/sync-generate-audio HTTP/1.1\r\nHost: a\r\nAuthorization: {hosted.key}\r\n"
            )
            line.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            until(lambda: hosted.asked)
        until(lambda: set(threading.enumerate()) <= before)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "gateway", [Gateway("http://[", "k"), Gateway("http://a.example", "kéy"), Gateway("http://a\x00b", "k")]
)
def test_an_address_or_key_that_cannot_be_is_refused_before_it_is_used(gateway: Gateway) -> None:
    with Client(gateway) as client, pytest.raises(errors.Refused, match="settings"):
        client.metadata("re_1")


def test_nobody_there_is_told() -> None:
    with Client(Gateway("http://127.0.0.1:9", "k")) as client, pytest.raises(errors.Unreachable):
        client.metadata("re_1")


def test_how_a_task_stands_is_read_with_care(hosted: StandIn, client: Client) -> None:
    data = {"status": "running", "done_ms": 4000, "total_ms": True, "ahead": -1, "message": None, "callback": None}
    hosted.faults.append(Fault("/tasks/t1", 200, body=json.dumps({"code": 200, "data": data}).encode()))
    assert client.task("t1") == http.TaskState("running", 4000, None, 0, "", None)
    hosted.faults.append(Fault("/tasks/t1", 200, body=b'{"code":200,"data":{"callback":{"code":200}}}'))
    state = client.task("t1")
    assert state is not None
    assert state.callback == b'{"code": 200}'
    assert hosted.asked[-1].path == f"{API}/tasks/t1"
