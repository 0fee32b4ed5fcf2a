"""The recording that comes with the engine: something to try memweb with, where it is installed."""

from __future__ import annotations

import importlib.util
import wave
from pathlib import Path

from memweb.accounts.models import User
from transcripts.files import asked

NAME = "A Tale of Two Cities.wav"
_FILE = "two_cities.wav"


def duration_ms() -> int:
    """How long it is; 0 where it is not installed."""
    lies = path()
    if lies is None:
        return 0
    with wave.open(str(lies)) as sound:
        return int(sound.getnframes() * 1000 // sound.getframerate())


def price(user: User) -> str:
    """What it costs this person to have it transcribed, in words; empty where that costs nothing."""
    return asked.price(asked.options_of(user), asked.gateway_of(user), duration_ms())


def path() -> Path | None:
    """Where it lies; None where it is not installed."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        return None
    lies = Path(found.origin).parent / "assets" / _FILE
    return lies if lies.exists() else None
