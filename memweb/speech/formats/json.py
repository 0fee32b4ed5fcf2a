"""memweb's own JSON: everything a transcript holds, to be read back exactly.

Version 1, an object:

    format       "memweb-transcript"
    version      1; a reader refuses higher ones. New keys may come without a new version and are ignored.
    title        text, perhaps empty (not part of a transcript: a reader leaves it)
    speakers     {label: name a person gave it} (likewise)
    language     ISO 639-1 or null
    duration_ms  integer or null
    chapters     in order of time, each {at_ms, title}: where it begins; the title may be empty
    marks        in order of time, each {at_ms, note}: a moment that was marked; the note may be empty
    segments     in order of start, each
      key        text of at most 64 characters, unique in the file
      start_ms, end_ms   integers, 0 <= start <= end
      text       as shown, edits included
      speaker    label or null
      channel    integer below 32768 or null
      language   ISO 639-1 or null
      opens      whether a paragraph begins here, where a person said so, else null
      words      each {text, start_ms, end_ms, confidence (0 to 1, or null), speaker, kind ("word", "audio_event"),
                 estimated (true where times were derived, not heard)}

Text holds no NUL and no lone surrogate. Characters that turn their neighbours around are written as escapes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Literal

from memweb.speech import text
from memweb.speech.formats.errors import Unreadable
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.transcript import Mark, Segment, Transcript, Word

FORMAT = "memweb-transcript"
VERSION = 1
_MOST_MS = 10**12  # thirty years: anything longer is no recording
_LONGEST_KEY = 64
_CHANNELS = 2**15  # what a database's smallest number holds
_ESCAPED = re.compile("[\u2028-\u202e\u2066-\u2069\ufeff]")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    """Names and title go in from the options; choices about what is to be in it do not apply: this is everything."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "title": text.clean(options.title),
        "speakers": {text.clean(label): text.clean(name) for label, name in sorted(options.names.items())},
        "language": _cleaned(transcript.language),
        "duration_ms": transcript.duration_ms,
        "chapters": [_mark_row(mark, "title") for mark in transcript.marks if mark.is_chapter],
        "marks": [_mark_row(mark, "note") for mark in transcript.marks if not mark.is_chapter],
        "segments": [_segment_row(segment) for segment in transcript.segments],
    }
    written = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", written).encode() + b"\n"


def _mark_row(mark: Mark, said: str) -> dict[str, Any]:
    return {"at_ms": mark.at_ms, said: text.clean(mark.text)}


def _segment_row(segment: Segment) -> dict[str, Any]:
    return {
        "key": text.clean(segment.key),
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "text": text.clean(segment.text),
        "speaker": _cleaned(segment.speaker),
        "channel": segment.channel,
        "language": _cleaned(segment.language),
        "opens": segment.opens,
        "words": [_word_row(word) for word in segment.words],
    }


def _word_row(word: Word) -> dict[str, Any]:
    sure = word.confidence
    return {
        "text": text.clean(word.text),
        "start_ms": word.start_ms,
        "end_ms": word.end_ms,
        "confidence": sure if sure is not None and math.isfinite(sure) else None,
        "speaker": _cleaned(word.speaker),
        "kind": word.kind,
        "estimated": word.estimated,
    }


def _cleaned(said: str | None) -> str | None:
    return None if said is None else text.clean(said)


def read(data: bytes) -> Transcript:
    """Raises Unreadable, with the place of the fault, for anything the format does not allow."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("This is not a JSON file.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Unreadable("This JSON file is not a memweb transcript.")
    version = content.get("version")
    if version != VERSION:
        raise Unreadable(f"This file has version {version!r:.20} of the format; this memweb reads version {VERSION}.")
    segments = [_segment(_Row(row, f"Segment {n}")) for n, row in enumerate(_rows(content.get("segments"), "file"), 1)]
    if len({segment.key for segment in segments}) < len(segments):
        raise Unreadable("Two segments of the file have the same key.")
    whole = _Row(content, "The file")
    ordered = sorted(segments, key=lambda segment: segment.start_ms)
    marks = [*_marks(content, "chapters", "title"), *_marks(content, "marks", "note")]
    return Transcript(
        tuple(ordered),
        whole.text("language", None),
        whole.number("duration_ms", None),
        tuple(sorted(marks, key=lambda mark: (mark.at_ms, not mark.is_chapter))),
    )


def _marks(content: dict[str, Any], kind: Literal["chapters", "marks"], said: str) -> list[Mark]:
    """None in a file of an older memweb."""
    rows = [_Row(row, f"{kind[:-1].title()} {n}") for n, row in enumerate(_rows(content.get(kind, []), "file"), 1)]
    return [Mark(row.number("at_ms"), row.text(said, ""), kind == "chapters") for row in rows]


def _rows(found: object, place: str) -> list[object]:
    if not isinstance(found, list):
        raise Unreadable(f"A list is missing in the {place}.")
    return found


class _Row:
    """One object of the file: values by key and kind, or a sentence that says where it is wrong."""

    def __init__(self, row: object, place: str) -> None:
        if not isinstance(row, dict):
            raise Unreadable(f"{place} is not an object.")
        self.row = row
        self.place = place

    def _get(self, key: str, kind: str, allows: Callable[[Any], bool], *default: Any) -> Any:
        value = self.row.get(key)
        if default and value is None:
            return default[0]
        if not allows(value):
            raise Unreadable(f"{self.place}: {key} is not {kind}.")
        return value

    def text(self, key: str, *default: str | None) -> Any:
        value = self._get(key, "text", lambda value: isinstance(value, str), *default)
        return _cleaned(value)

    def number(self, key: str, *default: int | None) -> Any:
        return self._get(key, "a whole number from 0 on", _is_count, *default)

    def key(self) -> str:
        told: str = self.text("key")
        if len(told) > _LONGEST_KEY:
            raise Unreadable(f"{self.place}: key has more than {_LONGEST_KEY} characters.")
        return told

    def channel(self) -> int | None:
        told: int | None = self.number("channel", None)
        if told is not None and told >= _CHANNELS:
            raise Unreadable(f"{self.place}: channel is not below {_CHANNELS}.")
        return told

    def times(self) -> tuple[int, int]:
        start, end = self.number("start_ms"), self.number("end_ms")
        if end < start:
            raise Unreadable(f"{self.place} ends before it starts.")
        return start, end

    def confidence(self) -> float | None:
        sure = self._get("confidence", "between 0 and 1", _is_fraction, None)
        return None if sure is None else float(sure)

    def flag(self, key: str) -> bool | None:
        told: bool | None = self._get(key, "true or false", lambda value: isinstance(value, bool), None)
        return told

    def kind(self) -> Literal["word", "audio_event"]:
        return "audio_event" if self.text("kind", "word") == "audio_event" else "word"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_MS


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _segment(row: _Row) -> Segment:
    words = _rows(row.row.get("words", []), f"words of {row.place.lower()}")
    return Segment(
        row.key(),
        *row.times(),
        row.text("text"),
        tuple(_word(_Row(word, f"{row.place}, word {n}")) for n, word in enumerate(words, 1)),
        row.text("speaker", None),
        row.channel(),
        row.text("language", None),
        row.flag("opens"),
    )


def _word(row: _Row) -> Word:
    estimated = row.flag("estimated") is True
    return Word(row.text("text"), *row.times(), row.confidence(), row.text("speaker", None), row.kind(), estimated)
