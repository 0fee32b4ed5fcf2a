"""What a server half says: the provider's own order of frames, in shapes the official clients take."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from assemblyai.streaming.v3 import _base
from assemblyai.streaming.v3.models import (
    BeginEvent,
    ErrorEvent,
    SpeechStartedEvent,
    TerminationEvent,
    TurnEvent,
    WarningEvent,
)
from elevenlabs.realtime.connection import RealtimeEvents
from elevenlabs.v_1_speech_to_text_realtime.types.receive_transcription import ReceiveTranscription
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import FAILURES, PROVIDERS, LiveOptions, LiveServer, failed, live_client, live_server
from memweb.speech.events import (
    Committed,
    Ended,
    Event,
    Failed,
    Final,
    Partial,
    Revised,
    SpeechBegan,
    Warned,
)
from memweb.speech.transcript import Segment, Word

SECOND = bytes(32_000)


def server_of(provider: str, **params: str) -> LiveServer:
    return live_server(provider, {name: [value] for name, value in params.items()}, "a-session")


def final(
    text: str, start_ms: int = 0, end_ms: int = 1000, *, timed: bool = True, language: str | None = None
) -> Final:
    pieces = text.split() if timed else []
    step = (end_ms - start_ms) // max(1, len(pieces))
    words = tuple(
        Word(piece, start_ms + step * place, start_ms + step * (place + 1), estimated=True)
        for place, piece in enumerate(pieces)
    )
    return Final(Segment("0", start_ms, end_ms, text, words, language=language))


def said(server: LiveServer, *events: Event) -> list[dict[str, Any]]:
    return [json.loads(frame) for event in events for frame in server.says(event)]


def shape(frames: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Kind and text of each frame, and for ends of turns whether they are formatted."""
    return [
        (frame["type"], frame.get("transcript"), frame["end_of_turn"], frame["turn_is_formatted"])
        if frame.get("type") == "Turn"
        else (frame.get("type") or frame["message_type"], frame.get("text"))
        for frame in frames
    ]


# --- AssemblyAI ------------------------------------------------------------------------------------------


def test_assemblyai_begins_with_begin() -> None:
    (frame,) = server_of("assemblyai").begins(1_795_000_000.7)
    assert json.loads(frame) == {
        "type": "Begin",
        "id": "a-session",
        "expires_at": 1_795_010_800,
        "configuration": {"model": "universal-streaming-english", "api_version": "v3"},
    }
    (named,) = server_of("assemblyai").begins(0, "moonshine-tiny-en")
    assert json.loads(named)["configuration"]["model"] == "moonshine-tiny-en"


def test_a_turn_is_started_shown_and_ended_and_the_next_has_the_next_number() -> None:
    server = server_of("assemblyai")
    frames = said(
        server,
        SpeechBegan(120),
        SpeechBegan(130),
        Partial("Hello", 120, 500),
        Partial("Hello there", 120, 900),
        final("Hello, there."),
        Partial("And", 1500, 1700),
        final("And so on.", 1500, 2500),
    )
    assert shape(frames) == [
        ("SpeechStarted", None),
        ("Turn", "Hello", False, False),
        ("Turn", "Hello there", False, False),
        ("Turn", "Hello, there.", True, False),
        ("SpeechStarted", None),
        ("Turn", "And", False, False),
        ("Turn", "And so on.", True, False),
    ]
    assert [frame["turn_order"] for frame in frames if frame["type"] == "Turn"] == [0, 0, 0, 1, 1]
    assert [frame["timestamp"] for frame in frames if frame["type"] == "SpeechStarted"] == [120, 1500]


def test_with_format_turns_a_turn_ends_plain_and_then_formatted() -> None:
    server = server_of("assemblyai", format_turns="true")
    plain, formatted = said(server, final("Well — Mr. O'Neil's “3.14”, no?", language="en"))[1:]
    assert shape([plain, formatted]) == [
        ("Turn", "well mr o'neil's 3.14 no", True, False),
        ("Turn", "Well — Mr. O'Neil's “3.14”, no?", True, True),
    ]
    assert plain["turn_order"] == formatted["turn_order"]
    assert [word["text"] for word in plain["words"]] == ["well", "mr", "o'neil's", "3.14", "no"]
    assert (formatted["language_code"], formatted["timing"], formatted["utterance"]) == (
        "en", "estimated", formatted["transcript"],
    )  # fmt: skip


@pytest.mark.parametrize("params", [{"disable_partial_transcripts": "True"}, {"include_partial_turns": "False"}])
def test_without_partials_only_the_ends_of_turns_come(params: dict[str, str]) -> None:
    frames = said(server_of("assemblyai", **params), Partial("Hel", 0, 500), Partial(""), final("Hello."), final(""))
    assert shape(frames) == [("SpeechStarted", None), ("Turn", "Hello.", True, False)]


