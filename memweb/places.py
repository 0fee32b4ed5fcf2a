"""Numbered places that every process of this machine shares.

A place is one byte of a file in the data folder, locked. Locks end with their process, however it ends: a place is
never lost in a crash, and nothing has to be swept.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from django.conf import settings


class SharedPlaces:
    """The places in one file as one process sees them. Threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._mutex = threading.Lock()
        self._own: set[int] = set()  # locks of one's own process do not stop it: they are kept apart here
        self._next: dict[int, int] = {}
        self._file: tuple[Path, int, int] | None = None

    def take(self, first: int, most: int) -> int | None:
        """One of the `most` places from number `first` on, for `release`; None where all are taken."""
        with self._mutex:
            file = self._descriptor()
            begin = self._next.get(first, 0)  # after the one that was taken last: that is the likeliest to be free
            for step in range(most):
                number = (begin + step) % most
                if first + number not in self._own and _lock(file, first + number):
                    self._next[first] = number + 1
                    self._own.add(first + number)
                    return first + number
        return None

    def release(self, place: int) -> None:
        with self._mutex:
            self._own.discard(place)
            fcntl.lockf(self._descriptor(), fcntl.LOCK_UN, 1, place)

    def _descriptor(self) -> int:
        """The file, opened once in each process: closing any descriptor of it would end every lock."""
        path = settings.DATA_DIR / self._name
        if self._file is None or self._file[:2] != (path, os.getpid()):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own.clear()  # a forked child holds nothing of its parent's
            self._file = (path, os.getpid(), os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self._file[2]


def _lock(file: int, place: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True
