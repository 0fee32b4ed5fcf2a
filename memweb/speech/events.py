"""What a live source can say. A dialect makes these of a provider's messages; the fold makes a transcript of these."""

from __future__ import annotations

from dataclasses import dataclass

from memweb.speech.transcript import Segment, Word


@dataclass(frozen=True, slots=True)
class Began:
    """The source is ready for audio."""

    session_id: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """A voice was heard; no words yet."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Partial:
    """Text that may still change; replaces the last partial. An empty text clears it.

    Without words: they are told again ten times a second, and only those of the final are kept.
    """

    text: str
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """Text that will not change, save by a revision. The same key again replaces the segment: never append it twice."""

    segment: Segment
    timed: bool = True
    """False where the source gave no times: the segment's are then 0 and the session must place it."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a commit: everything about the audio before it has been said, in `Final`s that came first.

    An engine says this once for each `commit()`, in order, also when there was nothing to say. A provider has no
    such message, so a client dialect never says it.
    """


@dataclass(frozen=True, slots=True)
class Revised:
    """A later word on an already final segment: its speaker, and words where given."""

    key: str
    speaker: str | None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakersMerged:
    """Two speaker labels turned out to be one voice."""

    gone: str
    kept: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something odd that ends nothing: a provider's warning, an unknown message, lag."""

    code: str
    """Ours and stable: "lag" from an engine; for a dialect's see speech.dialects.failures."""
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The source cannot go on. `code` is ours and stable: see FAILURES in speech.dialects."""

    code: str
    message: str
    retry: bool
    """True where a fresh connection may succeed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The source has said everything about the audio it got."""

    audio_ms: int | None = None


Event = Began | SpeechBegan | Partial | Final | Committed | Revised | SpeakersMerged | Warned | Failed | Ended
