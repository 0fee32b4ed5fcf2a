"""Who waits for an answer that takes minutes: some at a time are worked for, some more may wait, others come again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from memweb.gateway.doors import Refused

AT_WORK = 2
"""A model uses every core: more at once only slow each other down."""
WAITING = 6
AGAIN_S = 15


class Room:
    """The synchronous requests of one process."""

    def __init__(self, at_work: int = AT_WORK, waiting: int = WAITING) -> None:
        self._seats = threading.BoundedSemaphore(at_work + waiting)
        self._desks = threading.BoundedSemaphore(at_work)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Wait for one's turn. Raises Refused(429) where too many wait already."""
        if not self._seats.acquire(blocking=False):
            raise Refused(
                429, "Too many files are being read at this moment. Try again, or ask asynchronously.", AGAIN_S
            )
        try:
            with self._desks:
                yield
        finally:
            self._seats.release()


class Fetching:
    """URLs fetched while their clients wait, in one process: each holds a thread for as long as its source likes."""

    def __init__(self, of_all: int = 4, of_one: int = 2) -> None:
        self._of_all, self._of_one = of_all, of_one
        self._lock = threading.Lock()
        self._fetched: Counter[int] = Counter()

    @contextmanager
    def served(self, account_id: int) -> Iterator[None]:
        """Raises Refused(429) where this account, or all together, have as many on their way as may be."""
        with self._lock:
            if self._fetched[account_id] >= self._of_one or self._fetched.total() >= self._of_all:
                raise Refused(
                    429, "Too many URLs are being fetched at this moment. Try again, or ask asynchronously.", AGAIN_S
                )
            self._fetched[account_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._fetched[account_id] -= 1
                self._fetched += Counter()  # those who have none are forgotten


room = Room()
fetching = Fetching()
