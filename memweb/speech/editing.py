"""What a person's corrections do to words and their times.

Words that were not touched keep their exact times. What takes the place of other words gets the time these had, what is
put between words gets the room there is; both are marked as estimated. Nothing ever leaves its segment's bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from memweb.speech import text as texts
from memweb.speech.transcript import Segment, Word

# A token is a run without spaces; in scripts that have none, each character is one.
_TOKEN = re.compile(rf"[{texts.UNSPACED}]|[^\s{texts.UNSPACED}]+")
_EDGE = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of new text: where it stands, and what it is compared by."""

    begin: int
    end: int
    norm: str


@dataclass(frozen=True, slots=True)
class _Atom:
    """A piece of a word that was heard; most words are one."""

    norm: str
    word: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class _Run:
    """New tokens [low, high) beside the old atoms [first, last): the same ones, or others in their place."""

    same: bool
    first: int
    last: int
    low: int
    high: int


def norm(word: str) -> str:
    """What a word is compared by: without case and without the punctuation around it."""
    return _EDGE.sub("", word).casefold() or word


def tokens(text: str) -> list[str]:
    """The words of a text as corrections count them; a character each in scripts without spaces."""
    return _TOKEN.findall(text)


def places(text: str) -> list[tuple[int, int]]:
    """Where each of these words begins and ends, in characters."""
    return [found.span() for found in _TOKEN.finditer(text)]


def retext(segment: Segment, text: str) -> Segment:
    """The segment with other text; its bounds stay. Words without a time before have none afterwards."""
    if not segment.words:
        return replace(segment, text=text)
    atoms = list(_atoms(segment.words))
    found = _tokens(text)
    words: list[Word] = []
    for run in _runs([atom.norm for atom in atoms], [token.norm for token in found]):
        if run.same:
            words += _kept(segment.words, atoms[run.first : run.last], found[run.low : run.high], text)
        else:
            low, high = _room(segment, atoms, run, words)
            words += _spread(found[run.low : run.high], text, low, high, _speaker(segment, atoms, run))
    return replace(segment, text=text, words=tuple(words))


def rewrite(segments: Sequence[Segment], text: str) -> tuple[Segment, ...]:
    """A paragraph's segments after its text was changed as a whole: each new word goes to the segment it belongs to.

    `segments` in order, shown as `text.join` shows them. The same number comes back; one that lost all its words has
    an empty text. One that reads as before is the very same.
    """
    shown = list(_shown(segments))
    owners = [at for at, said in enumerate(shown) for _ in tokens(said)]
    before = [norm(token) for said in shown for token in tokens(said)]
    found = _tokens(text)
    bounds: list[tuple[int, int] | None] = [None] * len(segments)
    for run in _runs(before, [token.norm for token in found]):
        for place, token in enumerate(found[run.low : run.high]):
            owner = _owner(run, place, owners)
            former = bounds[owner]
            bounds[owner] = (former[0] if former else token.begin, token.end)
    return tuple(
        segment if _slice(text, bound) == said else retext(segment, texts.line(_slice(text, bound)))
        for segment, said, bound in zip(segments, shown, bounds, strict=True)
    )


def split(segment: Segment, at: int, key: str) -> tuple[Segment, Segment]:
    """Cut a segment before the character at `at` of its text; the second part has this key and opens a paragraph.

    Raises ValueError where one side would be empty.
    """
    left, right = segment.text[:at].rstrip(), segment.text[at:].lstrip()
    if not left or not right:
        raise ValueError("A segment can be split between two words only.")
    if not segment.words:
        middle = segment.start_ms + (segment.end_ms - segment.start_ms) * len(left) // (len(left) + len(right))
        return (
            replace(segment, text=left, end_ms=middle),
            replace(segment, key=key, text=right, start_ms=middle, opens=True),
        )
    count = _words_before(segment, at)
    before, after = segment.words[:count], segment.words[count:]
    middle = after[0].start_ms if after else segment.end_ms
    middle = min(max(middle, segment.start_ms), segment.end_ms)
    end = min(max(before[-1].end_ms, segment.start_ms), middle) if before else middle
    first = replace(segment, text=left, end_ms=end, words=before)
    return first, replace(segment, key=key, text=right, start_ms=middle, words=after, opens=True)


