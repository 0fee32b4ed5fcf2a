"""Every message a provider sends, verbatim in tests/messages, says exactly what stands beside it."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import PROVIDERS, LiveOptions, live_client, wire
from memweb.speech.dialects.assemblyai import client as assemblyai
from memweb.speech.dialects.elevenlabs import client as elevenlabs
from memweb.speech.dialects.words import bounds, listed_words
from memweb.speech.events import Event, Failed, Final, Revised, Warned
from memweb.speech.transcript import Word
from tests.speech.dialects.told import told

MESSAGES = Path(__file__).parents[2] / "messages"
CASES = sorted(MESSAGES.glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=name_of)
@pytest.mark.parametrize("encode", [json.dumps, lambda frame: json.dumps(frame).encode()], ids=["text", "bytes"])
def test_a_message_says_what_its_fixture_says(path: Path, encode: Any) -> None:
    case = json.loads(path.read_text())
    client = live_client(path.parent.name)
    client.query(LiveOptions())
    for earlier in case.get("after", []):
        client.read(encode(earlier))
    assert told(client.read(encode(case["message"]))) == case["events"]


def kinds_in_fixtures(provider: str) -> set[str]:
    messages = [json.loads(path.read_text())["message"] for path in CASES if path.parent.name == provider]
    named = [message.get("message_type") or message.get("type") or "" for message in messages]
    return {name.lower().replace("_", "") for name in named}


def test_every_message_either_client_knows_has_a_fixture() -> None:
    assert set(elevenlabs._READERS) | set(elevenlabs.FAILING) <= kinds_in_fixtures("elevenlabs")
    assert set(assemblyai._READERS) <= kinds_in_fixtures("assemblyai")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "message",
    ["", "null", "[1]", "{", '"text"', "12", "[" * 100_000, '{"type":' + "1" * 5000 + "}", b"\xff\xfe", "\ud800"],
    ids=["empty", "null", "array", "half", "string", "number", "deep", "long-number", "not-utf8", "surrogate"],
)
def test_what_is_no_json_object_is_a_warning(provider: str, message: str | bytes) -> None:
    (event,) = live_client(provider).read(message)
    assert isinstance(event, Warned)
    assert event.code == "unreadable"


def test_without_partials_only_finals_come() -> None:
    for provider, frame in (
        ("elevenlabs", {"message_type": "partial_transcript", "text": "x"}),
        ("assemblyai", {"type": "Turn", "turn_order": 0, "end_of_turn": False, "transcript": "x", "words": []}),
        ("assemblyai", {"type": "partial_transcript", "text": "x"}),
    ):
        client = live_client(provider)
        client.query(LiveOptions(partials=False))
        assert client.read(json.dumps(frame)) == ()


# --- whatever is sent ------------------------------------------------------------------------------------

NAMES = sorted(
    {"type", "message_type", "text", "words", "start", "end", "transcript", "turn_order", "end_of_turn", "config"}
    | {"segment_index", "error", "error_code", "code", "revisions", "logprob", "confidence", "redacted_text"}
    | {"audio_start", "audio_end", "timestamp", "audio_duration_seconds", "turn_is_formatted", "language_code"}
    | {"speaker_label", "speaker_id", "word_is_final", "warning", "timing", "configuration", "utterance"}
)
KINDS = sorted(set(elevenlabs._READERS) | set(elevenlabs.FAILING) | set(assemblyai._READERS))
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(["estimated", "spacing", "eng"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=5),
    max_leaves=12,
)
FRAMES = st.builds(
    lambda frame, kind, key: frame | {key: kind},
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8),
    st.sampled_from(KINDS),
    st.sampled_from(["type", "message_type"]),
)


def strings_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings_in(item)]
    return [text for item in value for text in strings_in(item)] if isinstance(value, list) else []


def words_in(event: Event) -> tuple[Word, ...]:
    if isinstance(event, Final):
        return event.segment.words
    return event.words if isinstance(event, Revised) else ()


def assert_storable(event: Event) -> None:
    for text in strings_in(told(event)):
        text.encode()  # a lone surrogate would raise
        assert "\0" not in text
    for word in words_in(event):
        assert 0 <= word.start_ms <= word.end_ms <= 2_000_000_000
        assert word.confidence is None or 0 <= word.confidence <= 1
    if isinstance(event, Final):
        assert 0 <= event.segment.start_ms <= event.segment.end_ms <= 2_000_000_000
    if isinstance(event, Failed | Warned):
        assert len(event.message) <= 300


@pytest.mark.parametrize("provider", PROVIDERS)
@given(frames=st.lists(FRAMES | ANYTHING, max_size=6), code=st.integers(0, 5000), reason=TEXTS)
def test_nothing_a_provider_sends_raises_or_cannot_be_stored(
    provider: str, frames: list[Any], code: int, reason: str
) -> None:
    client = live_client(provider)
    client.query(LiveOptions())
    for frame in frames:
        for event in client.read(json.dumps(frame)):
            assert_storable(event)
    assert_storable(client.closed(code, reason))


@pytest.mark.parametrize("provider", PROVIDERS)
@given(message=st.binary(max_size=60) | TEXTS)
def test_no_bytes_and_no_text_raise(provider: str, message: str | bytes) -> None:
    for event in live_client(provider).read(message):
        assert_storable(event)


TIMED = st.fixed_dictionaries(
    {"text": st.sampled_from(["a", "", " ", "\0"])},
    optional={"start": st.integers(-9, 99), "end": st.integers(-9, 99) | st.none(), "type": st.just("spacing")},
)


@given(words=st.lists(TIMED, max_size=6))
def test_the_bounds_of_a_turn_are_those_of_the_words_made(words: list[dict[str, Any]]) -> None:
    made = listed_words({"words": words}, unit_ms=1, detail=lambda item: (None, None))
    assert assemblyai.so_far({"words": words})[1] == bounds(made)


def test_an_object_is_read_where_the_json_module_reads_one() -> None:
    before = ["", " ", "\r\n\t", "\x0b", "\ufeff", "x", "{"]
    texts = ['{"a": 1}', '{"a": {"b": [NaN]}}', "[1]", "1", "{", ""]
    after = ["", " ", "\n\n", "\xa0", "\0", "}", "{}", ",1"]
    for message in map("".join, product(before, texts, after)):
        try:
            value = json.loads(message)
        except ValueError:
            value = None
        assert repr(wire.read_object(message)) == repr(value if isinstance(value, dict) else None), message


def test_a_confidence_never_leaves_its_bounds() -> None:
    words = [{"text": str(lp), "start": 0, "end": 1, "type": "word", "logprob": lp} for lp in (1000, 0, -1e9)]
    (event,) = live_client("elevenlabs").read(json.dumps({"message_type": "transcript", "text": "x", "words": words}))
    assert [word.confidence for word in words_in(event)] == [1.0, 1.0, 0.0]


def test_numbers_that_are_none_count_as_missing() -> None:
    words = [
        {"text": "one", "start": 10**400, "end": float("nan"), "confidence": float("inf"), "word_is_final": True},
        {"text": "two", "start": 10**15, "end": True, "confidence": 7},
        {"text": "three", "start": -5, "end": 20, "confidence": -7},
    ]
    turn = {"type": "Turn", "turn_order": 10**12, "end_of_turn": True, "transcript": "one two three", "words": words}
    (event,) = live_client("assemblyai").read(json.dumps(turn))
    assert isinstance(event, Final)
    assert event.segment.key == "0"
    assert event.segment.words == (
        Word("one", 0, 0, None, estimated=True),
        Word("two", 0, 0, 1.0, estimated=True),
        Word("three", 0, 20, 0.0),
    )
