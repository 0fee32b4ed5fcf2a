"""What was said: words in segments in a transcript. Frozen values; every time is an integer of milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Word:
    """One word, or one named sound, with its place in the recording."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None
    """0 to 1, or None where the engine gives none."""
    speaker: str | None = None
    """A label such as "A" or "speaker_0", never a name."""
    kind: Literal["word", "audio_event"] = "word"
    estimated: bool = False
    """True where the times were derived from the segment's, not heard."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A timed run of words shown as one line: the unit of editing and of captions."""

    key: str
    """Unique within a transcript and stable over revisions, e.g. "2-17": second connection, turn 17."""
    start_ms: int
    end_ms: int
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    channel: int | None = None
    language: str | None = None
    """ISO 639-1 base language, e.g. "en"."""
    opens: bool | None = None
    """Whether a paragraph begins here, where a person said so; None leaves it to pauses and speakers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment somebody marked, or where a chapter begins."""

    at_ms: int
    text: str = ""
    """A note, or the chapter's title; perhaps none."""
    is_chapter: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything that was said, in order of start, and what was marked in it."""

    segments: tuple[Segment, ...] = ()
    language: str | None = None
    duration_ms: int | None = None
    marks: tuple[Mark, ...] = ()
    """In order of time; of one moment, chapters first."""

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments if segment.text)
