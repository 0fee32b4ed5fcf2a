"""How many wrong keys or links an address may try before it is told to wait."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

ALLOWED = 20
WINDOW_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class Guesses:
    """Wrong keys of the last minute, by address. One per process; a right key is never refused."""

    def __init__(self) -> None:
        self._misses: OrderedDict[str, deque[float]] = OrderedDict()

    def missed(self, address: str, now: float | None = None) -> int:
        """Count one wrong key. Seconds to wait when there were too many, else 0."""
        now = time.monotonic() if now is None else now
        misses = self._misses.setdefault(address, deque(maxlen=ALLOWED))
        self._misses.move_to_end(address)
        if len(self._misses) > _MOST_ADDRESSES:
            self._misses.popitem(last=False)
        while misses and misses[0] <= now - WINDOW_SECONDS:
            misses.popleft()
        if len(misses) == ALLOWED:
            return max(1, round(misses[0] + WINDOW_SECONDS - now))
        misses.append(now)
        return 0
