"""Between rows and speech's values: the one place that knows how words lie in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from memweb.speech import transcript as speech

if TYPE_CHECKING:
    from transcripts.models import Segment

# PostgreSQL stores no NUL, and no database stores half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with what no database takes (NUL, lone surrogates) made visible as U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def word_row(word: speech.Word) -> list[Any]:
    """One word as stored: [text, start_ms, end_ms, confidence|None, 1 if estimated, then speaker and kind if any]."""
    row: list[Any] = [storable(word.text), word.start_ms, word.end_ms, word.confidence, int(word.estimated)]
    if word.speaker is not None or word.kind != "word":
        row += [None if word.speaker is None else storable(word.speaker), word.kind]
    return row


def word_value(row: list[Any]) -> speech.Word:
    """The word a stored row holds."""
    text, start_ms, end_ms, confidence, estimated, *rest = row
    speaker, kind = rest or (None, "word")
    sound = kind == "audio_event"
    return speech.Word(
        text, start_ms, end_ms, confidence, speaker, "audio_event" if sound else "word", estimated=bool(estimated)
    )


def segment_value(segment: Segment) -> speech.Segment:
    """The segment a row holds, under the speaker's name where a person gave one. Wants `speaker` selected."""
    return speech.Segment(
        key=segment.key,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        text=segment.text,
        words=tuple(word_value(row) for row in cast("list[list[Any]]", segment.words)),
        speaker=str(segment.speaker) if segment.speaker else None,
        channel=segment.channel,
        language=segment.language or None,
    )


def transcript_value(segments: Iterable[Segment], *, language: str, duration_ms: int) -> speech.Transcript:
    """A whole reading as speech's value."""
    return speech.Transcript(tuple(segment_value(row) for row in segments), language or None, duration_ms)
