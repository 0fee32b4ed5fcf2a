"""Events and commands as plain JSON, without what is default: the form in which the fixtures keep them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def told(value: Any) -> Any:
    """A frozen value as {"is": its class, field: value ...}; bytes in base64."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        kept = {field.name: told(item) for field, item in pairs if not _is_default(field, item)}
        return {"is": type(value).__name__, **kept}
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list | tuple):
        return [told(item) for item in value]
    return value


def _is_default(field: Any, item: object) -> bool:
    return field.default is not MISSING and item == field.default
