"""What a person can choose about an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from memweb.speech import text

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CaptionRules:
    """How captions are cut. Lengths are columns: a full-width character takes two."""

    line_columns: int = 42
    lines: int = 2
    columns_per_second: int = 20
    """Reading speed: a cue stays longer where the next leaves room."""
    least_ms: int = 1_000
    most_ms: int = 7_000
    pad_ms: int = 300
    """Added after the last word: engines end words early."""
    pause_ms: int = 1_000
    """A silence this long begins a new cue."""


@dataclass(frozen=True, slots=True)
class Options:
    speakers: bool = True
    times: bool = False
    """In formats to be read: when each paragraph begins. Captions and tables always have times."""
    paragraphs: bool = True
    """In formats to be read: segments gathered into paragraphs; else each by itself."""
    marks: bool = True
    """In formats to be read: chapters as headings, and a list of what else was marked. JSON always tells."""
    words: bool = False
    """When each word is said, where the format has a place for it: VTT, HTML, CSV. JSON always tells."""
    title: str = ""
    about: str = ""
    """A line below the title, in documents: day, length, language."""
    names: Mapping[str, str] = field(default_factory=lambda: _NO_NAMES)
    """Speaker label -> the name a person gave it."""
    captions: CaptionRules = field(default_factory=CaptionRules)

    def speaker(self, label: str | None) -> str:
        """The name to show, on one line; empty where there is none, or none is wanted."""
        if not self.speakers or label is None:
            return ""
        return text.plain(self.names.get(label) or label)


DEFAULT = Options()
