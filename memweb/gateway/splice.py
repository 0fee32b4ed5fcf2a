"""The relay where the server hands over its connection: the two streams of bytes are joined, and frames only counted.

A client's frames are masked already, as the provider wants them, so they go on byte for byte, fragments and control
frames too. Of what the client sends only headers are read (and, for a provider whose sound lies within text, that
text); of what the provider says only where frames end, so that an ending of ours never falls into one of theirs.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from websockets.speedups import apply_mask

from memweb.gateway.dial import Dialled
from memweb.gateway.relay import AHEAD_BYTES, LOST, UNREAD_SECONDS, Gauge, Receive, Send
from memweb.gateway.till import EMPTY
from memweb.speech.dialects import LiveServer
from memweb.speech.events import Failed

EXTENSION = "memweb.splice"
"""A server that has it takes `splice` in websocket.accept: (greeting, early) -> the connection's new asyncio.Protocol,
which writes the greeting and reads the early bytes first."""
LONGEST_TEXT = 1 << 20
GOODBYE_SECONDS = 5.0
LOST_AFTER_S = 30
"""Neither side sends anything while it is silent, and a dead line says nothing: the system asks, every few seconds."""
_ASKING = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": LOST_AFTER_S * 1000}
TEXT, BINARY, CLOSE = 1, 2, 8


class Frames:
    """Where frames end in a stream of bytes that is passed on at once."""

    __slots__ = ("_head", "_left", "_open", "closed")

    def __init__(self) -> None:
        self._left = 0
        self._head = b""
        self._open = False  # within a message of several frames
        self.closed = False  # a close frame went by

    @property
    def between(self) -> bool:
        """Whether a message of ours may be put here."""
        return not (self._left or self._head or self._open)

    def pass_by(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        at = self._left
        while at < len(data):
            header = header_at(data, at)
            if header is None:
                self._head = data[at:]
                at = len(data)
                break
            first, _, start, size = header
            if first & 0x0F < CLOSE:
                self._open = first < 0x80
            elif first & 0x0F == CLOSE:
                self.closed = True
            at = start + size
        self._left = at - len(data)


def header_at(data: bytes, at: int) -> tuple[int, bool, int, int] | None:
    """A frame's first byte, whether it is masked, where its payload starts, and how long that is; None if cut off."""
    have = len(data) - at
    if have < 2:
        return None
    second = data[at + 1]
    size, start = second & 0x7F, at + 2
    if size > 125:
        wide = 2 if size == 126 else 8
        if have < 2 + wide:
            return None
        size, start = int.from_bytes(data[start : start + wide], "big"), start + wide
    masked = second >= 0x80
    if masked:
        start += 4
    return None if start > len(data) else (data[at], masked, start, size)


def keep_asking(line: socket.socket) -> None:
    """Break the line of a peer that has vanished after LOST_AFTER_S, where the system can; its own default is hours."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ASKING.items():
        option = getattr(socket, name, None)
        if option is not None:
            line.setsockopt(socket.IPPROTO_TCP, option, value)


class _ClientEnd(asyncio.Protocol):
    """The client's connection."""

    def __init__(self, splice: Splice, greeting: bytes, early: bytes) -> None:
        self._splice, self._greeting, self._early = splice, greeting, early
        # Before there is a connection: event loops look it up once. The call of calls has no method in between.
        self.data_received = splice.from_client  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        client = cast(asyncio.Transport, transport)
        client.write(self._greeting)
        self._splice.join(client)
        if self._early:
            self._splice.from_client(self._early)
        self._greeting = self._early = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._splice.client_gone()

    def pause_writing(self) -> None:
        self._splice.client_is_behind()

    def resume_writing(self) -> None:
        self._splice.client_takes_again()


class _ProviderEnd(asyncio.Protocol):
    """The provider's connection."""

    def __init__(self, splice: Splice) -> None:
        self._splice = splice
        self.data_received = splice.from_provider  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._splice.provider_gone()

    def pause_writing(self) -> None:
        self._splice.client.pause_reading()

    def resume_writing(self) -> None:
        if not self._splice.client.is_closing():
            self._splice.client.resume_reading()


