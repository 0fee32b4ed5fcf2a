"""The gateway's own results: rows of Whisper's text, rows of who spoke when. Times in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memweb.speech.dialects import wire
from memweb.speech.dialects.batch import building, reading
from memweb.speech.dialects.batch.result import BatchResult
from memweb.speech.dialects.languages import base_language
from memweb.speech.transcript import Segment, Word

_KNOWN = frozenset({"items", "rows", "data", "language", "usage_metadata", "duration"})


def read_text(payload: object) -> BatchResult:
    """Whisper's items, with or without speakers, and with words where the gateway built in told them.

    A row without text says nothing.
    """
    return _read(payload, silent=False)


def read_speakers(payload: object) -> BatchResult:
    """Who spoke when: segments that have a speaker and no text."""
    return _read(payload, silent=True)


def _read(payload: object, *, silent: bool) -> BatchResult:
    frame = payload if isinstance(payload, dict) else {}
    rows = (
        payload
        if isinstance(payload, list)
        else next((frame[name] for name in ("items", "rows", "data") if isinstance(frame.get(name), list)), [])
    )
    told = frame.get("usage_metadata")
    usage: dict[str, Any] = told if isinstance(told, dict) else {}
    language = base_language(frame.get("language")) or base_language(usage.get("language"))
    duration = reading.milliseconds(usage.get("duration", frame.get("duration")), 1000)
    made = _segments(wire.objects(rows), language, silent=silent)
    extras = [*reading.facts(frame, _KNOWN), *reading.facts(usage, frozenset({"duration"} | set(frame)))]
    return BatchResult(building.transcript(made, language=language, duration_ms=duration), tuple(extras))


def _segments(rows: list[dict[str, Any]], language: str | None, *, silent: bool) -> Iterator[Segment]:
    """Keys are the rows' own numbers. A missing start is the end of the row before."""
    before = 0
    for number, row in enumerate(rows):
        said = reading.words_of(row.get("text"))
        speaker = reading.label(row.get("speaker"))
        start = _time(row, "start_time", "start")
        start = before if start is None else start
        end = max(start, _time(row, "end_time", "end") or 0)
        before = end
        if said or (silent and speaker):
            words = tuple(_words(row, start)) if said else ()
            yield Segment(str(number), start, end, text=said, words=words, speaker=speaker, language=language)


def _words(row: dict[str, Any], start: int) -> Iterator[Word]:
    """A missing time is the end of the word before, and an estimate."""
    reached = start
    for item in wire.objects(row.get("words")):
        said = reading.words_of(item.get("text"))
        if not said:
            continue
        begin, end = _time(item, "start"), _time(item, "end")
        estimated = begin is None or end is None or item.get("estimated") is True
        begin = reached if begin is None else begin
        reached = max(begin, end or 0)
        yield Word(said, begin, reached, reading.share(item.get("confidence")), estimated=estimated)


def _time(row: dict[str, Any], *names: str) -> int | None:
    return next((ms for name in names if (ms := reading.milliseconds(row.get(name), 1000)) is not None), None)
