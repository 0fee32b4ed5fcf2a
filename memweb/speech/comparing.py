"""Two readings of the same sound, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from memweb.speech import editing, text
from memweb.speech.transcript import Segment


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and whether the other side says something else there."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A paragraph of the right reading, and what the left one has of the same time."""

    start_ms: int
    speaker: str | None
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]
    left_keys: tuple[str, ...]
    right_keys: tuple[str, ...]
    words: int
    """How many words differ: the more of either side."""
    of: int
    """How many there are, those that are the same counted once."""

    @property
    def is_same(self) -> bool:
        return self.words == 0


def rows(left: Sequence[Segment], right: Sequence[Segment]) -> list[Row]:
    """In order of time. Where only the left has something, the row's right is empty."""
    paragraphs = list(text.paragraphs(right))
    given: list[list[Segment]] = [[] for _ in paragraphs]
    alone: list[Segment] = []
    for segment in left:
        place = _nearest(segment, paragraphs)
        if segment.text.strip():
            (alone if place is None else given[place]).append(segment)
    made = [_row(ours, paragraph.segments) for ours, paragraph in zip(given, paragraphs, strict=True)]
    made += [_row(paragraph.segments, ()) for paragraph in text.paragraphs(alone)]
    return sorted(made, key=lambda row: row.start_ms)


def text_of(segments: Sequence[Segment]) -> str:
    """Segments as one paragraph."""
    return text.join((segment.text for segment in segments), segments[0].language if segments else None)


def _nearest(segment: Segment, paragraphs: Sequence[text.Paragraph]) -> int | None:
    """The paragraph that shares most time with it, else the nearest."""
    return max(range(len(paragraphs)), key=lambda place: _shared(segment, paragraphs[place]), default=None)


def _shared(segment: Segment, paragraph: text.Paragraph) -> int:
    """Milliseconds in common; below zero, how far they are apart."""
    return min(segment.end_ms, paragraph.end_ms) - max(segment.start_ms, paragraph.start_ms)


def _row(left: Sequence[Segment], right: Sequence[Segment]) -> Row:
    ours, theirs = text_of(left), text_of(right)
    before, after = editing.places(ours), editing.places(theirs)
    blocks = _blocks([editing.norm(ours[a:b]) for a, b in before], [editing.norm(theirs[a:b]) for a, b in after])
    longer = [(is_same, max(high - low, end - begin)) for is_same, low, high, begin, end in blocks]
    first = [*right, *left][0]
    return Row(
        first.start_ms,
        first.speaker,
        tuple(_pieces(ours, before, [(same, low, high) for same, low, high, _, _ in blocks])),
        tuple(_pieces(theirs, after, [(same, low, high) for same, _, _, low, high in blocks])),
        tuple(segment.key for segment in left),
        tuple(segment.key for segment in right),
        sum(words for is_same, words in longer if not is_same),
        sum(words for _, words in longer),
    )


def _blocks(before: list[str], after: list[str]) -> list[tuple[bool, int, int, int, int]]:
    found = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [(kind == "equal", first, last, low, high) for kind, first, last, low, high in found]


def _pieces(said: str, places: list[tuple[int, int]], blocks: list[tuple[bool, int, int]]) -> Iterator[Piece]:
    """The text cut where it begins or ceases to differ; what stands between two words goes with the latter."""
    done = 0
    for same, low, high in blocks:
        if low == high:
            continue
        begin, end = places[low][0], places[high - 1][1]
        if begin > done:
            yield Piece(said[done:begin], False)
        yield Piece(said[begin:end], not same)
        done = end