class Splice:
    """One client's session with the provider; see relay.Relay, which does the same by messages."""

    def __init__(self, server: LiveServer, dialled: Dialled, gauge: Gauge, receive: Receive, send: Send) -> None:
        self._server, self._dialled, self._gauge = server, dialled, gauge
        self._receive, self._send = receive, send
        self._provider = dialled.transport
        self.client: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._down = Frames()
        self._held = b""  # of the client's: a header, or a text, that is not whole yet
        self._left = 0  # of a payload of the client's that is being passed on
        self._kind = 0
        self._parts: list[bytes] = []
        self._farewell: bytes | None = None
        self._patience: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Join the two until either ends it."""
        await self._send({"type": "websocket.accept", "splice": lambda *begun: _ClientEnd(self, *begun)})
        restart = self._loop.create_task(self._told_to_end())
        try:
            await self._over
        finally:
            restart.cancel()
            self._provider.abort()
            self.client.close()

    async def _told_to_end(self) -> None:
        """The server asks for the end, when it stops."""
        while (message := await self._receive())["type"] != "websocket.disconnect":
            pass
        self._say_farewell([], message.get("code") or 1012, message.get("reason") or "The server is restarting")

    def expired(self) -> None:
        """The token it was opened with allows no more."""
        self._fail(Failed("session_limit", "Session expired: maximum session duration", retry=True))

    def revoked(self) -> None:
        """The key no longer counts."""
        self._fail(Failed("auth", "The key is no longer valid.", retry=False))

    # --- the two ends

    def join(self, client: asyncio.Transport) -> None:
        """Both connections are there."""
        self.client = client
        for transport in (client, self._provider):
            transport.set_write_buffer_limits(high=AHEAD_BYTES)
            line = transport.get_extra_info("socket")
            if line is not None:
                keep_asking(line)
        self._provider.set_protocol(_ProviderEnd(self))
        if self._dialled.rest:
            self.from_provider(self._dialled.rest)
        self._provider.resume_reading()

    def from_client(self, data: bytes) -> None:
        """Pass on every frame that is paid for; hold back what cannot be told yet."""
        if self._farewell is not None:
            return
        if self._held:
            data, self._held = self._held + data, b""
        at, end = self._left, len(data)
        self._left = 0
        while at < end:
            header = header_at(data, at)
            if header is None:
                break
            first, masked, start, size = header
            if not masked:
                self._say_farewell([], 1002, "A client must mask its frames")
                return
            opcode = first & 0x0F
            if opcode < CLOSE:
                self._kind = opcode or self._kind
                if self._kind == TEXT and self._gauge.reads_text:
                    if size > LONGEST_TEXT:
                        self._say_farewell([], 1009, "The message is too long")
                        return
                    if start + size > end:
                        break
                    paid = self._text(data[start - 4 : start], data[start : start + size], first >= 0x80)
                else:
                    paid = self._kind != BINARY or self._gauge.binary(size)
                if not paid:
                    self._provider.write(data[:at])
                    self._fail(Failed("funds", EMPTY, retry=False))
                    return
            at = start + size
        if at < end:
            data, self._held = data[:at], data[at:]
        else:
            self._left = at - end
        self._provider.write(data)

    def _text(self, mask: bytes, payload: bytes, final: bool) -> bool:
        """Whether a message is paid for that ends with this frame; one that goes on is paid for later."""
        said = apply_mask(payload, mask)
        if not final or self._parts:
            self._parts.append(said)
            if not final:
                return True
            said = b"".join(self._parts)
            self._parts.clear()
        return self._gauge.text(said)

    def from_provider(self, data: bytes) -> None:
        self._down.pass_by(data)
        self.client.write(data)
        if self._farewell is not None and self._down.between:
            self._end()

    def client_gone(self) -> None:
        """After a goodbye the provider's answer is of no more use; without one it is told by a broken line too."""
        self._finish()

    def provider_gone(self) -> None:
        if not self._down.closed and self._farewell is None:
            self._say_farewell([], *LOST)
        elif self._farewell is None:
            self.client.close()
        elif self._down.between and not self.client.is_closing():
            self.client.write_eof()  # closing on what the client still sends would cut our own last words off
        self._wait_for_goodbye()

    def client_is_behind(self) -> None:
        self._provider.pause_reading()
        self._patience = self._loop.call_later(UNREAD_SECONDS, self._finish)

    def client_takes_again(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if not self._provider.is_closing():
            self._provider.resume_reading()

    # --- an end of ours

    def _fail(self, failed: Failed) -> None:
        """In the provider's own shape."""
        self._say_farewell(list(self._server.says(failed)), *self._server.closing(failed))

    def _say_farewell(self, texts: list[str], code: int, reason: str) -> None:
        """Once the provider is between two messages; it is read no longer than that."""
        if self._farewell is not None or self._over.done():
            return
        self._farewell = b"".join(_frame(TEXT, text.encode()) for text in texts)
        self._farewell += _frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])
        if self._down.between:
            self._end()
        self._wait_for_goodbye()

    def _end(self) -> None:
        if self._farewell and not self._down.closed:
            self.client.write(self._farewell)
        self._farewell = b""
        self._provider.close()

    def _wait_for_goodbye(self) -> None:
        self._loop.call_later(GOODBYE_SECONDS, self._finish)

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


def _frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame to the client."""
    size = len(payload)
    head = bytes([0x80 | opcode, size]) if size < 126 else bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
    return head + payload
