"""Between rows and lines of JSON. A line is [kind, {field: value}]; what is read is checked as a stranger's."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, NoReturn

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_datetime

from memweb.speech.text import REPLACEMENT
from transcripts.archive.kinds import Kind
from transcripts.errors import Refused
from transcripts.values import word_value

LONGEST = 128 * 2**20
"""Bytes of a line: a provider's whole answer about a day of speech is a quarter of it."""
NEWER = "It holds more than this memweb knows. Update this one, then bring the archive in again."

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Links = Mapping[str, Mapping[Any, Any]]


class Line(NamedTuple):
    kind: str
    fields: dict[str, Any]


class Wrong(Refused):
    """A line is not as an archive has it. `str()` says what it is."""


def written(line: Line) -> bytes:
    """The line as it lies in the file. The same row gives the same bytes in every database."""
    text = json.dumps([line.kind, line.fields], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if _UNSTORABLE.search(text):  # lone surrogates have no UTF-8
        text = json.dumps([line.kind, line.fields], sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"


def read(data: bytes) -> Line:
    """Raises Wrong."""
    try:
        kind, fields = json.loads(data, parse_constant=_no_number)
    except (ValueError, TypeError, RecursionError) as error:
        raise Wrong("a line cannot be read") from error
    if not (isinstance(kind, str) and isinstance(fields, dict)):
        raise Wrong("a line is of no kind")
    return Line(kind, fields)


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def fields_of(kind: Kind, row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """What a line says of a row, given by column as `columns` names them."""
    said: dict[str, Any] = {}
    for name in kind.carried:
        if name in kind.links:
            said[name] = links[kind.links[name]].get(row[f"{name}_id"])
        else:
            said[name] = _said(row[name])
    return said


def columns(kind: Kind) -> list[str]:
    return [f"{name}_id" if name in kind.links else name for name in kind.carried]


def _said(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return _text_or_base64(bytes(value))
    return value


def _text_or_base64(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def row_of(kind: Kind, fields: Mapping[str, Any], links: Links) -> Any:
    """A row that is not kept yet, of what a line says. Raises Wrong."""
    if not fields.keys() <= set(kind.carried):
        raise Wrong(NEWER)
    row: Any = kind.model()
    for name in kind.carried:
        field: Any = kind.model._meta.get_field(name)
        if name in kind.links:
            setattr(row, f"{name}_id", _linked(kind, name, fields.get(name), links))
        elif name in fields:
            setattr(row, name, _read(kind, field, fields[name]))
        elif not (field.has_default() or field.blank or field.null):
            raise Wrong(f"a {kind.name} has no {name}")
    _check(kind, row)
    return row


def _linked(kind: Kind, name: str, given: Any, links: Links) -> Any:
    if given is None:
        return None
    found = links[kind.links[name]]
    if not isinstance(given, str | int) or given not in found:
        raise Wrong(f"a {kind.name} points to a {name} that is not there")
    return found[given]


def _read(kind: Kind, field: models.Field[Any, Any], given: Any) -> Any:
    if given is None and field.null:
        return None
    try:
        value = _reader_of(field)(given)
        field.run_validators(value)
    except (ValueError, TypeError, ValidationError, binascii.Error, OverflowError) as error:
        raise Wrong(f"the {field.name} of a {kind.name} cannot be kept") from error
    if field.choices and value not in {choice for choice, _ in field.flatchoices}:
        raise Wrong(f"the {field.name} of a {kind.name} is unknown here")
    return value


def _reader_of(field: models.Field[Any, Any]) -> Callable[[Any], Any]:
    if isinstance(field, models.BinaryField):
        return _bytes
    if isinstance(field, models.DateTimeField):
        return _moment
    if isinstance(field, models.JSONField):
        return storable
    if isinstance(field, models.BooleanField):
        return lambda given: _of_type(given, bool)
    if isinstance(field, models.IntegerField):
        return _whole
    return lambda given: storable(_of_type(given, str))


def _of_type(given: Any, kind: type) -> Any:
    if not isinstance(given, kind):
        raise TypeError
    return given


def _whole(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError
    return given


def _moment(given: Any) -> datetime:
    moment = parse_datetime(_of_type(given, str))
    if moment is None or moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _bytes(given: Any) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if not isinstance(given, dict) or given.keys() != {"base64"}:
        raise TypeError
    return base64.b64decode(_of_type(given["base64"], str), validate=True)


def storable(value: Any) -> Any:
    """What no database can hold (NUL, lone surrogates) as U+FFFD; everything else as it is."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value) if _UNSTORABLE.search(value) else value
    if isinstance(value, list):
        return [storable(one) for one in value]
    if isinstance(value, dict):
        return {storable(key): storable(one) for key, one in value.items()}
    return value


def _check(kind: Kind, row: Any) -> None:
    """JSON that the pages read must have the shape they expect."""
    try:
        if kind.name == "segment":
            _each_is_a_word(row.words)
        elif kind.name == "version":
            for start, end, before, after in _of_type(row.unplaced, list):
                _whole(start), _whole(end), _of_type(before, str), _of_type(after, str)
        elif kind.name == "edit":
            _check_side(row.before)
            _check_side(row.after)
        elif kind.name in ("job", "upload"):
            _of_type(row.options, dict)
        elif kind.name == "callback":
            _of_type(row.headers, dict)
        elif kind.name == "preferences":
            _of_type(row.file_options, dict), _of_type(row.export_options, dict)
    except (ValueError, TypeError, AttributeError) as error:
        raise Wrong(f"a {kind.name} is not of the shape it should have") from error


def _each_is_a_word(rows: Any) -> None:
    for row in _of_type(rows, list):
        word = word_value(_of_type(row, list))
        _of_type(word.text, str), _whole(word.start_ms), _whole(word.end_ms)
        if word.confidence is not None:
            float(_number(word.confidence))
        if word.speaker is not None:
            _of_type(word.speaker, str)


def _number(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError
    return given


def _check_side(given: Any) -> None:
    for key, fields in _of_type(_of_type(given, dict).get("segments", {}), dict).items():
        _of_type(key, str)
        if fields is not None:
            _each_is_a_word(_of_type(fields, dict).get("words", []))
            _of_type(fields.get("text", ""), str)


def compared(kind: Kind, line: Line) -> bytes:
    """The line without what two records are not told apart by, as any database could hold it.

    What a field says when nobody says anything is left out: an archive may be older than that field.
    """
    usual = _usual(kind)
    told = {
        name: said
        for name, said in line.fields.items()
        if name not in kind.aside and (name not in usual or said != usual[name])
    }
    return written(Line(line.kind, storable(told)))


@cache
def _usual(kind: Kind) -> dict[str, Any]:
    fields: dict[str, Any] = {field.name: field for field in kind.model._meta.concrete_fields}
    return {name: None if name in kind.links else _said(fields[name].get_default()) for name in kind.carried}
