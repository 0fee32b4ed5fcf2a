"""The opening handshake of a WebSocket: read by Daphne, answered here; then the connection leaves Twisted's hands."""

from __future__ import annotations

import base64
import hashlib
import http
import json
import socket
from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from memweb.server.eventloop import reactor
from memweb.server.sockets import Socket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MOST_EARLY = 64 * 1024
LINGER_SECONDS = 10


def refusal(status: int, message: str) -> bytes:
    """The gateway's error envelope, which fits every other room too."""
    return json.dumps({"code": status, "msg": message, "data": None}).encode()


class Handshake(WebSocketProtocol):  # type: ignore[misc]
    """A connection until its handshake is answered. The application speaks to its Socket."""

    application_queue: Any = None
    data: bytes
    path: bytes = b""
    client_addr: list[Any] | None = None
    owner: Socket | None = None
    _linger: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        # The HTTP channel this connection began as is still the transport's producer.
        self.transport.unregisterProducer()

    def dataReceived(self, data: bytes) -> None:
        if self.owner is None:
            super().dataReceived(data)
            return
        self.data += data  # the first messages of a client that does not wait for the answer
        if len(self.data) > MOST_EARLY:
            self.transport.pauseProducing()

    def accept(self, subprotocol: str | None, headers: list[tuple[bytes, bytes]]) -> tuple[socket.socket, bytes, bytes]:
        """The connection, out of Twisted's hands; the answer to be written first; what came after the request."""
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise RuntimeError("the accepted subprotocol was not offered")
        if subprotocol is not None:
            headers = [(b"sec-websocket-protocol", subprotocol.encode()), *headers]
        key = base64.b64encode(hashlib.sha1(self._wskey.encode() + GUID, usedforsecurity=False).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        lines = [*headers, (b"Sec-WebSocket-Accept", key)]
        answer += b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n"
        self._cancel_timeout()
        self.transport.stopReading()
        self.transport.stopWriting()
        self.transport.protocol = None
        return socket.socket(fileno=self.transport.socket.detach()), answer, self.data

    def deny(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer with a plain HTTP response and end the connection."""
        if not any(name.lower() == b"content-type" for name, _ in headers):
            headers = [*headers, (b"content-type", b"application/json")]
        kept = [(n, v) for n, v in headers if n.lower() not in (b"content-length", b"connection")]
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Refused"
        head = b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
        lines = b"".join(b"%s: %s\r\n" % (name, value) for name, value in kept)
        self.transport.write(
            head + lines + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body,
        )
        self.wasNotCleanReason = f"refused with {status}"
        self.dropConnection(abort=False)
        if self._linger is None:
            # A peer that does not read would keep an orderly close waiting for ever.
            self._linger = reactor.callLater(LINGER_SECONDS, self.transport.abortConnection)
        self.factory.server_class.log_action("websocket", "rejected", self.details() | {"status": status})

    def refuse(self, status: int, sentence: str) -> None:
        self.deny(status, [], refusal(status, sentence))

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        headers = [(n.encode("latin1"), v.encode("latin1")) for n, v in responseHeaders or []]
        self.deny(code, headers, refusal(code, reason if code < 500 else "The server failed to answer"))

    def onOpenHandshakeTimeout(self) -> None:
        self.openHandshakeTimeoutCall = None
        if self.state == self.STATE_CONNECTING:
            self.refuse(503, "The server took too long to answer. Try again.")

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The client went, or was refused, before there was a socket."""
        if self.owner is not None:
            self.owner.gone()
        else:
            self.factory.server_class.protocol_disconnected(self)

    def connectionLost(self, reason: Any = None) -> None:
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        super().connectionLost(reason)

    def check_timeouts(self) -> None:
        """Autobahn's own timer ends a handshake that takes too long."""

    def application_done(self, failed: bool) -> None:
        """There is none yet."""

    def details(self) -> dict[str, Any]:
        """What the access log tells."""
        return {"path": self.path.decode("ascii", "replace"), "client": self.client_addr}

    def _cancel_timeout(self) -> None:
        if self.openHandshakeTimeoutCall is not None:
            self.openHandshakeTimeoutCall.cancel()
            self.openHandshakeTimeoutCall = None


class HandshakeFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = Handshake
