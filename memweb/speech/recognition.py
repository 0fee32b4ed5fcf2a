"""What is asked of an engine for one recording, and what it found: plain values for engines and dialects."""

from __future__ import annotations

from dataclasses import dataclass, field

from memweb.speech.transcript import Segment, Transcript


@dataclass(frozen=True, slots=True)
class Hints:
    """How to listen. Whisper follows all of it; Moonshine takes a language only."""

    language: str | None = None
    """ISO 639-1; None detects."""
    favoured: tuple[str, ...] = ()
    """Words that are likely to be said, in their spelling."""
    prompt: str = ""
    """Text in the style wanted, as if said just before."""
    temperature: float = 0.0
    """0: the likeliest words, and freer ones only where those make no sense."""
    seed: int | None = None
    translate: bool = False
    """English words for what is said in any language."""

    @property
    def plain(self) -> bool:
        """Whether any engine will do: nothing but a language is asked for."""
        return self == Hints(self.language)


@dataclass(frozen=True, slots=True)
class Measures:
    """What the decoder tells about one segment, in its own units."""

    tokens: tuple[int, ...] = ()
    seek: int = 0
    """Where its window began, in hundredths of a second."""
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One segment as it was read."""

    segment: Segment
    measures: Measures | None = None
    """None from an engine that gives none."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the recording is done: all its segments have been told."""

    end_ms: int
    voiced_ms: int
    """How much of it holds a voice."""
    language: str | None = None
    language_confidence: float | None = None
    """How sure the detection was; None where the language was given, or nothing was said."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Everything found in one recording."""

    transcript: Transcript
    """Its duration is that of the whole recording, also where only a part was asked for."""
    language_confidence: float | None = None
    """None where the language was given."""
    voiced_ms: int = 0
    heard_ms: int = 0
    """How much was listened to."""
    channels: int = 1
    engine: str = ""
    measures: tuple[Measures | None, ...] = field(default=())
    """One for each segment of the transcript, where they are known."""
