"""What providers' numbers for voices and silences mean to the endpointer of this machine."""

from __future__ import annotations

USUAL_THRESHOLD = 0.4
USUAL_DB = 7.0
LEAST_DB = 4.5
"""A voice, once heard, may sink 3 dB: less than this and noise would never end it."""
_DB_PER_UNIT = 20.0


def loudness(threshold: float | None) -> float:
    """How many dB above the noise of the room a voice is, for a `vad_threshold` from 0 to 1.

    The providers' threshold is a probability, ours a level: the provider's default is ours, and more asks for more.
    """
    return USUAL_DB if threshold is None else max(LEAST_DB, USUAL_DB + _DB_PER_UNIT * (threshold - USUAL_THRESHOLD))
