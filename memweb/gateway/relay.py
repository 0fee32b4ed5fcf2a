"""A live session answered by the provider itself: every message passed on as it is, both ways, and only counted.

Text stays text, binary stays binary, empty stays empty; order, close codes and reasons are kept. Each side is read
no faster than the other takes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from memweb.gateway.dial import Dialled
from memweb.gateway.till import EMPTY
from memweb.speech.dialects import LiveServer
from memweb.speech.dialects.counting import AudioCount
from memweb.speech.events import Failed

AHEAD_BYTES = 256 * 1024
"""What may wait for a client before the provider is read no further."""
UNREAD_SECONDS = 20.0
GOODBYE_SECONDS = 5.0
"""How long the provider may take to answer a close."""
LOST = (1014, "The connection to the provider was lost")
_UNSENDABLE = {1005: 1000, 1006: 1014, 1015: 1014}

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Tab(Protocol):
    """What a relay needs of the till: see till.Tab."""

    def heard(self, audio_ms: int) -> bool: ...


class Gauge:
    """What a client gave so far, and whether its balance pays for it."""

    def __init__(self, tab: Tab, count: AudioCount | None) -> None:
        self._tab, self._count = tab, count
        self._first: float | None = None
        self.reads_text = count is not None and count.reads_text

    def binary(self, size: int) -> bool:
        """A binary frame of this length; False when it must not be passed on."""
        return self._tab.heard(self._elapsed() if self._count is None else self._count.binary(size))

    def text(self, payload: bytes) -> bool:
        """A text frame; False when it must not be passed on."""
        return self._count is None or self._tab.heard(self._count.text(payload))

    def _elapsed(self) -> int:
        """Packed sound is charged by the clock, as the providers do."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
        return int((now - self._first) * 1000) + 1


class Provider(asyncio.Protocol):
    """The provider's end: whole messages in order, and no more of them than AHEAD_BYTES waiting."""

    def __init__(self, dialled: Dialled) -> None:
        self._protocol, self._transport = dialled.protocol, dialled.transport
        self._messages: deque[tuple[bool, bytes]] = deque()
        self._bytes = 0
        self._parts: list[bytes] = []
        self._is_text = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False
        self._transport.set_write_buffer_limits(high=AHEAD_BYTES)
        self._transport.set_protocol(self)
        if dialled.rest:
            self.data_received(dialled.rest)
        self._transport.resume_reading()

    # The client's words

    async def send(self, opcode: Opcode, payload: bytes) -> None:
        """Pass one message on; waits while the provider takes no more."""
        if self._protocol.state is State.OPEN:
            (self._protocol.send_text if opcode is Opcode.TEXT else self._protocol.send_binary)(payload)
            self._flush()
        await self._writable.wait()

    async def close(self, code: int, reason: str) -> None:
        """Say the client's goodbye, and let go once it was answered."""
        if self._protocol.state is State.OPEN:
            if code == 1006:
                self._transport.abort()
            elif code == 1005:
                self._protocol.send_close()
            else:
                self._protocol.send_close(code, reason)
            self._flush()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                while not self._lost:
                    self._drop_waiting()
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        finally:
            self._transport.abort()

    # The provider's words

    async def next(self) -> tuple[bool, bytes] | None:
        """The next message and whether it is text; None after the last."""
        while not self._messages:
            if self._lost:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        is_text, payload = self._messages.popleft()
        self._bytes -= len(payload)
        if self._bytes <= AHEAD_BYTES // 2 and not self._lost:
            self._transport.resume_reading()
        return is_text, payload

    @property
    def ending(self) -> tuple[int, str]:
        """Code and reason of the provider's close, as they can be said to the client."""
        code, reason = self._protocol.close_code, self._protocol.close_reason
        if code is None or code == CloseCode.ABNORMAL_CLOSURE:
            return LOST
        return _UNSENDABLE.get(code, code), reason or ""

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._framed(cast(Frame, event))
        self._flush()
        if self._protocol.close_expected():
            self._transport.close()
        if self._bytes > AHEAD_BYTES:
            self._transport.pause_reading()
        self._arrived.set()

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        self._lost = True
        self._arrived.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _framed(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            payload = b"".join(self._parts)
            self._parts.clear()
            self._bytes += len(payload)
            self._messages.append((self._is_text, payload))

    def _drop_waiting(self) -> None:
        self._messages.clear()
        self._bytes = 0
        if not self._lost:
            self._transport.resume_reading()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)


class Relay:
    """One client's session with the provider, from accept to close."""

    def __init__(self, server: LiveServer, provider: Provider, gauge: Gauge, receive: Receive, send: Send) -> None:
        self._server, self._provider, self._gauge = server, provider, gauge
        self._receive, self._send = receive, send
        self._failed: asyncio.Future[Failed] = asyncio.get_running_loop().create_future()

    def expired(self) -> None:
        """The token it was opened with allows no more."""
        self._fail(Failed("session_limit", "Session expired: maximum session duration", retry=True))

    def revoked(self) -> None:
        """The key no longer counts."""
        self._fail(Failed("auth", "The key is no longer valid.", retry=False))

    async def run(self) -> None:
        """Pass on until either side ends it."""
        await self._send({"type": "websocket.accept"})
        loop = asyncio.get_running_loop()
        up, down = loop.create_task(self._up()), loop.create_task(self._down())
        awaited: list[asyncio.Future[Any]] = [up, down, self._failed]
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                down.cancel()
                await self._say_failure(self._failed.result())
            elif up.done():
                await self._provider.close(*up.result())
            else:
                await self._close(*_ending(down, self._provider))
        except OSError:
            pass  # the client has gone, or reads nothing: not even how it ends
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            await self._provider.close(1001, "")

    async def _up(self) -> tuple[int, str]:
        """Until the client is gone; its close code and reason."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return message.get("code") or 1005, message.get("reason") or ""
            text = message.get("text")
            if text is None:
                sound = message.get("bytes") or b""
                paid, opcode, payload = self._gauge.binary(len(sound)), Opcode.BINARY, sound
            else:
                payload = text.encode("utf-8", "surrogatepass")
                paid, opcode = not self._gauge.reads_text or self._gauge.text(payload), Opcode.TEXT
            if not paid:
                self._fail(Failed("funds", EMPTY, retry=False))
                return 1000, ""
            await self._provider.send(opcode, payload)

    async def _down(self) -> None:
        """Until the provider is gone, or the client does not read."""
        while (message := await self._provider.next()) is not None:
            is_text, payload = message
            told: dict[str, Any] = {"type": "websocket.send"}
            told |= {"text": payload.decode("utf-8", "replace")} if is_text else {"bytes": payload}
            await self._tell(told)

    async def _say_failure(self, failed: Failed) -> None:
        """In the provider's own shape."""
        for frame in self._server.says(failed):
            await self._tell({"type": "websocket.send", "text": frame})
        await self._close(*self._server.closing(failed))

    async def _close(self, code: int, reason: str) -> None:
        await self._tell({"type": "websocket.close", "code": code, "reason": reason})

    async def _tell(self, message: dict[str, Any]) -> None:
        """Raises TimeoutError where the client does not read: a server may wait for it without end, at a close too."""
        async with asyncio.timeout(UNREAD_SECONDS):
            await self._send(message)

    def _fail(self, failed: Failed) -> None:
        if not self._failed.done():
            self._failed.set_result(failed)


def _ending(down: asyncio.Task[None], provider: Provider) -> tuple[int, str]:
    """How to close the client once nothing more comes down."""
    try:
        down.result()
    except TimeoutError:
        return 1008, "The client does not read what it is sent"
    return provider.ending
