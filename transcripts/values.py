"""Between rows and speech's values: the one place that knows how words lie in a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from memweb.speech import transcript as speech
from memweb.speech.text import clean

if TYPE_CHECKING:
    from transcripts.models import Segment


def word_row(word: speech.Word) -> list[Any]:
    """One word as stored: [text, start_ms, end_ms, confidence|None, 1 if estimated, then speaker and kind if any]."""
    row: list[Any] = [clean(word.text), word.start_ms, word.end_ms, word.confidence, int(word.estimated)]
    if word.speaker is not None or word.kind != "word":
        row += [None if word.speaker is None else clean(word.speaker), word.kind]
    return row


def word_value(row: list[Any]) -> speech.Word:
    """The word a stored row holds."""
    text, start_ms, end_ms, confidence, estimated = row[:5]
    if len(row) == 5:  # nearly all, and a page has hundreds
        return speech.Word(text, start_ms, end_ms, confidence, None, "word", estimated == 1)
    speaker, kind = row[5:]
    sound = kind == "audio_event"
    return speech.Word(text, start_ms, end_ms, confidence, speaker, "audio_event" if sound else "word", estimated == 1)


def segment_value(segment: Segment, labels: Mapping[int | None, str] = MappingProxyType({})) -> speech.Segment:
    """The segment a row holds; its speaker is the label. Wants `speaker` selected, or else its label by id."""
    label = labels.get(segment.speaker_id) or (segment.speaker.label if segment.speaker else None)
    return speech.Segment(
        key=segment.key,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        text=segment.text,
        words=tuple(word_value(row) for row in cast("list[list[Any]]", segment.words)),
        speaker=label,
        channel=segment.channel,
        language=segment.language or None,
        opens=segment.opens,
    )


def transcript_value(segments: Iterable[Segment], *, language: str, duration_ms: int) -> speech.Transcript:
    """A whole reading as speech's value."""
    return speech.Transcript(tuple(segment_value(row) for row in segments), language or None, duration_ms)
