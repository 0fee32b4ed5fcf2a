"""A connected page: what is to be said to it, in order, without ever waiting for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_WAITING = 500
SILENT_SECONDS = 15.0  # a page pings every 5 s
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

    def __init__(self, send: Send, now: float) -> None:
        self._send = send
        self._queue: deque[str] = deque()
        self._latest: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._close: int | None = None
        self.closed = asyncio.Event()
        self.revision: int | None = None
        """What its log shows; None until it said so, and while a snapshot is being made for it."""
        self.heard_at = now
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
        self._wake.set()

    def update(self, kind: str, message: str) -> None:
        """To be sent soon; a newer message of this kind takes its place."""
        self._latest[kind] = message
        self._wake.set()

    def note(self, kind: str, message: str) -> None:
        """As `update`, but it may wait for something else to be sent, or for `flush`: one write costs less than two."""
        self._latest[kind] = message

    def flush(self) -> None:
        """Send what was noted."""
        if self._latest:
            self._wake.set()

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

    async def speak(self) -> None:
        """Send what is said until the page is closed; the socket's other task."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._text(self._queue.popleft())
                latest, self._latest = self._latest, {}
                for message in latest.values():
                    await self._text(message)
                if self._close is not None and not self._queue:
                    await self._send({"type": "websocket.close", "code": self._close})
                    return
        finally:
            self.closed.set()

    async def _text(self, message: str) -> None:
        await self._send({"type": "websocket.send", "text": message})
