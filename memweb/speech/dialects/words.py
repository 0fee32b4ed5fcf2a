"""Words: read from a provider's list, their common bounds and voice, times where there are none, plain spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from memweb.speech.dialects import wire
from memweb.speech.transcript import Word


def listed_words(
    frame: Mapping[str, Any], *, unit_ms: int, detail: Callable[[Mapping[str, Any]], tuple[float | None, str | None]]
) -> tuple[Word, ...]:
    """The words and sounds of a frame's `words`, whose times are in units of `unit_ms`.

    `detail` reads confidence and speaker of one item. A missing time is the end of the word before, and an estimate.
    With the frame's key "timing": "estimated" all times are, and the confidences mean nothing.
    """
    words: list[Word] = []
    estimated = frame.get("timing") == "estimated"
    for item in wire.objects(frame.get("words")):
        text = wire.text(item.get("text")).strip()
        if not text or item.get("type") == "spacing":
            continue
        start, end = wire.milliseconds(item.get("start"), unit_ms), wire.milliseconds(item.get("end"), unit_ms)
        begin = start if start is not None else words[-1].end_ms if words else 0
        confidence, speaker = detail(item)
        words.append(
            Word(
                text=text,
                start_ms=begin,
                end_ms=max(begin, end or 0),
                confidence=None if estimated else confidence,
                speaker=speaker,
                kind="audio_event" if item.get("type") == "audio_event" else "word",
                estimated=estimated or start is None or end is None,
            )
        )
    return tuple(words)


def bounds(words: Sequence[Word]) -> tuple[int, int] | None:
    """Start and end in ms of a run of words; None for no words."""
    if not words:
        return None
    return min([word.start_ms for word in words]), max([word.end_ms for word in words])


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
    bare = (piece.strip(MARKS) for piece in text.lower().split())
    return " ".join(piece for piece in bare if piece)


MARKS = ".,;:!?…\"'“”‘’«»()[]{}¿¡—–-、。！？"
