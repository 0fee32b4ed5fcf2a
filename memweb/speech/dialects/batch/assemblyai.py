"""AssemblyAI's transcript of a file, in milliseconds, with everything its models say beside the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memweb.speech import text
from memweb.speech.dialects import wire
from memweb.speech.dialects.assemblyai.client import speaker_label
from memweb.speech.dialects.batch import building, reading
from memweb.speech.dialects.batch.building import Token
from memweb.speech.dialects.batch.result import BatchResult, Extra
from memweb.speech.dialects.languages import base_language
from memweb.speech.dialects.words import bounds
from memweb.speech.transcript import Segment, Word

Frame = dict[str, Any]

_KNOWN = frozenset(
    {"text", "words", "utterances", "audio_duration", "status", "error", "chapters", "summary", "entities"}
    | {"sentiment_analysis_results", "auto_highlights_result", "content_safety_labels", "iab_categories_result"}
)


def read(payload: object) -> BatchResult:
    frame = payload if isinstance(payload, dict) else {}
    language = base_language(frame.get("language_code"))
    duration = reading.milliseconds(frame.get("audio_duration"), 1000)
    status = reading.words_of(frame.get("status")).lower()
    made = _segments(frame, language, duration)
    failure = "" if made else reading.words_of(frame.get("error"))[:500]
    if status == "error" and not failure:
        failure = "The provider says only that it failed."
    known = _KNOWN if failure else _KNOWN - {"error"}
    extras = (*_extras(frame, made), *reading.facts(frame, known))
    pending = status in ("queued", "processing") and not made
    return BatchResult(
        building.transcript(made, language=language, duration_ms=duration), extras, failure=failure, pending=pending
    )


def _segments(frame: Frame, language: str | None, duration_ms: int | None) -> list[Segment]:
    """From utterances where there are any that hold the whole text, else from words, else from the text alone."""
    said = wire.text(frame.get("text"))
    by_turn = list(_turns(frame, language))
    if by_turn and (not said.strip() or building.same_words(said, _joined(by_turn))):
        return by_turn
    by_word = list(_of_words(frame, language))
    if by_word and (not by_turn or building.same_words(said, _joined(by_word))):
        return by_word
    return by_turn or building.sentences(said, duration_ms=duration_ms, language=language)


def _joined(made: list[Segment]) -> str:
    return " ".join(segment.text for segment in made)


def _turns(frame: Frame, language: str | None) -> Iterator[Segment]:
    """Utterances, each cut into sentences. One without a time of its own begins where the one before ended."""
    reached = 0
    for number, turn in enumerate(wire.objects(frame.get("utterances"))):
        speaker, channel = speaker_label(turn.get("speaker")), reading.channel(turn.get("channel"), first=1)
        words = building.with_speaker((word for word, _ in _words(turn)), speaker)
        said = reading.words_of(turn.get("text"))
        ((start, reached),) = reading.span(turn, 1) or (bounds(words) or (reached, reached),)
        if words and (not said or building.same_words(said, text.join(word.text for word in words))):
            tokens = (Token(word) for word in words)
            yield from building.segments(tokens, prefix=f"{number}-", channel=channel, language=language)
        elif said:
            yield Segment(f"{number}-0", start, reached, said, words, speaker, channel, language)


def _of_words(frame: Frame, language: str | None) -> Iterator[Segment]:
    """Segments of the words alone, each channel by itself."""
    channels: dict[int | None, list[Token]] = {}
    for word, channel in _words(frame):
        channels.setdefault(channel, []).append(Token(word))
    for channel, tokens in channels.items():
        prefix = "" if channel is None else f"c{channel}-"
        yield from building.segments(tokens, prefix=prefix, channel=channel, language=language)


def _words(frame: Frame) -> Iterator[tuple[Word, int | None]]:
    reached = 0
    for item in wire.objects(frame.get("words")):
        said = reading.words_of(item.get("text"))
        if not said:
            continue
        start, end = (reading.milliseconds(item.get(name), 1) for name in ("start", "end"))
        begin = reached if start is None else start
        reached = max(begin, end or 0)
        sure, voice = reading.share(item.get("confidence")), speaker_label(item.get("speaker"))
        estimated = start is None or end is None
        yield Word(said, begin, reached, sure, voice, estimated=estimated), reading.channel(item.get("channel"), 1)


def _extras(frame: Frame, made: list[Segment]) -> Iterator[Extra]:
    said = wire.text(frame.get("text"))
    if said.strip() and not building.same_words(said, _joined(made)):
        yield Extra("fact", said[: reading.LONGEST_TEXT], "text")
    summary = text.clean(wire.text(frame.get("summary"))).strip()
    if summary:
        yield Extra("summary", summary)
    for chapter in wire.objects(frame.get("chapters")):
        headline, gist, whole = (reading.words_of(chapter.get(name)) for name in ("headline", "gist", "summary"))
        yield Extra("chapter", headline, gist, whole, spans=reading.span(chapter, 1))
    for entity in wire.objects(frame.get("entities")):
        named = reading.words_of(entity.get("entity_type"))
        yield Extra("entity", reading.words_of(entity.get("text")), named, spans=reading.span(entity, 1))
    yield from _sentiments(frame)
    yield from _highlights(_inner(frame, "auto_highlights_result"))
    yield from _safety(_inner(frame, "content_safety_labels"))
    yield from _topics(_inner(frame, "iab_categories_result"))


def _inner(frame: Frame, name: str) -> Frame:
    inner = frame.get(name)
    return inner if isinstance(inner, dict) else {}


def _sentiments(frame: Frame) -> Iterator[Extra]:
    for item in wire.objects(frame.get("sentiment_analysis_results")):
        yield Extra(
            "sentiment",
            reading.words_of(item.get("text")),
            reading.words_of(item.get("sentiment")).lower(),
            speaker_label(item.get("speaker")) or "",
            spans=reading.span(item, 1),
            score=reading.share(item.get("confidence")),
        )


def _highlights(result: Frame) -> Iterator[Extra]:
    for item in wire.objects(result.get("results")):
        count = reading.number(item.get("count"))
        spans = tuple(span for place in wire.objects(item.get("timestamps")) for span in reading.span(place, 1))
        yield Extra(
            "highlight",
            reading.words_of(item.get("text")),
            detail="" if count is None else f"{count:g}",
            spans=spans,
            score=reading.share(item.get("rank")),
        )


def _safety(result: Frame) -> Iterator[Extra]:
    for item in wire.objects(result.get("results")):
        said, spans = reading.words_of(item.get("text")), reading.span(_inner(item, "timestamp"), 1)
        for label in wire.objects(item.get("labels")):
            severity = reading.share(label.get("severity"))
            yield Extra(
                "safety",
                said,
                reading.words_of(label.get("label")),
                "" if severity is None else f"severity {severity:.2f}",
                spans,
                reading.share(label.get("confidence")),
            )
    scores = _inner(result, "severity_score_summary")
    for name, confidence in _inner(result, "summary").items():
        levels = ((level, reading.share(value)) for level, value in _inner(scores, name).items())
        detail = ", ".join(f"{reading.words_of(level)} {value:.2f}" for level, value in levels if value is not None)
        yield Extra("safety", "", reading.words_of(name), detail, score=reading.share(confidence))


def _topics(result: Frame) -> Iterator[Extra]:
    for item in wire.objects(result.get("results")):
        said, spans = reading.words_of(item.get("text")), reading.span(_inner(item, "timestamp"), 1)
        for label in wire.objects(item.get("labels")):
            named = reading.words_of(label.get("label"))
            yield Extra("topic", said, named, spans=spans, score=reading.share(label.get("relevance")))
    for name, relevance in _inner(result, "summary").items():
        yield Extra("topic", "", reading.words_of(name), score=reading.share(relevance))
