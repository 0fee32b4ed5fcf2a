"""Reading what may be anything: JSON from the other side of a socket, value by value. Nothing here raises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

LONGEST_MS = 2_000_000_000
"""About 23 days; a later time is a mistake, and would not fit a database's integer."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BLANK = " \t\n\r"  # what JSON allows around a value
_decode = json.JSONDecoder().raw_decode


def read_object(message: str | bytes) -> dict[str, Any] | None:
    """The JSON object in a frame, or None for everything else: other JSON, no JSON, too deep, too long a number."""
    try:
        # As json.loads, which seeks the blanks with a regular expression: half of what a short message costs.
        text = (message.decode("utf-8", "replace") if isinstance(message, bytes) else message).strip(_BLANK)
        value, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and end == len(text) else None


def kind(frame: Mapping[str, Any]) -> str:
    """Which message a frame is: `message_type`, else `type`, in lower case without underscores; "" for neither."""
    named = frame.get("message_type")
    if not isinstance(named, str):
        named = frame.get("type")
    return named.lower().replace("_", "") if isinstance(named, str) else ""


def dump(frame: Mapping[str, Any]) -> str:
    """A frame as it goes out: compact, ASCII."""
    return json.dumps(frame, separators=(",", ":"))


def text(value: object) -> str:
    """A string that every database and encoder takes: NUL and lone surrogates become U+FFFD. "" for other things."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() and "\x00" not in value else _UNSTORABLE.sub("\ufffd", value)


def shortened(value: object, longest: int = 300) -> str:
    """Foreign text in one line of bounded length, fit for a message."""
    line = " ".join(text(value)[: longest * 4].split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def number(value: object) -> float | None:
    """A finite number; None for everything else, booleans too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if math.isfinite(real) else None


def ordinal(value: object) -> int | None:
    """A place in an order, 0 or more; None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        return None
    return value


def milliseconds(value: object, per_unit: int) -> int | None:
    """A time in whole milliseconds, from units of `per_unit` milliseconds; before the start counts as the start."""
    if type(value) is int and 0 <= value <= LONGEST_MS // per_unit:
        return value * per_unit  # nearly always, and some words are told again ten times a second
    real = number(value)
    if real is None or real * per_unit > LONGEST_MS:
        return None
    return max(0, round(real * per_unit))


def share(value: object) -> float | None:
    """A confidence, from 0 to 1."""
    real = number(value)
    return None if real is None else min(1.0, max(0.0, real))


def likelihood(logprob: object) -> float | None:
    """The confidence a log probability stands for."""
    real = number(logprob)
    return None if real is None else math.exp(min(0.0, real))


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; an empty list for what is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
