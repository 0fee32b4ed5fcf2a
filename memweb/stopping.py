"""Whether this process is to end. Who works for minutes looks every moment or so, and lets go."""

from __future__ import annotations

import threading

stopping = threading.Event()


class LetGo(Exception):
    """This process is to end: what it has in hand goes back, and another process goes on with it at once."""


def look() -> None:
    """Raises LetGo once this process is to end."""
    if stopping.is_set():
        raise LetGo


def wait(seconds: float) -> None:
    """Wait so long. Raises LetGo at once when this process is to end."""
    stopping.wait(seconds)
    look()
