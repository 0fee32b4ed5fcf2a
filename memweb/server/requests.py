"""One HTTP request, and the connection it came on."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web import http

from memweb.server.flow import Gate, Message, RequestBody

SUBPROTOCOLS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
IDLE_SECONDS = 20
HEADER_SECONDS = 20
UNREAD_SECONDS = 60


class Request(WebRequest):  # type: ignore[misc]
    application_queue: RequestBody | None
    error_template = "<!doctype html><title>%(title)s</title><h1>%(title)s</h1><p>%(body)s</p>"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gate = Gate()
        super().__init__(*args, **kwargs)
        # Twisted would read a whole form into memory, many times over, for arguments that nobody asks it for.
        self._parsePOSTFormSubmission = False

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


class Channel(http.HTTPChannel):
    """A connection whose headers must arrive in time, however steadily they trickle."""

    _since: float | None = None
    _in_body = False

    def dataReceived(self, data: bytes) -> None:
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
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
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
