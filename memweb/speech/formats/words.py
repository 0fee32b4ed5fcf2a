"""A segment's words as its text has them, each with the time it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from memweb.speech import text
from memweb.speech.transcript import Segment, Word

# What may begin a word of its own where no space stands before it.
_BEGINS = re.compile(rf"[「『（【〔]|(?![、。，．！？」』）】〕ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ])[{text.CJK}]")
_ENDS = re.compile(rf"[{text.CJK}]$")


@dataclass(frozen=True, slots=True)
class Timed:
    """One word of the text."""

    text: str
    start_ms: int
    end_ms: int
    spaced: bool = True
    """Whether a space stands before it."""


def timed(segment: Segment) -> list[Timed]:
    """The text's words; none where it has none.

    They have the times of the segment's words where these say the same, or are as many. After an edit they may not;
    then the segment's time is shared out by length.
    """
    written = text.plain(segment.text).split()
    if not written:
        return []
    if len(written) == len(segment.words):
        pairs = zip(written, segment.words, strict=True)
        return [Timed(said, word.start_ms, word.end_ms) for said, word in pairs]
    heard = _unspaced(written, segment.words)
    if heard:
        return heard
    spans = shared(segment.start_ms, segment.end_ms, [text.width(word) or 1 for word in written])
    return [Timed(said, start, end) for said, (start, end) in zip(written, spans, strict=True)]


def _unspaced(written: list[str], words: tuple[Word, ...]) -> list[Timed]:
    """Words of a text that has no spaces between some of them; none where it does not say the same."""
    pieces = [(said, word) for word in words if (said := "".join(text.plain(word.text).split()))]
    if "".join(written) != "".join(said for said, _ in pieces):
        return []
    begins, at = set(), 0
    for said in written:
        begins.add(at)
        at += len(said)
    found: list[Timed] = []
    at = 0
    for said, word in pieces:
        inside = {begin - at for begin in begins if at < begin < at + len(said)}
        spaced = at in begins
        at += len(said)
        if inside:  # an engine's word with a space inside: left to the text
            return []
        if found and not spaced and not (_ENDS.search(found[-1].text) and _BEGINS.match(said)):
            end = max(found[-1].end_ms, word.end_ms)
            found[-1] = replace(found[-1], text=found[-1].text + said, end_ms=end)
        else:
            found.append(Timed(said, word.start_ms, word.end_ms, spaced))
    return found


def shared(start_ms: int, end_ms: int, weights: list[int]) -> list[tuple[int, int]]:
    """A stretch of time cut in proportion to weights, without gaps."""
    total, length = sum(weights), end_ms - start_ms
    passed, spans = 0, []
    for weight in weights:
        begin = start_ms + length * passed // total
        passed += weight
        spans.append((begin, start_ms + length * passed // total))
    return spans
