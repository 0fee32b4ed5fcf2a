"""How many live sessions go on at once: of one account, and on this machine, over all its processes.

A place is one byte of a file in the data folder, locked. Locks end with their process, however it ends: a place is
never lost in a crash, and nothing has to be swept. Sockets and pulled streams take their places here alike.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_FILE = "places"
_MOST = 1 << 20
"""Places of one account lie side by side; the machine's come first."""


class Full(Exception):
    """No place is left. The text is a sentence for a person."""


class Place:
    """One session's right to go on. Give it back with `release`; the end of the process does so too."""

    def __init__(self, places: Places, bytes_held: tuple[int, int]) -> None:
        self._places = places
        self._held: tuple[int, ...] = bytes_held

    def release(self) -> None:
        """Give it back; a second time changes nothing."""
        held, self._held = self._held, ()
        for at in held:
            self._places.unlock(at)


class Places:
    """The places of this machine as one process sees them. Threads may share it."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._own: set[int] = set()  # locks of one's own process do not stop it: they are kept apart here
        self._next: dict[int, int] = {}
        self._file: tuple[Path, int, int] | None = None

    def take(self, account_id: int) -> Place:
        """A place for one more session of this account. Raises Full."""
        with self._mutex:
            machine = self._first_free(0, settings.MAX_SESSIONS)
            if machine is None:
                raise Full(f"This machine has {settings.MAX_SESSIONS} live sessions already. Try again in a moment.")
            own = self._first_free(account_id, settings.MAX_STREAMS)
            if own is None:
                self._unlock(machine)
                raise Full(
                    f"This account may have {settings.MAX_STREAMS} live sessions at once. Try again when one has ended."
                )
        return Place(self, (machine, own))

    @contextmanager
    def taken(self, account_id: int) -> Iterator[None]:
        """A place for the length of a block. Raises Full."""
        place = self.take(account_id)
        try:
            yield
        finally:
            place.release()

    def unlock(self, at: int) -> None:
        with self._mutex:
            self._unlock(at)

    def _first_free(self, row: int, most: int) -> int | None:
        """Lock a byte of this row, beginning after the one that was locked last: that is the likeliest to be free."""
        begin = self._next.get(row, 0)
        for step in range(most):
            number = (begin + step) % most
            at = row * _MOST + number
            if at not in self._own and self._lock(at):
                self._next[row] = number + 1
                self._own.add(at)
                return at
        return None

    def _lock(self, at: int) -> bool:
        try:
            fcntl.lockf(self._descriptor(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(self, at: int) -> None:
        self._own.discard(at)
        fcntl.lockf(self._descriptor(), fcntl.LOCK_UN, 1, at)

    def _descriptor(self) -> int:
        """The file, opened once in each process: closing any descriptor of it would end every lock."""
        path = settings.DATA_DIR / _FILE
        if self._file is None or self._file[:2] != (path, os.getpid()):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._own.clear()  # a forked child holds nothing of its parent's
            self._file = (path, os.getpid(), os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self._file[2]


places = Places()
