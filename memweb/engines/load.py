"""How busy live work is, told to other processes through a small file each, so that batch work can stand back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

STALE_S = 5.0
LOOK_EVERY_S = 0.5
LAG_YIELD_MS = 1000
"""Batch work stands back while any live stream is further behind than this."""


@dataclass(frozen=True, slots=True)
class Load:
    """Live places in one web process, and the lag of its slowest stream."""

    used: int
    total: int
    lag_ms: int


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "live-load"


def publish(load: Load) -> None:
    """Write this process's load; a reader sees the old file or the new one, never half."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{os.getpid()}.tmp"
    fresh.write_text(json.dumps(asdict(load)))
    fresh.replace(folder / f"{os.getpid()}.json")


def withdraw() -> None:
    """Remove this process's file."""
    with suppress(OSError):
        (_folder() / f"{os.getpid()}.json").unlink()


def read() -> list[Load]:
    """The load of every process that has spoken in the last seconds."""
    loads: list[Load] = []
    for path in _folder().glob("[0-9]*.json"):
        with suppress(OSError, ValueError, TypeError):
            if time.time() - path.stat().st_mtime <= STALE_S:
                loads.append(Load(**json.loads(path.read_text())))
    return loads


def live_is_late() -> bool:
    """True while live work needs the machine more than batch work does."""
    return any(load.lag_ms > LAG_YIELD_MS for load in read())


def stand_back(is_late: Callable[[], bool], meanwhile: Callable[[], None], longest_s: float) -> None:
    """Leave the cores to whoever speaks, but no longer than `longest_s`. `meanwhile` may raise, to end it.

    Blocks: batch work has a thread of its own. Another process's file is looked at, so there is nothing to wait on.
    """
    until = time.monotonic() + longest_s
    while is_late() and time.monotonic() < until:
        meanwhile()
        time.sleep(LOOK_EVERY_S)
