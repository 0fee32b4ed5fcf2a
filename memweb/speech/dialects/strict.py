"""JSON of a request, read strictly: what is taken here can be written again as JSON, and kept by every database."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 100
"""Levels of lists and objects. SQLite takes a thousand; nobody means as many."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unread(ValueError):
    """`str()` says what is wrong, as it goes on after "the body"."""


def read(text: str | bytes) -> Any:
    """Raises Unread for what is no JSON (NaN and numbers without an end too), nested too deep, or has a character that
    no text may have: NUL, or half of a pair."""
    try:
        content = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Unread("is not JSON") from None
    level = [content]
    for _ in range(DEEPEST):
        if not level:
            return content
        level = [inner for value in level for inner in _inside(value)]
    raise Unread("is nested too deep")


def read_object(text: str | bytes) -> dict[str, Any]:
    """Raises Unread."""
    content = read(text)
    if not isinstance(content, dict):
        raise Unread("is not a JSON object")
    return content


def is_storable(text: str) -> bool:
    """Whether every database takes it: PostgreSQL refuses NUL."""
    return _UNSTORABLE.search(text) is None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, str) and not is_storable(value):
        raise Unread("has a character that no text may have")
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
