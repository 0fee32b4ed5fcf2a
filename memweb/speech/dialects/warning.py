"""A warning on the wire: words for everybody, and beside them the code and detail that our own client reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memweb.speech.dialects.wire import shortened
from memweb.speech.events import Warned


def fields(event: Warned) -> dict[str, Any]:
    """What a warning adds to a provider's frame."""
    return {"warning": _sentence(event), "code": event.code, "detail": event.message}


def read(frame: Mapping[str, Any]) -> Warned:
    """The warning of a frame, a provider's or one of ours."""
    code = shortened(frame.get("code"), 40) or "provider"
    return Warned(code, shortened(frame.get("detail")) or shortened(frame.get("warning")))


def _sentence(event: Warned) -> str:
    if event.code != "lag" or not event.message.isdecimal():
        return event.message
    behind_ms = int(event.message)
    return f"The words are {behind_ms / 1000:.1f} s behind the voice." if behind_ms else "The words have caught up."
