"""Lines a live engine makes out of no speech."""

from __future__ import annotations

from memweb.engines.protocol import Line


def is_stray(line: Line) -> bool:
    """True for a line with no words in it."""
    return not any(letter.isalnum() for letter in line.text)
