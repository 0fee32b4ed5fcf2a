"""Back-pressure, both ways: messages wait for the application, the application waits for the network."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any

Message = dict[str, Any]

INBOX_BYTES = 512 * 1024
INBOX_MESSAGES = 256
BODY_CHUNK = 64 * 1024


class Inbox:
    """What one socket's application has not taken yet. Over the bound, the transport is told to stop reading."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._messages: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._pause = pause
        self._resume = resume
        self._ended: Message | None = None
        self.paused = False

    def put_nowait(self, message: Message, size: int = 0) -> None:
        self._messages.append((message, size))
        self._bytes += size
        if message["type"] == "websocket.disconnect":
            self._ended = message
        if self._waiting:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)
            self._waiting.clear()
        if not self.paused and (self._bytes > INBOX_BYTES or len(self._messages) > INBOX_MESSAGES):
            self.paused = True
            self._pause()

    @property
    def is_empty(self) -> bool:
        """Whether the application has taken everything that came."""
        return not self._messages

    async def get(self) -> Message:
        """The next message; after a disconnect, the disconnect again."""
        while not self._messages:
            if self._ended is not None:
                return self._ended
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting = [*(other for other in self._waiting if not other.done()), waiting]
            await waiting
        message, size = self._messages.popleft()
        self._bytes -= size
        if self.paused and self._bytes <= INBOX_BYTES // 2 and len(self._messages) <= INBOX_MESSAGES // 2:
            self.release()
        return message

    def release(self) -> None:
        """Let the transport read again, whatever waits here."""
        if self.paused:
            self.paused = False
            self._resume()


class RequestBody:
    """A request's body, handed out as it is asked for, and then its end."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._left = content.seek(0, 2)
        content.seek(0)
        self._told = False
        self._gone = asyncio.Event()

    def put_nowait(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._gone.set()

    async def get(self) -> Message:
        if self._told:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        chunk = self._content.read(BODY_CHUNK) if self._left else b""
        self._left -= len(chunk)
        self._told = self._left <= 0
        return {"type": "http.request", "body": chunk, "more_body": not self._told}

    def close(self) -> None:
        self._content.close()


class Gate:
    """A push producer for the transport: closed while more than its buffer waits for the network."""

    def __init__(self) -> None:
        self.is_open = True
        self._opened = asyncio.Event()
        self._closed_at = 0.0
        self._dead = False

    def pauseProducing(self) -> None:
        if self.is_open and not self._dead:
            self._closed_at = time.monotonic()
            self.is_open = False
            self._opened.clear()

    def resumeProducing(self) -> None:
        self.is_open = True
        self._opened.set()

    def stopProducing(self) -> None:
        """The connection is over: nobody waits here any more."""
        self._dead = True
        self.resumeProducing()

    async def wait(self) -> None:
        if not self.is_open:
            await self._opened.wait()

    def closed_for(self) -> float:
        """Seconds this has been closed without a break; 0 when open."""
        return 0.0 if self.is_open else time.monotonic() - self._closed_at
