"""Paragraphs as the record page shows them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from memweb.speech import text
from memweb.speech.transcript import Segment, Word
from transcripts.shown.wording import clock

UNSURE = 0.5
"""Words of less confidence than this are marked."""
COLOURS = 8
"""Of voices, in tokens.css; more of them begin anew."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker as shown."""

    name: str = ""
    colour: str = ""
    """A CSS class."""


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in a paragraph."""

    key: str
    start_ms: int
    end_ms: int
    glue: str
    """What stands between this line and the one before."""
    text: str
    words: str
    """Where its words are, packed for the player: see `packed`."""
    revision: int = 0
    """How often a person changed it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One paragraph: what one voice says without a long pause."""

    start_ms: int
    clock: str
    voice: Voice
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Gap:
    """Where the sound of a stream is missing."""

    at_ms: int
    said: str


NOBODY = Voice()


def turns(
    segments: Iterable[Segment], *, voices: Mapping[str, Voice], revisions: Mapping[str, int] = MappingProxyType({}),
    gaps: Sequence[Gap] = (),
) -> list[Turn]:  # fmt: skip
    """Segments in order as paragraphs, none across a gap; `voices` by speaker label, `revisions` by segment key."""
    missing = [gap.at_ms for gap in gaps]
    return [
        Turn(found.start_ms, clock(found.start_ms), voices.get(found.speaker or "", NOBODY), lines)
        for _, between in groupby(segments, lambda segment: bisect_right(missing, segment.start_ms))
        for found in text.paragraphs(between)
        if (lines := list(_lines(found, revisions)))
    ]


def _lines(paragraph: text.Paragraph, revisions: Mapping[str, int]) -> Iterator[Line]:
    before = ""
    for segment in paragraph.segments:
        said = text.line(segment.text)
        glue, shown = text.joint(before, said, paragraph.segments[0].language)
        words, revision = packed(segment, shown), revisions.get(segment.key, 0)
        yield Line(segment.key, segment.start_ms, segment.end_ms, glue, shown, words, revision)
        before = said


def packed(segment: Segment, shown: str) -> str:
    """Where each word with a real time stands: "skip.length.start" per word, "?" after an unsure one.

    `skip` characters (code points) after the former word's end, `start` in ms after the segment's. Empty where no word
    has a time of its own. Spans are made from it in the browser, for the paragraphs in sight only: a span per word
    from here would cost thirty times the page.
    """
    parts, at = [], 0
    for word in segment.words:
        begin = -1 if word.estimated or not word.text else _find(word, shown, at)
        if begin < 0:
            continue
        unsure = "?" if word.confidence is not None and word.confidence < UNSURE else ""
        parts.append(f"{begin - at}.{len(word.text)}.{max(word.start_ms - segment.start_ms, 0)}{unsure}")
        at = begin + len(word.text)
    return " ".join(parts)


def _find(word: Word, shown: str, at: int) -> int:
    begin = shown.find(word.text, at)
    if begin < 0 and at == 0:  # the first may have lost its capital where sentences were joined
        begin = shown.find(word.text[0].lower() + word.text[1:])
    return begin


def voices_of(speakers: Iterable[tuple[str, str]]) -> dict[str, Voice]:
    """(label, name) of each speaker, in order of their first words, as shown."""
    return {label: Voice(name, f"c{i % COLOURS + 1}") for i, (label, name) in enumerate(speakers)}