def test_a_partial_that_is_taken_back_is_shown_empty_once() -> None:
    server = server_of("assemblyai")
    frames = said(server, Partial(""), Partial("Hm", 10, 200), final(""), Partial(""), Partial(" "), Committed())
    assert shape(frames) == [
        ("SpeechStarted", None),
        ("Turn", "Hm", False, False),
        ("Turn", "", False, False),
        ("Turn", " ", False, False),
    ]


def test_words_without_times_get_estimated_ones_and_unknown_confidence_is_one() -> None:
    (_, frame) = said(server_of("assemblyai"), final("One three", 100, 900, timed=False))
    assert [(word["start"], word["end"], word["confidence"]) for word in frame["words"]] == [
        (100, 400, 1.0),
        (400, 900, 1.0),
    ]
    assert frame["timing"] == "estimated"
    assert all(isinstance(word["confidence"], float) for word in frame["words"])


def test_an_empty_partial_after_an_end_opens_no_turn() -> None:
    frames = said(server_of("assemblyai"), Partial("Hi", 0, 400), final("Hi."), Partial(""))
    assert shape(frames)[-1] == ("Turn", "Hi.", True, False)


def test_a_known_speaker_and_confidence_are_told() -> None:
    words = (Word("Yes.", 0, 400, confidence=0.5, speaker="A"),)
    (_, frame) = said(server_of("assemblyai"), Final(Segment("0", 0, 400, "Yes.", words, speaker="A")))
    assert frame["speaker_label"] == frame["words"][0]["speaker"] == "A"
    assert frame["words"][0]["confidence"] == 0.5
    assert "timing" not in frame


def test_termination_tells_whole_seconds() -> None:
    (frame,) = server_of("assemblyai").ends(12_499, 13_500)
    assert json.loads(frame) == {
        "type": "Termination", "audio_duration_seconds": 12, "session_duration_seconds": 14,
    }  # fmt: skip


@pytest.mark.parametrize("code", list(FAILURES))
def test_assemblyai_says_a_failure_in_a_frame_and_in_the_close_code(code: str) -> None:
    server = server_of("assemblyai")
    failure = failed(code, "Ä" * 200)
    (frame,) = said(server, failure)
    number, reason = server.closing(failure)
    assert frame["error_code"] == number
    assert 3000 <= number < 5000
    assert len(reason.encode()) <= 123
    expected = "provider" if code == "unknown" else code
    told = live_client("assemblyai").closed(number, "")
    assert isinstance(told, Failed)
    assert told.code == expected


def test_an_idle_assemblyai_session_is_told_why_it_ends() -> None:
    frames, code, reason = server_of("assemblyai").idle()
    assert json.loads(frames[0]) == {"type": "Error", "error": reason, "error_code": code}
    assert code == 4031


# --- ElevenLabs ------------------------------------------------------------------------------------------


def test_elevenlabs_begins_with_session_started_and_its_settings() -> None:
    (frame,) = server_of("elevenlabs", language_code="en", audio_format="ulaw_8000", vad_threshold="0.5").begins(0)
    assert json.loads(frame) == {
        "message_type": "session_started",
        "session_id": "a-session",
        "config": {
            "sample_rate": 8000, "audio_format": "ulaw_8000", "language_code": "en",
            "model_id": "scribe_v2_realtime", "commit_strategy": "manual", "include_timestamps": False,
            "include_language_detection": False, "enable_logging": False, "vad_threshold": 0.5,
        },
    }  # fmt: skip


def heard(server: LiveServer, seconds: int = 1, *, commit: bool = False) -> None:
    chunk = {"message_type": "input_audio_chunk", "audio_base_64": "A" * 4 * 10_000 * seconds, "commit": commit}
    commands = server.accept(json.dumps(chunk))
    assert len(commands) == 1 + commit


def test_with_manual_commits_one_transcript_answers_each_commit() -> None:
    server = server_of("elevenlabs")
    heard(server, commit=True)
    first = said(server, Partial("Hel"), final("Hello."), Partial("My"), final("My name is Ann."), Committed())
    assert shape(first) == [
        ("partial_transcript", "Hel"),
        ("partial_transcript", "Hello."),
        ("partial_transcript", "Hello. My"),
        ("partial_transcript", "Hello. My name is Ann."),
        ("committed_transcript", "Hello. My name is Ann."),
    ]
    heard(server, commit=True)
    assert shape(said(server, Committed())) == [("committed_transcript", "")]
    assert said(server, Committed()) == []  # nobody asked


