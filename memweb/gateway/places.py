"""How many live sessions go on at once: of one account, and on this machine, over all its processes.

Sockets and pulled streams take their places here alike. The places of a process that was killed come free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from memweb.places import SharedPlaces

_MOST = 1 << 20
"""Places of one account lie side by side; the machine's come first."""


class Full(Exception):
    """No place is left. The text is a sentence for a person."""


class Place:
    """One session's right to go on. Give it back with `release`; the end of the process does so too."""

    def __init__(self, shared: SharedPlaces, held: tuple[int, int]) -> None:
        self._shared = shared
        self._held: tuple[int, ...] = held

    def release(self) -> None:
        """Give it back; a second time changes nothing."""
        held, self._held = self._held, ()
        for place in held:
            self._shared.release(place)


class Places:
    """The places of this machine as one process sees them. Threads may share it."""

    def __init__(self) -> None:
        self._shared = SharedPlaces("places")

    def take(self, account_id: int) -> Place:
        """A place for one more session of this account. Raises Full."""
        machine = self._shared.take(0, settings.MAX_SESSIONS)
        if machine is None:
            raise Full(f"This machine has {settings.MAX_SESSIONS} live sessions already. Try again in a moment.")
        own = self._shared.take(account_id * _MOST, settings.MAX_STREAMS)
        if own is None:
            self._shared.release(machine)
            raise Full(
                f"This account may have {settings.MAX_STREAMS} live sessions at once. Try again when one has ended."
            )
        return Place(self._shared, (machine, own))

    @contextmanager
    def taken(self, account_id: int) -> Iterator[None]:
        """A place for the length of a block. Raises Full."""
        place = self.take(account_id)
        try:
            yield
        finally:
            place.release()


places = Places()
