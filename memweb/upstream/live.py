"""A live connection to a gateway: one write per frame, nothing awaited, no compression.

The `websockets` package does the handshake and the reading (without I/O of its own). Binary frames out, the only
thing sent often, are framed and masked here: that halves the cost of a frame.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import struct
from collections.abc import Callable
from typing import Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

try:
    from websockets.speedups import apply_mask
except ImportError as missing:  # pure Python masking costs forty times as much
    raise ImportError(
        "The websockets package came without its C part. Install a wheel of it, or a compiler, and install it again."
    ) from missing

from memweb.upstream import errors
from memweb.upstream.address import Gateway

CONNECT_SECONDS = 5.0
PING_SECONDS = 3.0
DEAD_SECONDS = 8.0
MOST_BUFFERED = 256 * 1024
LARGEST_MESSAGE = 4 * 2**20


class Listener(Protocol):
    """Who is told what a connection hears. Called on the event loop; must not block."""

    def heard(self, message: str | bytes) -> None:
        """A whole message came."""

    def gone(self, code: int, reason: str) -> None:
        """The connection is gone, once. 1006 where no close frame came."""

    def blocked(self, blocked: bool) -> None:
        """The other side takes no more for now, or takes again."""


class LiveConnection(asyncio.Protocol):
    """An open connection. `send` writes at once; it never waits."""

    def __init__(self, protocol: ClientProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self._protocol, self._loop = protocol, loop
        self._transport: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._early: list[str | bytes] = []
        self._parts: list[bytes] = []
        self._is_text = False
        self._heard_at = loop.time()
        self._ping: asyncio.TimerHandle | None = None
        self._gone = False
        self.ready: asyncio.Future[None] = loop.create_future()

    # --- for whoever speaks --------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Tell `listener` from now on, beginning with what came before."""
        self._listener = listener
        for message in self._early:
            listener.heard(message)
        self._early.clear()
        if self._gone:
            listener.gone(*self._ending())

    def send(self, message: str | bytes) -> None:
        """Write one message. Nothing happens when the connection is closing or gone."""
        if self._protocol.state is not State.OPEN or self._transport is None:
            return
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
            self._flush()
        else:
            self._transport.write(_binary_frame(message))

    def close(self) -> None:
        """Say goodbye and let go. The listener hears nothing more."""
        self._listener = None
        if self._transport is None or self._gone:
            return
        if self._protocol.state is not State.OPEN:
            self._transport.abort()
            return
        self._protocol.send_close(1000)
        self._flush()
        self._loop.call_later(2.0, self._transport.abort)

    # --- asyncio.Protocol ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MOST_BUFFERED)

    def begin(self, key: str) -> None:
        """Send the handshake."""
        request = self._protocol.connect()
        request.headers["Authorization"] = key
        request.headers["User-Agent"] = "memweb"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._answered()
            else:
                self._framed(cast(Frame, event))
        if self._protocol.close_expected() and self._transport is not None:
            self._loop.call_later(1.0, self._transport.abort)

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        if self._ping is not None:
            self._ping.cancel()
        self._gone = True
        if not self.ready.done():
            self.ready.set_exception(self._refusal())
        elif self._listener is not None:
            listener, self._listener = self._listener, None
            listener.gone(*self._ending())

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.blocked(True)

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.blocked(False)

    # --- how ------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()

    def _answered(self) -> None:
        if self.ready.done():
            return
        if self._protocol.handshake_exc is None:
            self.ready.set_result(None)
            self._keep_alive()
        else:
            self.ready.set_exception(self._refusal())

    def _refusal(self) -> errors.UpstreamError:
        why = self._protocol.handshake_exc
        if isinstance(why, InvalidStatus):
            return errors.for_status(why.response.status_code)
        return errors.Unreachable("The gateway's answer makes no sense. Check its address in the settings.")

    def _framed(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = []
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            self._tell(whole.decode("utf-8", "replace") if self._is_text else whole)

    def _tell(self, message: str | bytes) -> None:
        if self._listener is not None:
            self._listener.heard(message)
        elif not self._gone and len(self._early) < 64:
            self._early.append(message)

    def _ending(self) -> tuple[int, str]:
        code, reason = self._protocol.close_code, self._protocol.close_reason
        return (1006 if code is None else code), reason or ""

    def _keep_alive(self) -> None:
        """Ping, and notice a peer that is silently dead within DEAD_SECONDS + PING_SECONDS."""
        if self._gone or self._transport is None:
            return
        if self._loop.time() - self._heard_at > DEAD_SECONDS:
            self._transport.abort()
            return
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()
        self._ping = self._loop.call_later(PING_SECONDS, self._keep_alive)


def _binary_frame(data: bytes) -> bytes:
    """One whole masked binary frame."""
    size, mask = len(data), os.urandom(4)
    if size < 126:
        head = struct.pack("!BB", 0x82, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x82, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x82, 0xFF, size)
    return head + mask + apply_mask(data, mask)


async def connect(gateway: Gateway, query: list[tuple[str, str]]) -> LiveConnection:
    """Open a live socket with these query parameters (`provider` among them). Raises UpstreamError."""
    loop = asyncio.get_running_loop()
    try:
        uri = parse_uri(gateway.live_url(query))
        if not (gateway.key.isascii() and gateway.key.isprintable()):
            raise ValueError("not a header's value")
    except (ValueError, InvalidURI):
        raise errors.Refused("The gateway's address or key is not valid. Correct it in the settings.") from None
    factory: Callable[[], LiveConnection] = lambda: LiveConnection(  # noqa: E731
        ClientProtocol(uri, max_size=LARGEST_MESSAGE, extensions=None), loop
    )
    secure = ssl.create_default_context() if uri.secure else None
    connection: LiveConnection | None = None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, connection = await loop.create_connection(factory, uri.host, uri.port, ssl=secure)
            connection.begin(gateway.key)
            await connection.ready
    except (OSError, TimeoutError) as error:
        if connection is not None:
            connection.close()
        raise errors.Unreachable("The gateway does not answer. Recording goes on; words follow later.") from error
    except errors.UpstreamError:
        if connection is not None:
            connection.close()
        raise
    return connection
