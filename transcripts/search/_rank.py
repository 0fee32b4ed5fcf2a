"""How well a passage answers. Pure, and the same for both databases."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from transcripts.search._engine import Hit
from transcripts.search._query import Term

_SATURATION = 1.2
_LENGTH = 0.75
_TYPICAL = 90
"""Characters of a usual passage."""
_SHORTEST = _SATURATION * (1 - _LENGTH)
_EACH = _SATURATION * _LENGTH / _TYPICAL


def best(hits: Sequence[Hit], wanted: Sequence[Term], *, count: int) -> list[Hit]:
    """The best first: more of the words, in a shorter passage; among equals the newest.

    By columns, not by rows: thousands are ranked while a person types.
    """
    said = [f" {hit.said} " for hit in hits]
    norms = [_SHORTEST + _EACH * len(text) for text in said]
    scores = [0.0] * len(hits)
    for term in wanted:
        sought = _text(term)
        found = [text.count(sought) for text in said]
        scores = [
            score + often / (often + norm) if often else score
            for score, often, norm in zip(scores, found, norms, strict=True)
        ]
    return [hit for _, hit in nlargest(count, zip(scores, hits, strict=True))]


def _text(term: Term) -> str:
    return f" {' '.join(term.parts)}" + ("" if term.begun else " ")