@pytest.mark.parametrize(
    "end",
    [
        lambda server: server.ends(0, 0),
        lambda server: server.says(Ended()),
        lambda server: server.idle()[0],
        lambda server: server.says(failed("provider"))[:1],
    ],
    ids=["asked", "engine", "idle", "failure"],
)
def test_finals_gather_until_the_commit_and_none_is_lost_when_the_session_ends(
    end: Callable[[LiveServer], list[str]],
) -> None:
    server = server_of("elevenlabs")
    assert shape(said(server, final("Hello."))) == [("partial_transcript", "Hello.")]
    assert shape([json.loads(frame) for frame in end(server)]) == [("committed_transcript", "Hello.")]
    assert server.ends(0, 0) == []


def test_ninety_seconds_of_finals_commit_themselves() -> None:
    server = server_of("elevenlabs")
    frames = said(server, final("One.", 1_000, 30_000), final("Two.", 30_000, 91_000), final("Three.", 91_000, 92_000))
    assert shape(frames) == [
        ("partial_transcript", "One."),
        ("committed_transcript", "One. Two."),
        ("partial_transcript", "Three."),
    ]


def test_with_vad_each_final_is_committed_and_a_commit_without_words_has_an_empty_answer() -> None:
    server = server_of("elevenlabs", commit_strategy="vad")
    assert shape(said(server, Partial("Hel"), final("Hello."), final(""))) == [
        ("partial_transcript", "Hel"),
        ("committed_transcript", "Hello."),
    ]
    heard(server, 2, commit=True)
    assert shape(said(server, final("And."), Committed())) == [("committed_transcript", "And.")]
    heard(server, 2, commit=True)
    assert shape(said(server, Committed())) == [("committed_transcript", "")]


def test_timestamps_and_language_follow_where_they_were_asked_for() -> None:
    event = final("Guten Tag.", 500, 1500, language="de")
    kinds = ["committed_transcript"]
    for timestamps, language, more in (
        ("false", "false", []),
        ("true", "false", ["committed_transcript_with_timestamps"]),
        ("false", "true", ["final_transcript"]),
        ("true", "true", ["committed_transcript_with_timestamps", "final_transcript_with_timestamps"]),
    ):
        server = server_of(
            "elevenlabs", commit_strategy="vad", include_timestamps=timestamps, include_language_detection=language
        )
        frames = said(server, event)
        assert [frame["message_type"] for frame in frames] == kinds + more
        assert {frame["language_code"] for frame in frames} == {"de"}
        for frame in frames:
            if frame["message_type"].endswith("timestamps"):
                assert [(word["text"], word["type"]) for word in frame["words"]] == [
                    ("Guten", "word"), (" ", "spacing"), ("Tag.", "word"),
                ]  # fmt: skip
                assert (frame["words"][0]["start"], frame["words"][-1]["end"]) == (0.5, 1.5)
                assert frame["timing"] == "estimated"


def test_a_word_s_confidence_is_its_logprob_and_its_speaker_its_id() -> None:
    server = server_of("elevenlabs", commit_strategy="vad", include_timestamps="true")
    words = (
        Word("Yes.", 0, 400, confidence=0.5, speaker="speaker_1"),
        Word("(cough)", 400, 500, 0.0, None, "audio_event"),
    )
    frame = said(server, Final(Segment("0", 0, 500, "Yes. (cough)", words)))[1]
    assert frame["words"][0]["logprob"] == pytest.approx(-0.693, abs=0.001)
    assert frame["words"][0]["speaker_id"] == "speaker_1"
    assert frame["words"][2]["type"] == "audio_event"
    assert "timing" not in frame


@pytest.mark.parametrize("code", list(FAILURES))
def test_elevenlabs_says_a_failure_in_a_frame_of_its_kind(code: str) -> None:
    server = server_of("elevenlabs")
    (frame,) = said(server, failed(code, "words"))
    (event,) = live_client("elevenlabs").read(json.dumps(frame))
    assert isinstance(event, Failed)
    assert event.code == ("provider" if code == "unknown" else code)
    assert event.message == "words"
    assert server.closing(failed(code)) == (1000, frame["message_type"])


# --- both ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_warning_is_in_words_and_keeps_its_code(provider: str) -> None:
    for warned, words in (
        (Warned("lag", "2400"), "The words are 2.4 s behind the voice."),
        (Warned("lag", "0"), "The words have caught up."),
        (Warned("lag", "much"), "much"),
        (Warned("other", "Something odd."), "Something odd."),
    ):
        (frame,) = server_of(provider).says(warned)
        assert json.loads(frame)["warning"] == words
        assert live_client(provider).read(frame) == (warned,)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_events_a_live_answer_has_no_frame_for_are_left_out(provider: str) -> None:
    assert server_of(provider).says(Revised("0", "A")) == []


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
WORDS = st.lists(
    st.tuples(TEXT, st.integers(0, 400), st.integers(0, 400), st.none() | st.floats(0.01, 1)), min_size=1, max_size=5
)


