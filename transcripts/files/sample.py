"""The recording that comes with the engine: something to try memweb with, where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

NAME = "A Tale of Two Cities.wav"
_FILE = "two_cities.wav"


def path() -> Path | None:
    """Where it lies; None where it is not installed."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        return None
    lies = Path(found.origin).parent / "assets" / _FILE
    return lies if lies.exists() else None
