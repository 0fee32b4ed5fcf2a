"""Who waits for an answer that takes minutes: some at a time are worked for, some more may wait, others come again."""

from __future__ import annotations

import threading
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


room = Room()
