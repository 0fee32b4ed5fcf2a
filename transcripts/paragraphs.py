"""Segments gathered into paragraphs for reading. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from transcripts.models import Segment
from transcripts.wording import clock

PAUSE_MS = 2_000
"""A silence as long as this ends a paragraph."""
FULL = 500
"""Characters after which the next sentence's end closes a paragraph."""
UNSURE = 0.5
"""Words of less confidence than this are marked."""
COLOURS = 3
_UNSPACED = ("zh", "ja", "th", "lo", "km", "my")


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in a paragraph."""

    key: str
    start_ms: int
    end_ms: int
    text: str
    words: str
    """Where its words are, packed for the player: see `packed`."""
    glue: str
    """What stands between this line and the one before."""


@dataclass(slots=True)
class Turn:
    """One paragraph: what one voice says without a long pause."""

    start_ms: int
    clock: str
    speaker: str
    colour: str
    lines: list[Line] = field(default_factory=list)


def turns(segments: Iterable[Segment], *, colours: Mapping[int, str]) -> list[Turn]:
    """Paragraphs of segments in order. `colours` gives a CSS class by speaker id."""
    found: list[Turn] = []
    before: Segment | None = None
    length = 0
    for segment in segments:
        if before is None or _begins(segment, before, length):
            name = str(segment.speaker) if segment.speaker else ""
            found.append(
                Turn(segment.start_ms, clock(segment.start_ms), name, colours.get(segment.speaker_id or 0, ""))
            )
            length = 0
        glue = "" if not found[-1].lines or segment.language.startswith(_UNSPACED) else " "
        found[-1].lines.append(Line(segment.key, segment.start_ms, segment.end_ms, segment.text, packed(segment), glue))
        length += len(segment.text)
        before = segment
    return found


def _begins(segment: Segment, before: Segment, length: int) -> bool:
    if segment.speaker_id != before.speaker_id or segment.start_ms - before.end_ms >= PAUSE_MS:
        return True
    return length >= FULL and before.text.rstrip().endswith((".", "?", "!", "…", "。", "？", "！"))


def packed(segment: Segment) -> str:
    """Where each word with a real time stands: "skip.length.start" per word, "?" after an unsure one.

    `skip` characters (code points) after the former word's end, `start` in ms after the segment's. Empty where no word
    has a time of its own. Spans are made from it in the browser, for the paragraphs in sight only: a span per word
    from here would cost thirty times the page.
    """
    rows: list[list[Any]] = segment.words
    parts, at = [], 0
    for text, start_ms, _end, confidence, estimated, *_rest in rows:
        begin = segment.text.find(text, at) if text else -1
        if estimated or begin < 0:
            continue
        unsure = "?" if confidence is not None and confidence < UNSURE else ""
        parts.append(f"{begin - at}.{len(text)}.{max(start_ms - segment.start_ms, 0)}{unsure}")
        at = begin + len(text)
    return " ".join(parts)


def colours_of(speaker_ids: Iterable[int]) -> dict[int, str]:
    """A class for each speaker, in order of their first appearance."""
    return {speaker: f"c{i % COLOURS + 1}" for i, speaker in enumerate(speaker_ids)}
