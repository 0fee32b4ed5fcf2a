"""Segments on the one time line of a recording, whichever connection they came over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from memweb.speech.transcript import Segment, Word


def moved(told: Segment, *, key: str, by_ms: int) -> Segment:
    """A segment of a connection that began `by_ms` into the recording."""
    words = moved_words(told.words, by_ms=by_ms)
    return replace(told, key=key, start_ms=told.start_ms + by_ms, end_ms=told.end_ms + by_ms, words=words)


def moved_words(words: Iterable[Word], *, by_ms: int) -> tuple[Word, ...]:
    return tuple(replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms) for word in words)


def placed(told: Segment, *, key: str, after_ms: int, heard_ms: int) -> Segment:
    """A segment that came without times: it lies between the last one and where its interim words were heard."""
    return replace(told, key=key, start_ms=after_ms, end_ms=max(heard_ms, after_ms))


def from_on(segment: Segment, begin_ms: int) -> Segment | None:
    """What of a segment lies after `begin_ms`: what lies before was committed by an earlier connection."""
    if segment.start_ms >= begin_ms:
        return segment
    words = tuple(word for word in segment.words if word.start_ms + word.end_ms >= 2 * begin_ms)
    if not words:
        return replace(segment, start_ms=begin_ms) if segment.end_ms > begin_ms and not segment.words else None
    if len(words) == len(segment.words):
        return replace(segment, start_ms=begin_ms)
    return replace(segment, start_ms=words[0].start_ms, words=words, text=" ".join(word.text for word in words))