def offset_in(segments: Sequence[Segment], at: int) -> tuple[int, int]:
    """(segment, character in its shown text) of a place in a paragraph's text."""
    begin = 0
    joined = ""
    for place, said in enumerate(_shown(segments)):
        joined_after = texts.join((joined, said)) if joined else said
        begin = len(joined_after) - len(said)
        if at <= len(joined_after):
            return place, max(at - begin, 0)
        joined = joined_after
    return len(segments) - 1, max(at - begin, 0)


def _shown(segments: Sequence[Segment]) -> Iterator[str]:
    """Each segment's own part of the joined text."""
    language = segments[0].language if segments else None
    before = ""
    for segment in segments:
        said = texts.line(segment.text)
        joined = texts.join((before, said), language)
        yield joined[len(joined) - len(said) :]
        before = said or before


def _tokens(text: str) -> list[_Token]:
    return [_Token(found.start(), found.end(), norm(found[0])) for found in _TOKEN.finditer(text)]


def _atoms(words: Sequence[Word]) -> Iterator[_Atom]:
    for place, word in enumerate(words):
        parts = tokens(word.text) or [word.text]
        length = sum(map(len, parts)) or 1
        done, span = 0, word.end_ms - word.start_ms
        for part in parts:
            start = word.start_ms + span * done // length
            done += len(part)
            yield _Atom(norm(part), place, start, word.start_ms + span * done // length)


def _runs(before: list[str], after: list[str]) -> Iterator[_Run]:
    for kind, first, last, low, high in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield _Run(kind == "equal", first, last, low, high)


def _kept(words: Sequence[Word], atoms: list[_Atom], found: list[_Token], text: str) -> Iterator[Word]:
    """The same words as before, as they are written now. A word of which only a part is left is that part."""
    place = 0
    while place < len(atoms):
        word = words[atoms[place].word]
        count = sum(1 for _ in tokens(word.text)) or 1
        run = [atom for atom in atoms[place : place + count] if atom.word == atoms[place].word]
        end = place + len(run)
        written = text[found[place].begin : found[end - 1].end]
        if len(run) == count:
            yield replace(word, text=written)
        else:
            yield replace(word, text=written, start_ms=run[0].start_ms, end_ms=run[-1].end_ms, estimated=True)
        place = end


def _room(segment: Segment, atoms: list[_Atom], run: _Run, words: list[Word]) -> tuple[int, int]:
    """The time new words may take: that of the words they replace, else the gap they were put into."""
    if run.first < run.last:
        low, high = atoms[run.first].start_ms, max(atom.end_ms for atom in atoms[run.first : run.last])
    else:
        low = words[-1].end_ms if words else segment.start_ms
        high = atoms[run.first].start_ms if run.first < len(atoms) else segment.end_ms
    low = min(max(low, segment.start_ms), segment.end_ms)
    return low, min(max(high, low), segment.end_ms)


def _spread(found: list[_Token], text: str, low: int, high: int, speaker: str | None) -> Iterator[Word]:
    length = sum(token.end - token.begin for token in found)
    done = 0
    for token in found:
        start = low + (high - low) * done // length
        done += token.end - token.begin
        end = low + (high - low) * done // length
        yield Word(text[token.begin : token.end], start, end, None, speaker, estimated=True)


def _speaker(segment: Segment, atoms: list[_Atom], run: _Run) -> str | None:
    """Who says the new words: whoever said the word beside them."""
    return segment.words[atoms[min(run.first, len(atoms) - 1)].word].speaker


def _owner(run: _Run, place: int, owners: list[int]) -> int:
    """Which segment a new token belongs to."""
    if run.same:
        return owners[run.first + place]
    if run.first < run.last:
        share = place * (run.last - run.first) // (run.high - run.low)
        return owners[run.first + share]
    return owners[max(run.first - 1, 0)] if owners else 0


def _slice(text: str, bound: tuple[int, int] | None) -> str:
    return text[bound[0] : bound[1]] if bound else ""


def _words_before(segment: Segment, at: int) -> int:
    """How many words stand before this character."""
    place = count = 0
    for word in segment.words:
        found = segment.text.find(word.text, place)
        place = (found if found >= 0 else place) + len(word.text)
        if place > at:
            break
        count += 1
    return count
