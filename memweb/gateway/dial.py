"""Opening a live connection to a provider: the handshake, and nothing after it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.protocol import State
from websockets.uri import parse_uri

from memweb.gateway.doors import Refused
from memweb.gateway.providers.binding import Binding

CONNECT_SECONDS = 10.0
LARGEST_MESSAGE = 4 * 2**20
_HEAD_BYTES = 16 * 1024
_FORWARDED = ("user-agent", "assemblyai-version")
NO_ANSWER = "The provider does not answer. Try again in a moment."


class Dialled(asyncio.Protocol):
    """A connection until its handshake is done. Then `transport` is for whoever takes it, with `rest` read already."""

    def __init__(self, protocol: ClientProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self.protocol = protocol
        self.transport: asyncio.Transport
        self.rest = b""
        self.ready: asyncio.Future[None] = loop.create_future()
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.ready.done():
            self.rest += data  # a frame that came before anybody took the connection
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._answered(head + end, rest)
        elif len(self._head) > _HEAD_BYTES:
            self._refuse(Refused(502, NO_ANSWER))

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse(Refused(502, NO_ANSWER))

    def shake_hands(self, headers: Mapping[str, str]) -> None:
        request = self.protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self.protocol.send_request(request)
        self.transport.write(b"".join(self.protocol.data_to_send()))

    def _answered(self, head: bytes, rest: bytes) -> None:
        status = head.split(b" ", 2)[1:2]
        if status != [b"101"]:
            self._refuse(_refusal(int(status[0]) if status and status[0].isdigit() else 0, head))
            return
        self.protocol.receive_data(head)
        list(self.protocol.events_received())
        if self.protocol.state is not State.OPEN:
            self._refuse(Refused(502, "The provider's answer makes no sense."))
            return
        self.rest = rest
        self.ready.set_result(None)
        # Nothing is read until somebody takes the connection: what may come meanwhile is bounded by one read.
        self.transport.pause_reading()

    def _refuse(self, refused: Refused) -> None:
        if not self.ready.done():
            self.ready.set_exception(refused)
        self.transport.abort()


async def dial(binding: Binding, query: str, headers: Mapping[str, str]) -> Dialled:
    """A connection to the provider with this query, as it came. Raises Refused with a status for the client."""
    loop = asyncio.get_running_loop()
    try:
        uri = parse_uri(f"{binding.url}?{query}" if query else binding.url)
    except (InvalidURI, ValueError):
        raise Refused(400, "The query cannot be sent on.") from None
    protocol = ClientProtocol(uri, max_size=LARGEST_MESSAGE, extensions=None)
    forwarded = {name: headers[name] for name in _FORWARDED if name in headers}
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, dialled = await loop.create_connection(
                lambda: Dialled(protocol, loop), uri.host, uri.port, ssl=_secure() if uri.secure else None
            )
            try:
                dialled.shake_hands({**forwarded, binding.header: binding.key})
                await dialled.ready
            except BaseException:
                dialled.transport.abort()
                raise
    except TimeoutError:
        raise Refused(504, NO_ANSWER) from None
    except OSError:
        raise Refused(502, NO_ANSWER) from None
    return dialled


@cache
def _secure() -> ssl.SSLContext:
    return ssl.create_default_context()


def _refusal(status: int, head: bytes) -> Refused:
    """What a provider's refusal is for our client. The operator's key and account are no business of theirs."""
    if status == 429:
        return Refused(429, "The provider is at capacity. Try again in a moment.", _retry_after(head))
    if status in (400, 404, 422):
        return Refused(400, f"The provider refused the request (status {status}). Check its parameters.")
    if status in (401, 402, 403):
        return Refused(502, "The provider refused this gateway's own key. Its operator has to look.")
    return Refused(502, f"The provider has a fault of its own (status {status}).")


def _retry_after(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after" and value.strip().isdigit():
            return min(int(value), 3600)
    return 5
