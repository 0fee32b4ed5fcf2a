"""Values of a finished result, read with more patience than a live frame: numbers may come as strings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from memweb.speech import text
from memweb.speech.dialects import wire
from memweb.speech.dialects.batch.result import Extra

LONGEST_TEXT = 20_000
HIGHEST_CHANNEL = 2**15 - 1

Frame = Mapping[str, Any]


def number(value: object) -> float | None:
    """A finite number, also one written as a string; None for everything else."""
    if isinstance(value, str):
        try:
            value = float(value.strip()[:40])
        except ValueError:
            return None
    return wire.number(value)


def milliseconds(value: object, per_unit: int) -> int | None:
    """A time in whole milliseconds; before the start counts as the start, and what cannot be is None."""
    return wire.milliseconds(number(value), per_unit)


def share(value: object) -> float | None:
    return wire.share(number(value))


def channel(value: object, first: int = 0) -> int | None:
    """A channel counted from 0, from a provider that counts from `first`."""
    told = number(value)
    if told is None or not told.is_integer() or not first <= told <= HIGHEST_CHANNEL:
        return None
    return int(told) - first


def words_of(value: object) -> str:
    """A string on one line; "" for other things."""
    return text.line(wire.text(value))


def label(value: object) -> str | None:
    """A speaker's label, also one that is a number."""
    return words_of(str(value) if wire.ordinal(value) is not None else value) or None


def span(frame: Frame, per_unit: int) -> tuple[tuple[int, int], ...]:
    """Where in the recording something is, from its `start` and `end`; nothing where it does not say."""
    start = milliseconds(frame.get("start"), per_unit)
    if start is None:
        return ()
    return ((start, max(start, milliseconds(frame.get("end"), per_unit) or 0)),)


def facts(frame: Frame, known: frozenset[str]) -> Iterator[Extra]:
    """Everything a result says under a name that no reader knows, so that nothing is dropped in silence."""
    for name, value in frame.items():
        if name not in known and value not in (None, False, "", [], {}):
            yield Extra("fact", _shown(value), words_of(name)[:100])


def _shown(value: object) -> str:
    if isinstance(value, str):
        return text.clean(wire.text(value))[:LONGEST_TEXT]
    try:
        written = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # a number of too many digits, a list too deep
        return "a value too large to show"
    return text.clean(written)[:LONGEST_TEXT]
