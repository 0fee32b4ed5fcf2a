"""A connected page: what is to be said to it, in order, without ever waiting for it.

Where the server can (`at_once`: its extension memweb.direct), a message is sent when it is said; else, and while the
page takes nothing, the task `speak` sends it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
AtOnce = Callable[..., bool]
"""Sends these texts without waiting; False where it did not."""

MOST_WAITING = 500
SILENT_SECONDS = 9.0  # a page pings every 4 s; a dead line is to be found within 10 s
WAKE_SECONDS = 6.0
"""Browsers let the timers of a hidden, silent page run once a minute, though it hears and answers at once: one that
should have pinged long ago is spoken to. Left alone, a page that pauses would lose its line each minute, and each time
it came again a line to the gateway would be opened for it."""
CLOSING_SECONDS = 3.0
TEXTS_PER_SECOND = 50
MOST_IGNORED = 5000  # frames out of place, one after the other

SIGNED_OUT = 4401
NOT_YOURS = 4404
TAKEN_OVER = 4409
FLOODING = 4413
RESTARTING = 1012


class Page:
    """One socket. Acks, states and interim text replace the one not yet sent; all else is kept in order."""

    def __init__(self, send: Send, now: float, at_once: AtOnce | None = None) -> None:
        self._send, self._at_once = send, at_once
        self._queue: deque[str] = deque()
        self._latest: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._speaking = False  # the task is at it, and perhaps waits for the page
        self._close: int | None = None
        self.closed = asyncio.Event()
        self.revision: int | None = None
        """What its log shows; None until it said so, and while a snapshot is being made for it."""
        self.heard_at = now
        self._woken_for = 0.0
        self.told_hole_at = 0.0
        self.ignored = 0
        self.bad = 0
        self.shown: set[str] = set()  # finals its log already shows, though they were not known to be kept
        self._texts, self._second = 0, 0

    def say(self, message: str) -> None:
        """To be sent after all that was said before."""
        if len(self._queue) >= MOST_WAITING:
            self.close(FLOODING)
            return
        self._queue.append(message)
        self._go_on()

    def update(self, kind: str, message: str) -> None:
        """To be sent soon; a newer message of this kind takes its place."""
        self._latest[kind] = message
        self._go_on()

    def note(self, kind: str, message: str) -> None:
        """As `update`, but it may wait for something else to be sent, or for `flush`: one write costs less than two."""
        self._latest[kind] = message

    def wake(self, message: str) -> None:
        """Say this once in each silence, for the page to answer."""
        if self._woken_for != self.heard_at:
            self._woken_for = self.heard_at
            self.update("wake", message)

    def flush(self) -> None:
        """Send what was noted."""
        if self._latest:
            self._go_on()

    def close(self, code: int) -> None:
        """Say what waits, then close. A page that takes nothing is not waited for."""
        if self._close is None:
            self._close = code
            self._wake.set()
            asyncio.get_running_loop().call_later(CLOSING_SECONDS, self.closed.set)

    def counts_text(self, now: float) -> bool:
        """Whether one more text message is within bounds."""
        if int(now) != self._second:
            self._second, self._texts = int(now), 0
        self._texts += 1
        return self._texts <= TEXTS_PER_SECOND

    def _go_on(self) -> None:
        """Send what there is, now if it can be done without waiting."""
        if self._at_once is None or self._wake.is_set() or self._speaking or self._close is not None:
            self._wake.set()
            return
        if self._at_once(*self._queue, *self._latest.values()):
            self._queue.clear()
            self._latest.clear()
        else:
            self._wake.set()

    def _next(self) -> str | None:
        """The message whose turn it is, taken out; None where nothing waits."""
        if self._queue:
            return self._queue.popleft()
        return self._latest.pop(next(iter(self._latest))) if self._latest else None

    async def speak(self) -> None:
        """Send what waits until the page is closed; the socket's other task."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._speaking = True
                while (message := self._next()) is not None:
                    await self._send({"type": "websocket.send", "text": message})
                self._speaking = False
                if self._close is not None and not self._queue:
                    await self._send({"type": "websocket.close", "code": self._close})
                    return
        finally:
            self.closed.set()
