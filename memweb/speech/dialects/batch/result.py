"""What a finished transcription says: its text as a Transcript, and beside it everything that is no text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memweb.speech.transcript import Transcript

Kind = Literal["summary", "chapter", "highlight", "entity", "sentiment", "topic", "safety", "format", "fact"]
KINDS: tuple[Kind, ...] = (
    "summary",
    "chapter",
    "highlight",
    "entity",
    "sentiment",
    "topic",
    "safety",
    "format",
    "fact",
)
"""In the order to show them. A "format" is the text in a file format; a "fact" is whatever else was told, by name."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One thing a provider says about a recording that has no place in its text."""

    kind: Kind
    text: str
    """What it is about: words of the recording, a headline, a whole summary."""
    label: str = ""
    """What it says of that: a type of entity, a sentiment, a topic, the name of a fact."""
    detail: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    """Where in the recording, start and end in ms; often one, none for the whole."""
    score: float | None = None
    """0 to 1: confidence, relevance or rank, as the provider means it."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    transcript: Transcript
    extras: tuple[Extra, ...] = ()
    failure: str = ""
    """The provider's own words where it says that it could not; the transcript is then empty."""
    pending: bool = False
    """True where this is only the promise of a result."""
