"""Waiting for what another process does: nothing in this one can be awaited, so it is asked again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psutil


def until(holds: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """Return when it holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come to this within {seconds:.0f} s"
        time.sleep(0.05)


def none_is_left(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Return when all these have ended; AssertionError when one has not in time.

    One that has ended and whose number the machine still holds has ended: who takes in orphans, and when, is not ours.
    """
    watched = list(processes)
    until(lambda: not any(map(_runs, watched)), seconds, f"the end of {watched}")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
