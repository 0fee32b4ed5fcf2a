"""OpenAI's transcript of a file: its JSON shapes, and the files (text, SRT, WebVTT) its server answers with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from memweb.speech.dialects import wire
from memweb.speech.dialects.batch import building, reading
from memweb.speech.dialects.batch.building import Token
from memweb.speech.dialects.batch.result import BatchResult, Extra
from memweb.speech.dialects.languages import base_language
from memweb.speech.formats import FormatError, srt, vtt
from memweb.speech.transcript import Segment, Transcript, Word

Frame = dict[str, Any]

_KNOWN = frozenset({"text", "segments", "words", "duration", "task"})
# The name of a language where a code should be: the answer's own habit.
_NAMES = {
    "arabic": "ar",
    "chinese": "zh",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "turkish": "tr",
    "ukrainian": "uk",
}


def read(payload: object) -> BatchResult:
    if isinstance(payload, str | bytes):
        return BatchResult(_file(payload))
    frame = payload if isinstance(payload, dict) else {}
    language = _language(frame.get("language"))
    duration = reading.milliseconds(frame.get("duration"), 1000)
    words = list(_words(frame))
    made = list(_segments(frame, words, language))
    said = wire.text(frame.get("text"))
    if not made and words:
        made = list(building.segments([Token(word) for word in words], language=language))
    if not made:
        made = building.sentences(said, duration_ms=duration, language=language)
    extras = list(reading.facts(frame, _KNOWN))
    spoken = "".join(segment.text for segment in made)
    if said.strip() and "".join(said.split()) != "".join(spoken.split()):
        extras.append(Extra("fact", said[: reading.LONGEST_TEXT], "text"))
    return BatchResult(building.transcript(made, language=language, duration_ms=duration), tuple(extras))


def _file(content: str | bytes) -> Transcript:
    said = content.decode("utf-8", "replace") if isinstance(content, bytes) else wire.text(content)
    for reader in (vtt.read, srt.read):
        try:
            found = reader(said.encode())
        except FormatError:
            continue
        if found.segments:
            return found
    return building.transcript(building.sentences(said, duration_ms=None), language=None, duration_ms=None)


def _language(told: object) -> str | None:
    named = reading.words_of(told).lower()
    return _NAMES.get(named) or base_language(named)


def _segments(frame: Frame, words: list[Word], language: str | None) -> Iterator[Segment]:
    """The answer's segments; each takes the words that begin before its end, and the last all that are left."""
    rows = wire.objects(frame.get("segments"))
    before, taken = 0, 0
    for number, row in enumerate(rows):
        said, speaker = reading.words_of(row.get("text")), reading.label(row.get("speaker"))
        ((start, end),) = reading.span(row, 1000) or ((before, before),)
        before, first = end, taken
        last = number == len(rows) - 1
        while taken < len(words) and (last or words[taken].start_ms < end):
            taken += 1
        own = tuple(replace(word, speaker=speaker) for word in words[first:taken])
        if said or own:
            spoken = said or " ".join(word.text for word in own)
            yield Segment(str(number), start, end, spoken, own, speaker, language=language)


def _words(frame: Frame) -> Iterator[Word]:
    reached = 0
    for item in wire.objects(frame.get("words")):
        said = reading.words_of(item.get("word")) or reading.words_of(item.get("text"))
        if not said:
            continue
        start, end = (reading.milliseconds(item.get(name), 1000) for name in ("start", "end"))
        begin = reached if start is None else start
        reached = max(begin, end or 0)
        yield Word(said, begin, reached, estimated=start is None or end is None)
