"""A live connection to a gateway: one write per frame, nothing awaited, no compression.

The `websockets` package does the handshake (without I/O of its own); frames are read and made by `memweb.wire`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from memweb import addresses, wire
from memweb.speech import meter
from memweb.upstream import errors
from memweb.upstream.address import Gateway

LATER = "Recording goes on; words follow later."
CONNECT_SECONDS = 5.0
PING_SECONDS = 3.0
DEAD_SECONDS = 9.0  # to be found within 10 s
MOST_BUFFERED = 256 * 1024
LARGEST_MESSAGE = 4 * 2**20
LARGEST_HEAD = 64 * 1024
REFUSAL = re.compile(rb"HTTP/1\.1 (?!101)([1-5][0-9]{2}) ")


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
        self._handshake: ClientProtocol | None = protocol
        self._head = b""
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._early: list[str | bytes] = []
        self._reader = wire.Reader(masked=False, limit=LARGEST_MESSAGE)
        self._heard_at = loop.time()
        self._ping: asyncio.TimerHandle | None = None
        self._closing = self._gone = False
        self._ending = (wire.ABNORMAL, "")
        self.rate: Decimal | None = None
        """What the gateway says that it charges, in US dollars per hour; None where it says nothing."""
        self.ready: asyncio.Future[None] = loop.create_future()

    # --- for whoever speaks --------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Tell `listener` from now on, beginning with what came before."""
        self._listener = listener
        for message in self._early:
            listener.heard(message)
        self._early.clear()
        if self._gone:
            listener.gone(*self._ending)

    def send(self, message: str | bytes) -> None:
        """Write one message. Nothing happens when the connection is closing or gone."""
        if isinstance(message, str):
            self._write(wire.TEXT, message.encode())
        else:
            self._write(wire.BINARY, message)

    def close(self, *, at_once: bool = False) -> None:
        """Say goodbye and let go, `at_once` without waiting for the gateway to do so. The listener hears no more."""
        self._listener = None
        if self._transport is None or self._gone:
            return
        if self._handshake is not None or self._closing:
            self._transport.abort()
            return
        self._transport.write(wire.close_frame(1000, masked=True))
        self._closing = True
        if at_once:
            self._transport.close()
        else:
            self._loop.call_later(2.0, self._transport.abort)

    # --- asyncio.Protocol ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MOST_BUFFERED)

    def begin(self, key: str) -> None:
        """Send the handshake."""
        assert self._handshake is not None
        assert self._transport is not None
        request = self._handshake.connect()
        request.headers["Authorization"] = key
        request.headers["User-Agent"] = "memweb"
        self._handshake.send_request(request)
        self._transport.write(b"".join(self._handshake.data_to_send()))

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if self._handshake is not None:
            data = self._answered(self._handshake, data)
        self._reader.feed(data)
        try:
            while (message := self._reader.next()) is not None:
                self._hear(*message)
        except wire.Violation as violation:
            self._end(violation.code, str(violation))

    def eof_received(self) -> None:
        """The transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ping is not None:
            self._ping.cancel()
        self._gone = self._closing = True
        self._fail(_nonsense())
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.gone(*self._ending)

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.blocked(True)

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.blocked(False)

    # --- how ------------------------------------------------------------------------------------------

    def _answered(self, handshake: ClientProtocol, data: bytes) -> bytes:
        """More of the gateway's answer; what follows it, once it is whole."""
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end and len(head) < LARGEST_HEAD:
            return b""
        self._head = b""
        refused = REFUSAL.match(head)
        if refused is not None:
            self._fail(errors.for_status(int(refused[1])))
            return b""
        handshake.receive_data(head + end)
        if handshake.state is not State.OPEN:
            self._fail(_nonsense())
            return b""
        self._handshake = None
        self.rate = _rate(handshake)
        self.ready.set_result(None)
        self._keep_alive()
        return rest

    def _fail(self, why: errors.UpstreamError) -> None:
        if not self.ready.done():
            self.ready.set_exception(why)

    def _hear(self, opcode: int, payload: bytes) -> None:
        if opcode == wire.TEXT:
            self._tell(payload.decode("utf-8", "replace"))
        elif opcode == wire.BINARY:
            self._tell(payload)
        elif opcode == wire.PING:
            self._write(wire.PONG, payload)
        elif opcode == wire.CLOSE:
            self._ending = wire.closing(payload)
            self._end(*self._ending)

    def _tell(self, message: str | bytes) -> None:
        if self._listener is not None:
            self._listener.heard(message)
        elif not self._gone and len(self._early) < 64:
            self._early.append(message)

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._transport is not None and self._handshake is None and not self._closing:
            self._transport.write(wire.frame(opcode, payload, masked=True))

    def _end(self, code: int, reason: str) -> None:
        """Answer a close, or a violation, with a close; the gateway ends the connection, or we do after a second."""
        assert self._transport is not None
        if not self._closing:
            self._transport.write(wire.close_frame(code, reason, masked=True))
        self._closing = True
        self._loop.call_later(1.0, self._transport.abort)

    def _keep_alive(self) -> None:
        """Ping, and let go of a peer from which nothing came for DEAD_SECONDS: then, and not a ping later."""
        if self._gone or self._transport is None:
            return
        left = self._heard_at + DEAD_SECONDS - self._loop.time()
        if left <= 0:
            self._transport.abort()
            return
        self._write(wire.PING, b"")
        self._ping = self._loop.call_later(min(PING_SECONDS, left), self._keep_alive)


def _rate(handshake: ClientProtocol) -> Decimal | None:
    answers = [event.headers for event in handshake.events_received() if isinstance(event, Response)]
    told = re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,9})?", "".join(head.get(meter.RATE_HEADER, "") for head in answers))
    return Decimal(told[0]) if told else None


def _nonsense() -> errors.UpstreamError:
    return errors.Unreachable("The gateway's answer makes no sense. Check its address in the settings.")


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
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await _reached(gateway, uri, factory, secure)
            try:
                connection.begin(gateway.key)
                await connection.ready
            except BaseException:  # whoever gives up waiting has nothing to close it by
                connection.close()
                raise
    except addresses.Unknown as error:
        raise errors.Unreachable(f"{error} {LATER}") from None
    except addresses.Forbidden as error:
        raise errors.for_forbidden(error) from None
    except (OSError, TimeoutError) as error:
        raise errors.Unreachable(f"The gateway does not answer. {LATER}") from error
    return connection


async def _reached(
    gateway: Gateway, uri: WebSocketURI, factory: Callable[[], LiveConnection], secure: ssl.SSLContext | None
) -> LiveConnection:
    """A connection to the gateway's host; where it is guarded, to an address of it that was looked at."""
    loop = asyncio.get_running_loop()
    if not gateway.guarded:
        return (await loop.create_connection(factory, uri.host, uri.port, ssl=secure))[1]
    name, failure = uri.host if uri.secure else None, OSError(f"nothing at {uri.host}")
    for address in await asyncio.to_thread(addresses.addresses_of, uri.host, uri.port):
        try:
            return (await loop.create_connection(factory, address, uri.port, ssl=secure, server_hostname=name))[1]
        except OSError as error:
            failure = error
    raise failure
