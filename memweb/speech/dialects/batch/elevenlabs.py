"""ElevenLabs' transcript of a file: one list of words, spaces and sounds; several of them for several channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memweb.speech.dialects import wire
from memweb.speech.dialects.batch import building, reading
from memweb.speech.dialects.batch.building import Token
from memweb.speech.dialects.batch.result import BatchResult, Extra
from memweb.speech.dialects.languages import base_language
from memweb.speech.transcript import Segment, Word

Frame = dict[str, Any]

_KNOWN = frozenset({"text", "words", "entities", "additional_formats", "audio_duration_secs", "transcripts", "message"})
_CHANNEL = frozenset({"channel_index", "transcription_id", "language_code"})


def read(payload: object) -> BatchResult:
    frame = payload if isinstance(payload, dict) else {}
    duration = reading.milliseconds(frame.get("audio_duration_secs"), 1000)
    channels = wire.objects(frame.get("transcripts"))
    made: list[Segment] = []
    extras: list[Extra] = []
    for number, part in enumerate(channels or [frame]):
        made += _segments(part, f"c{number}-" if channels else "", duration)
        extras += _extras(part, _KNOWN | _CHANNEL if channels else _KNOWN)
    if channels:
        extras += reading.facts(frame, _KNOWN)
    pending = not channels and "request_id" in frame and "text" not in frame
    language = base_language(frame.get("language_code")) or next((s.language for s in made if s.language), None)
    return BatchResult(
        building.transcript(made, language=language, duration_ms=duration), tuple(extras), pending=pending
    )


def _segments(frame: Frame, prefix: str, duration_ms: int | None) -> list[Segment]:
    language = base_language(frame.get("language_code"))
    tokens = list(_tokens(frame))
    if tokens:
        channel = reading.channel(frame.get("channel_index"))
        return list(building.segments(tokens, prefix=prefix, channel=channel, language=language))
    duration = reading.milliseconds(frame.get("audio_duration_secs"), 1000) or duration_ms
    return building.sentences(wire.text(frame.get("text")), duration_ms=duration, language=language, prefix=prefix)


def _tokens(frame: Frame) -> Iterator[Token]:
    """Words and sounds with what stands before them. A missing start is the end of the word before."""
    items = wire.objects(frame.get("words"))
    spaced = any(item.get("type") == "spacing" for item in items)
    before, reached = "", 0
    for item in items:
        said = wire.text(item.get("text"))
        if item.get("type") == "spacing" or not said.strip():
            before += said
            continue
        word = _word(item, said.strip(), reached)
        reached = word.end_ms
        yield Token(word, before if spaced else None)
        before = ""


def _word(item: Frame, said: str, reached: int) -> Word:
    start, end = (reading.milliseconds(item.get(name), 1000) for name in ("start", "end"))
    begin = reached if start is None else start
    return Word(
        said,
        begin,
        max(begin, end or 0),
        confidence=wire.likelihood(reading.number(item.get("logprob"))),
        speaker=reading.label(item.get("speaker_id")),
        kind="audio_event" if item.get("type") == "audio_event" else "word",
        estimated=start is None or end is None,
    )


def _extras(frame: Frame, known: frozenset[str]) -> Iterator[Extra]:
    for item in wire.objects(frame.get("entities")):
        yield Extra(
            "entity",
            reading.words_of(item.get("text")),
            reading.words_of(item.get("entity_type")),
            spans=_at(frame, item),
        )
    for item in wire.objects(frame.get("additional_formats")):
        named = reading.words_of(item.get("requested_format")) or reading.words_of(item.get("file_extension"))
        yield Extra("format", wire.text(item.get("content"))[: reading.LONGEST_TEXT], named)
    said, words = wire.text(frame.get("text")), wire.objects(frame.get("words"))
    spoken = "".join(wire.text(item.get("text")) for item in words)
    if words and said.strip() and not _same(said, spoken):
        yield Extra("fact", said[: reading.LONGEST_TEXT], "text")
    message = reading.words_of(frame.get("message"))
    if message:
        yield Extra("fact", message, "message")
    yield from reading.facts(frame, known)


def _same(one: str, other: str) -> bool:
    """Whether both say the same; how they are spaced does not count."""
    return "".join(one.split()) == "".join(other.split())


def _at(frame: Frame, entity: Frame) -> tuple[tuple[int, int], ...]:
    """When an entity was said: it is placed by characters of the text, which is its words in a row."""
    first, last = (reading.number(entity.get(name)) for name in ("start_char", "end_char"))
    if first is None or last is None:
        return ()
    at = 0
    found: list[tuple[int, int]] = []
    for item in wire.objects(frame.get("words")):
        begin, at = at, at + len(wire.text(item.get("text")))
        if begin < last and at > first and item.get("type") != "spacing":
            found += reading.span(item, 1000)
    return ((found[0][0], max(end for _, end in found)),) if found else ()
