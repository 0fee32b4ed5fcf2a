"""One HTTP request, and the connection it came on."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web import http

from memweb.server.eventloop import reactor
from memweb.server.flow import Gate, Message, RequestBody
from memweb.server.handshake import refusal

logger = logging.getLogger("memweb.server")

SUBPROTOCOLS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
IDLE_SECONDS = 20
HEADER_SECONDS = 20
UNREAD_SECONDS = 60
LINGER_SECONDS = 5
"""How long a refused body is still read, and thrown away: a connection reset at once would take the answer with it."""
MOST_IN_MEMORY = 100_000
RESERVE = 512 * 2**20
"""Bytes of the disk that no body may take: the database and live recordings need them."""
LOOK_AGAIN = 64 * 2**20
MOST_UNASKED = 1 << 20
"""Bytes of a body that are taken without asking who sends them."""
TOO_LONG = "The body is longer than this address takes."
NO_ROOM = "There is not enough room on this server's disk for this body. Try again later."
UNKNOWN = "It cannot be told now who sends this. Try again in a moment."
JSON = (b"content-type", b"application/json")

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""
Ask = Callable[[str, list[tuple[bytes, bytes]], str], Awaitable[Answer | None] | None]
"""Whether somebody may bring a long body, by the path as in the request line, the headers (names in lower case) and the
peer's address. None, at once or once it is known: they may. Else what they are answered.
"""


class Request(WebRequest):  # type: ignore[misc]
    application_queue: RequestBody | None
    error_template = "<!doctype html><title>%(title)s</title><h1>%(title)s</h1><p>%(body)s</p>"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gate = Gate()
        self._length = 0
        super().__init__(*args, **kwargs)
        # Twisted would read a whole form into memory, many times over, for arguments that nobody asks it for.
        self._parsePOSTFormSubmission = False

    def gotLength(self, length: int | None) -> None:
        """The body lies on the disk that memweb is given, not on that of the system's temporary files."""
        is_small = length is not None and length < MOST_IN_MEMORY
        self.content: IO[bytes] = BytesIO() if is_small else on_disk(self.server.spool)

    def handleContentChunk(self, data: bytes) -> None:
        """No more than the address takes, whatever was said of the length; nothing after a refusal."""
        before, self._length = self._length, self._length + len(data)
        if self._length > self.channel.longest:
            self.channel.refuse(413, TOO_LONG)
        elif before // LOOK_AGAIN != self._length // LOOK_AGAIN and not has_room(self.server.spool, 0):
            self.channel.refuse(507, NO_ROOM)
        elif not self.channel.refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        offered = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol") or []
        if not all(SUBPROTOCOLS.fullmatch(value.strip()) for value in offered):
            self.basic_error(400, b"Bad Request", "The header Sec-WebSocket-Protocol is not a list of tokens.")
            return None
        return super().process()

    async def send(self, message: Message) -> None:
        """What the application says. Waits while the network is behind; says nothing to a connection that is gone."""
        if self.finished or self.channel is None:
            await asyncio.sleep(0)
            return
        if message["type"] == "http.response.start":
            self.server.check_headers_type(message)
        elif message.get("more_body", False) and self.producer is None:
            self.registerProducer(self.gate, True)
        self.handle_reply(message)
        if not self.gate.is_open:
            await self.gate.wait()

    def finish(self) -> None:
        self.gate.stopProducing()
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self.gate.stopProducing()
        super().connectionLost(reason)

    def application_done(self, failed: bool) -> None:
        """The application is over; an answer it left open is ended for it."""
        if self.finished or self.channel is None:
            return
        if not self._response_started:
            self.basic_error(500, b"Internal Server Error", "The server failed to answer.")
        else:
            # The client must not take half an answer for a whole one.
            self.channel.forceAbortClient()

    def check_timeouts(self) -> None:
        if self.gate.closed_for() > UNREAD_SECONDS and self.channel is not None:
            self.channel.forceAbortClient()


def on_disk(folder: str | None) -> IO[bytes]:
    """A file without a name: it is gone with whoever has it open, however that ends."""
    return tempfile.TemporaryFile(dir=folder)


def has_room(folder: str | None, length: int) -> bool:
    """Whether the disk keeps its reserve beside a body of this length."""
    return shutil.disk_usage(folder or tempfile.gettempdir()).free >= length + RESERVE


class Channel(http.HTTPChannel):
    """A connection whose headers must arrive in time, however steadily they trickle, and no body that is too long."""

    _since: float | None = None
    _in_body = False
    _linger: Any = None
    transport: Any
    _path: Any
    longest = 0
    """Bytes that the body of the request at hand may have."""
    refused = False
    _asked: asyncio.Task[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        if self.refused:
            return
        if not self._in_body:
            now = time.monotonic()
            if self._since is None:
                self._since = now
            elif now - self._since > HEADER_SECONDS:
                self.forceAbortClient()  # type: ignore[no-untyped-call]
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def allHeadersReceived(self) -> None:
        self._in_body = True
        server = self.factory.server
        self.longest = server.longest_body(self._path.decode("latin-1"))
        length = self.length or 0
        goes_to_disk = self.length is None or length >= MOST_IN_MEMORY
        if length > self.longest:
            self.refuse(413, TOO_LONG)
        elif goes_to_disk and not has_room(server.spool, length):
            self.refuse(507, NO_ROOM)
        else:
            super().allHeadersReceived()  # type: ignore[no-untyped-call]
            if self.length is None or length > MOST_UNASKED:
                self._ask()

    def _ask(self) -> None:
        """Read nothing more until it is known whether whoever sends may."""
        named = self.requests[-1].requestHeaders.getAllRawHeaders()
        headers = [(name.lower(), value) for name, values in named for value in values]
        answer = self.factory.server.ask(self._path.decode("latin-1"), headers, self.transport.getPeer().host)
        if answer is not None:
            self.transport.pauseProducing()
            self._asked = asyncio.ensure_future(self._heed(answer, self.requests[-1]))

    async def _heed(self, answer: Awaitable[Answer | None], request: Request) -> None:
        try:
            refused = await answer
        except Exception:
            logger.warning("It cannot be told who sends a body", exc_info=True)
            refused = 503, [JSON], refusal(503, UNKNOWN)
        if refused is not None and self._in_body and request in self.requests:  # else the application has it already
            self.say(*refused)
        self.transport.resumeProducing()

    def rawDataReceived(self, data: bytes) -> None:
        if not self.refused:
            super().rawDataReceived(data)

    def refuse(self, status: int, sentence: str) -> None:
        """As `say`, in the words that fit every address."""
        self.say(status, [JSON], refusal(status, sentence))

    def say(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer before the body is there, and end the connection: what still comes is nobody's."""
        if self.refused:
            return
        self.refused = True
        head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
        lines = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        self.transport.write(head + b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n" + body)
        self.transport.loseWriteConnection()
        self._linger = reactor.callLater(LINGER_SECONDS, self.transport.abortConnection)
        details = {"method": self._command.decode("latin-1"), "path": self._path.decode("latin-1"), "status": status}
        self.factory.server.log_action("http", "complete", details)

    def connectionLost(self, reason: Any = None) -> None:
        if self._asked is not None:
            self._asked.cancel()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        if self.refused:
            return
        self._in_body = False
        self._since = None
        super().allContentReceived()  # type: ignore[no-untyped-call]


class RequestFactory(HTTPFactory):  # type: ignore[misc]
    protocol = Channel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.timeOut = IDLE_SECONDS

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        return channel
