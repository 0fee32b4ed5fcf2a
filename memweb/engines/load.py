"""How busy live work is, told to other processes through a small file each, so that batch work can stand back."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

STALE_S = 5.0
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
