"""JSON of a request, read strictly: what is taken here can be written again as JSON, and kept by every database."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from memweb.speech.dialects.wire import shortened

DEEPEST = 100
"""Levels of lists and objects. SQLite takes a thousand; nobody means as many."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unread(ValueError):
    """`what` is wrong with the whole, or with the value called `name`."""

    def __init__(self, what: str, name: str = "") -> None:
        super().__init__(f"{name or 'the body'} {what}")
        self.what, self.name = what, name


def read(text: str | bytes) -> Any:
    """Raises Unread for what is no JSON (NaN and numbers without an end too), nested too deep, or has a character that
    no text may have: NUL, or half of a pair."""
    content = _parsed(text)
    _check(content)
    return content


def read_object(text: str | bytes) -> dict[str, Any]:
    """Raises Unread, which names the value where that is what is wrong."""
    content = _parsed(text)
    if not isinstance(content, dict):
        raise Unread("is not a JSON object")
    _check(list(content))
    for name, value in content.items():
        _check(value, shortened(name, 60))
    return content


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Unread("is not JSON") from None


def _check(content: Any, name: str = "") -> None:
    level = [content]
    for _ in range(DEEPEST):
        if not level:
            return
        if not all(is_storable(value) for value in level if isinstance(value, str)):
            raise Unread("has a character that no text may have", name)
        level = [inner for value in level for inner in _inside(value)]
    raise Unread("is nested too deep", name)


def is_storable(text: str) -> bool:
    """Whether every database takes it: PostgreSQL refuses NUL."""
    return _UNSTORABLE.search(text) is None


def _inside(value: Any) -> list[Any]:
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
