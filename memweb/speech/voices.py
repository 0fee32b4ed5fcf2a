"""Who speaks when, laid over what was said."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from memweb.speech.transcript import Segment

LONGEST_MS = 30_000
"""No turn is longer: who tells of them cuts before."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One voice without a break."""

    start_ms: int
    end_ms: int
    voice: str


def loudest(turns: Sequence[Turn], most: int | None) -> tuple[Turn, ...]:
    """The turns of the `most` voices that were heard longest, so that what the others said falls to these."""
    heard: Counter[str] = Counter()
    for turn in turns:
        heard[turn.voice] += turn.end_ms - turn.start_ms
    kept = {voice for voice, _ in heard.most_common(most)}
    return tuple(turn for turn in turns if turn.voice in kept)


def voiced(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """The segments, with the voice of each word and the main one of each segment. No turns, no voices."""
    if not turns:
        return tuple(segments)
    ordered = sorted(turns, key=lambda turn: turn.start_ms)
    starts = [turn.start_ms for turn in ordered]
    return tuple(_voiced(segment, ordered, starts) for segment in segments)


def _voiced(segment: Segment, turns: list[Turn], starts: list[int]) -> Segment:
    words = tuple(replace(word, speaker=_voice(word.start_ms, word.end_ms, turns, starts)) for word in segment.words)
    counted = Counter(word.speaker for word in words)
    main = counted.most_common(1)[0][0] if words else _voice(segment.start_ms, segment.end_ms, turns, starts)
    return replace(segment, words=words, speaker=main)


def _voice(start_ms: int, end_ms: int, turns: list[Turn], starts: list[int]) -> str:
    """Whose turn covers most of this time; where none does, whose is nearest."""
    first = max(0, bisect_left(starts, start_ms - LONGEST_MS) - 1)
    last = bisect_left(starts, end_ms) + 1
    best = max(turns[first:last], key=lambda turn: min(end_ms, turn.end_ms) - max(start_ms, turn.start_ms))
    return best.voice
