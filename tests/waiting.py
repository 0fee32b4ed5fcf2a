"""Waiting for what another process does: nothing in this one can be awaited, so it is asked again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

import psutil

PATIENCE = 180.0
"""Seconds that anything may take on a machine that others use too. What must come sooner says so where it is tested."""


def until(holds: Callable[[], object], seconds: float = PATIENCE, what: str = "it") -> None:
    """Return when it holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come to this within {seconds:.0f} s"
        time.sleep(0.05)


class Stopwatch:
    """How long something takes, less the moments in which the machine ran nobody: a thread that wants to wake a
    hundred times a second notices them. For what must be quick though others use the machine too.

    `with Stopwatch() as watch: ...`, then `watch.seconds`.
    """

    TICK_S = 0.01

    def __enter__(self) -> Self:
        self._over, self._lost = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._feel, daemon=True)
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._took = time.monotonic() - self._began
        self._over.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        return self._took - self._lost

    def _feel(self) -> None:
        woke, over = self._began, False
        while not over:
            over = self._over.wait(self.TICK_S)
            slept, woke = time.monotonic() - woke, time.monotonic()
            self._lost += max(slept - 2 * self.TICK_S, 0.0)


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
