"""Where in a text the words of a search are, and a piece of it short enough to show. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transcripts.search._query import Term
from transcripts.search._words import is_unspaced, spans

SNIPPET = 240
AHEAD = 40
"""Characters before a hit: few, so that it stands in the first line on a phone too."""


def highlight(text: str, wanted: Sequence[Term], *, size: int = SNIPPET) -> list[tuple[str, bool]]:
    """The text, cut around its first hit where it is longer than `size`, in pieces; True where one is a hit."""
    begin, end = 0, len(text)
    if not wanted:
        return [(text[:size] + ("…" if end > size else ""), False)] if text else []
    found = list(_found(text, wanted))
    if end > size:
        begin = _begin(text, found[0][0]) if found else 0
        end = min(end, begin + size)
    pieces = [("…", False)] if begin else []
    at = begin
    for start, stop in found:
        start, stop = max(start, at), min(stop, end)
        if start < stop:
            pieces += [(text[at:start], False), (text[start:stop], True)]
            at = stop
    pieces += [(text[at:end], False), ("…" if end < len(text) else "", False)]
    return [(piece, hit) for piece, hit in pieces if piece]


def _begin(text: str, hit: int) -> int:
    if hit <= AHEAD * 2:
        return 0
    return text.find(" ", hit - AHEAD, hit) + 1 or hit - AHEAD


def _found(text: str, wanted: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Where each hit begins and ends, joined where they overlap."""
    words = list(spans(text))
    last: tuple[int, int] | None = None
    for start, stop in sorted(_hits(words, wanted)):
        if last and start <= last[1]:
            last = last[0], max(stop, last[1])
            continue
        if last:
            yield last
        last = start, stop
    if last:
        yield last


def _hits(words: list[tuple[str, int, int]], wanted: Sequence[Term]) -> Iterator[tuple[int, int]]:
    for term in wanted:
        first, count = term.parts[0], len(term.parts)
        for i in range(len(words) - count + 1):
            if (words[i][0] == first or count == 1) and _stands(term, [word for word, _, _ in words[i : i + count]]):
                yield words[i][1], _stop(term, words[i + count - 1])


def _stands(term: Term, here: list[str]) -> bool:
    *before, last = term.parts
    return here[:-1] == before and (here[-1].startswith(last) if term.begun else here[-1] == last)


def _stop(term: Term, word: tuple[str, int, int]) -> int:
    """A word is marked whole; of a pair of letters, so many as were asked for."""
    _, start, stop = word
    return min(stop, start + len(term.parts[-1])) if is_unspaced(term.parts[-1]) else stop
