"""Arithmetic on words: their common bounds and voice, times where an engine gave none, plain spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from memweb.speech.transcript import Word


def bounds(words: Sequence[Word]) -> tuple[int, int] | None:
    """Start and end in ms of a run of words; None for no words."""
    if not words:
        return None
    return min(word.start_ms for word in words), max(word.end_ms for word in words)


def main_speaker(words: Sequence[Word]) -> str | None:
    """The voice that said most of these words; on a draw, the one heard first."""
    counted = Counter(word.speaker for word in words if word.speaker)
    return counted.most_common(1)[0][0] if counted else None


def spread(text: str, start_ms: int, end_ms: int) -> tuple[Word, ...]:
    """Words of a text with times estimated from their lengths."""
    pieces = text.split()
    total = sum(len(piece) for piece in pieces)
    words = []
    passed = 0
    for piece in pieces:
        begin = start_ms + (end_ms - start_ms) * passed // total
        passed += len(piece)
        end = start_ms + (end_ms - start_ms) * passed // total
        words.append(Word(text=piece, start_ms=begin, end_ms=end, estimated=True))
    return tuple(words)


def respelled(words: Sequence[Word], text: str) -> tuple[Word, ...]:
    """The same words in another spelling; none where the number of words differs, for then no word has its time."""
    pieces = text.split()
    if len(pieces) != len(words):
        return ()
    return tuple(replace(word, text=piece) for word, piece in zip(words, pieces, strict=True))


def plain(text: str) -> str:
    """A text as a recogniser hears it: lower case, no punctuation but what is inside a word."""
    bare = (piece.strip(_MARKS) for piece in text.lower().split())
    return " ".join(piece for piece in bare if piece)


_MARKS = ".,;:!?…\"'“”‘’«»()[]{}¿¡—–-、。！？"