@st.composite
def finals(draw: st.DrawFn) -> list[Final]:
    """What an engine says: segments one after the other, words with times in order."""
    made: list[Final] = []
    at = 0
    for place, spoken in enumerate(draw(st.lists(WORDS, max_size=5))):
        estimated = draw(st.booleans())
        words = []
        for text, gap, length, confidence in spoken:
            start, at = at + gap, at + gap + length
            words.append(Word(text, start, at, None if estimated else confidence or 1.0, estimated=estimated))
        text = " ".join(word.text for word in words)
        segment = Segment(str(place), words[0].start_ms, at, text, tuple(words), language="en")
        made.append(Final(segment))
    return made


def frames_of(provider: str, events: list[Final], **params: str) -> list[str]:
    server = server_of(provider, **params)
    frames = server.begins(1_795_000_000.0, "an-engine")
    for event in events:
        segment = event.segment
        told = (SpeechBegan(segment.start_ms), Partial(segment.text, segment.start_ms, segment.end_ms), event)
        frames += [frame for each in (*told, Warned("lag", "1500")) for frame in server.says(each)]
    return [*frames, *server.says(Ended()), *server.ends(5000, 6000), *server.says(failed("provider"))]


OFFICIAL = {
    "Begin": BeginEvent,
    "Turn": TurnEvent,
    "SpeechStarted": SpeechStartedEvent,
    "Warning": WarningEvent,
    "Termination": TerminationEvent,
    "Error": ErrorEvent,
}


@given(finals(), st.sampled_from(["true", "false"]), st.sampled_from(["true", "false"]))
def test_the_strict_official_assemblyai_client_takes_every_frame(events: list[Final], formats: str, quiet: str) -> None:
    for frame in frames_of("assemblyai", events, format_turns=formats, disable_partial_transcripts=quiet):
        message = json.loads(frame)
        parsed = _base._BaseStreamingClient._parse_message(message)
        assert isinstance(parsed, OFFICIAL[message["type"]])


@pytest.mark.parametrize("missing", ["word_is_final", "confidence", "start", "text"])
def test_the_official_assemblyai_client_does_refuse_a_word_with_something_missing(missing: str) -> None:
    (_, frame) = said(server_of("assemblyai"), final("Hello."))
    del frame["words"][0][missing]
    with pytest.raises(pydantic.ValidationError):
        _base._BaseStreamingClient._parse_message(frame)


@given(finals(), st.sampled_from(["manual", "vad"]), st.sampled_from(["true", "false"]))
def test_the_official_elevenlabs_models_take_every_frame(events: list[Final], strategy: str, timed: str) -> None:
    models: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ReceiveTranscription)
    for frame in frames_of("elevenlabs", events, commit_strategy=strategy, include_timestamps=timed):
        message = json.loads(frame)
        if message["message_type"] != "warning":
            assert RealtimeEvents(message["message_type"])
        assert models.validate_python(message).message_type == message["message_type"]


def read_back(provider: str, frames: list[str]) -> list[Segment]:
    client = live_client(provider)
    client.query(LiveOptions())
    events = [event for frame in frames for event in client.read(frame)]
    return list({event.segment.key: event.segment for event in events if isinstance(event, Final)}.values())


def assert_same(read: list[Segment], events: list[Final]) -> None:
    spoken = [event.segment for event in events]
    assert [(segment.key, segment.text, segment.language) for segment in read] == [
        (segment.key, segment.text, segment.language) for segment in spoken
    ]
    for one, other in zip(read, spoken, strict=True):
        assert [(word.text, word.start_ms, word.end_ms, word.estimated) for word in one.words] == [
            (word.text, word.start_ms, word.end_ms, word.estimated) for word in other.words
        ]
        for word, original in zip(one.words, other.words, strict=True):
            assert word.confidence == (original.confidence and pytest.approx(original.confidence))


@given(finals(), st.sampled_from(["true", "false"]))
def test_what_the_assemblyai_server_says_its_client_reads_back_word_for_word(events: list[Final], formats: str) -> None:
    assert_same(read_back("assemblyai", frames_of("assemblyai", events, format_turns=formats)), events)


@given(finals())
def test_what_the_elevenlabs_server_says_its_client_reads_back_word_for_word(events: list[Final]) -> None:
    frames = frames_of("elevenlabs", events, commit_strategy="vad", include_timestamps="true")
    assert_same(read_back("elevenlabs", frames), events)
