"""One thing said is one segment, however often a provider tells it; the same words said twice are two."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import LiveOptions, live_client
from memweb.speech.dialects.segments import SegmentBook
from memweb.speech.events import Final
from memweb.speech.transcript import Segment

UTTERANCES = st.lists(st.sampled_from(["Okay.", "Yes.", "No, thank you."]), max_size=12)
TEXTS_AND_TIMES = st.lists(st.tuples(st.sampled_from(["Okay.", "Yes.", "No, thank you."]), st.booleans()), max_size=10)
Said = list[tuple[str, bool]]  # text, and whether it is told once more with times


def elevenlabs_frames(said: Said, *, early: bool, late: bool) -> list[dict[str, Any]]:
    """Commits as they are told: `early` with a final before each, `late` with one after it that has the language.

    A provider does the one or the other for a whole session.
    """
    frames: list[dict[str, Any]] = []
    for number, (text, timed) in enumerate(said):
        words = [{"text": text, "start": number * 2.0, "end": number * 2.0 + 1, "type": "word", "logprob": -0.1}]
        if early:
            frames.append({"message_type": "final_transcript", "text": text})
        frames.append({"message_type": "committed_transcript", "text": text})
        if timed:
            frames.append({"message_type": "committed_transcript_with_timestamps", "text": text, "words": words})
        if late and not early:
            frames.append({"message_type": "final_transcript", "text": text, "language_code": "eng"})
    return frames


def segments_of(provider: str, frames: list[dict[str, Any]]) -> dict[str, Segment]:
    client = live_client(provider)
    client.query(LiveOptions())
    events = [event for frame in frames for event in client.read(json.dumps(frame))]
    return {event.segment.key: event.segment for event in events if isinstance(event, Final)}


def assert_each_is_one_segment(said: Said, *, early: bool = False, late: bool = False) -> None:
    segments = segments_of("elevenlabs", elevenlabs_frames(said, early=early, late=late))
    assert list(segments) == [str(number) for number in range(len(said))]
    assert [segment.text for segment in segments.values()] == [text for text, _ in said]
    for number, (_, timed) in enumerate(said):
        assert segments[str(number)].start_ms == (number * 2000 if timed else 0)


@given(TEXTS_AND_TIMES, st.booleans(), st.booleans())
def test_however_often_a_commit_is_told_it_is_one_segment(said: Said, early: bool, late: bool) -> None:
    assert_each_is_one_segment(said, early=early, late=late)


def test_a_client_that_appends_every_telling_fails_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SegmentBook, "_by_text", lambda *given: None)
    with pytest.raises(AssertionError):
        assert_each_is_one_segment([("Okay.", True)])


def test_a_client_that_knows_a_segment_by_its_text_alone_fails_this(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_text(book: SegmentBook, kind: str, text: str, late: bool) -> Any:
        return next((told for told in book._recent if told.text == text), None)

    monkeypatch.setattr(SegmentBook, "_by_text", by_text)
    with pytest.raises(AssertionError):
        assert_each_is_one_segment([("Okay.", False), ("Okay.", False)])


def turn(order: int, text: str, *, ended: bool, formatted: bool = False) -> dict[str, Any]:
    words = [{"text": text, "start": order * 1000, "end": order * 1000 + 500, "confidence": 1.0, "word_is_final": True}]
    told = {"turn_order": order, "end_of_turn": ended, "turn_is_formatted": formatted, "transcript": text}
    return {"type": "Turn", "end_of_turn_confidence": 1.0, "words": words, **told}


@given(UTTERANCES)
def test_a_turn_is_one_segment_and_its_formatted_text_counts(said: list[str]) -> None:
    frames = []
    for order, text in enumerate(said):
        bare = text.lower().strip(".")
        frames += [turn(order, bare, ended=False), turn(order, bare, ended=True)]
        frames += [turn(order, text, ended=True, formatted=True), turn(order, bare, ended=True)]
    segments = segments_of("assemblyai", frames)
    assert [segment.text for segment in segments.values()] == said
    assert list(segments) == [str(order) for order in range(len(said))]


def test_a_provider_that_numbers_its_segments_is_believed() -> None:
    numbered = {"message_type": "committed_transcript", "text": "Hello.", "segment_index": 4}
    other = {"message_type": "committed_transcript", "text": "Hello, Ann.", "segment_index": 4}
    plain = {"message_type": "committed_transcript", "text": "Next."}
    assert {key: segment.text for key, segment in segments_of("elevenlabs", [numbered, other, plain]).items()} == {
        "4": "Hello, Ann.",
        "5": "Next.",
    }


def test_speakers_told_later_stay_when_the_segment_is_told_again() -> None:
    words = [{"text": "Hi.", "start": 0.1, "end": 0.4, "type": "word", "logprob": -0.1}]
    voiced = [{**words[0], "speaker_id": "speaker_3"}]
    frames = [
        {"message_type": "committed_transcript", "text": "Hi."},
        {"message_type": "diarized_transcript", "segment_index": 0, "text": "Hi.", "words": voiced},
        {"message_type": "committed_transcript_with_timestamps", "text": "Hi.", "words": words},
    ]
    assert segments_of("elevenlabs", frames)["0"].speaker == "speaker_3"


def test_a_segment_told_long_ago_is_still_revised_by_its_number() -> None:
    frames = [{"message_type": "committed_transcript", "text": f"Number {number}."} for number in range(20)]
    client = live_client("elevenlabs")
    for frame in frames:
        client.read(json.dumps(frame))
    voiced = [{"text": "Number", "start": 0, "end": 1, "type": "word", "logprob": 0, "speaker_id": "speaker_0"}]
    late = {"message_type": "diarized_transcript", "segment_index": 1, "text": "Number 1.", "words": voiced}
    (event,) = client.read(json.dumps(late))
    assert type(event).__name__ == "Revised"
