"""Times as people and files write them: integer milliseconds in and out."""

from __future__ import annotations

import re

_TIME = re.compile(r"(?:([0-9]{1,6}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?$")


def stamp(ms: int, point: str = ".") -> str:
    """Hours, minutes, seconds and milliseconds: "01:02:03.004"."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def clock(ms: int) -> str:
    """To be read: "2:03", from an hour on "1:02:03"."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def parse(stamped: str) -> int | None:
    """A caption's time, with or without hours, with point or comma; None for anything else."""
    match = _TIME.match(stamped.strip())
    if not match:
        return None
    hours, minutes, seconds, fraction = match.groups()
    ms = int(((fraction or "") + "000")[:3])
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + ms
