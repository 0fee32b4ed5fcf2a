"""What an engine is inside a worker: it opens ears; an ear hears audio cheaply and speaks at a price.

Positions are sample numbers at 16 kHz counted from the stream's start; times are milliseconds from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

RATE = 16_000
"""Samples a second, everywhere in this package."""


class Want(IntEnum):
    """What an ear would do with its next turn; the smaller is the more urgent."""

    FINAL = 0
    PARTIAL = 1
    NOTHING = 2


@dataclass(slots=True)
class Spoken:
    """One word as an engine gives it."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None
    estimated: bool = False


@dataclass(slots=True)
class Line:
    """A stretch of text: final, or the one still open."""

    text: str
    start_ms: int
    end_ms: int
    final: bool
    words: list[Spoken] = field(default_factory=list)
    language: str | None = None
    upto: int = 0
    """The sample up to which a final line has used the audio."""


class Ear(Protocol):
    """One stream inside an engine. Not thread-safe: the worker's one thread owns it."""

    heard: int
    """Samples taken in."""
    thought: int
    """Samples whose words are known, as far as they can be by now."""
    settled: int
    """Samples that no later event can touch: what a replay after a crash may leave out."""

    def hear(self, pcm: bytes) -> list[int]:
        """Take s16le PCM. Returns the milliseconds at which voices began. Cheap: no decoding."""

    def want(self, interval_s: float) -> Want:
        """Say what the next turn is for, when partials are `interval_s` seconds of audio apart."""

    def speak(self) -> list[Line]:
        """Decode what is in hand. May take seconds of CPU."""

    def commit(self) -> list[Line]:
        """Decode all that was heard and make it final; the stream goes on."""

    def close(self) -> None:
        """Free everything."""


class Engine(Protocol):
    """A loaded model."""

    name: str
    intervals: tuple[float, ...]
    """Seconds of audio between partials, from the liveliest to the thriftiest; after the last there are finals only."""

    def open(self, language: str | None, base: int) -> Ear:
        """Open an ear whose first sample has position `base`."""


def to_ms(samples: int) -> int:
    """Milliseconds of a sample position."""
    return samples * 1000 // RATE


def spread(text: str, start_ms: int, end_ms: int) -> list[Spoken]:
    """Place the words of a line across its time by their length, and say that the times are estimated."""
    words = text.split()
    total = sum(len(word) + 1 for word in words)
    span = max(0, end_ms - start_ms)
    spoken: list[Spoken] = []
    seen = 0
    for word in words:
        begins = start_ms + span * seen // total
        seen += len(word) + 1
        spoken.append(Spoken(word, begins, start_ms + span * seen // total, None, True))
    return spoken
