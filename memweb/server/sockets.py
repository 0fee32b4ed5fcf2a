"""One WebSocket connection: Daphne's protocol with its gaps closed."""

from __future__ import annotations

import asyncio
import http
import json
import struct
import time
from typing import Any

import daphne.server  # noqa: F401  (installs the reactor; must come before anything of Twisted's)
from autobahn.util import encode_truncate
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor as _reactor

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled part for this machine
    from websockets.utils import apply_mask

from memweb.server.flow import Gate, Inbox, Message

reactor: Any = _reactor

SLICE = 8192
MAX_FRAGMENTS = 2048
UNREAD_SECONDS = 30
LINGER_SECONDS = 10
SENDABLE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def refusal(status: int, message: str) -> bytes:
    """The gateway's error envelope, which fits every other room too."""
    return json.dumps({"code": status, "msg": message, "data": None}).encode()


class Socket(WebSocketProtocol):  # type: ignore[misc]
    application_queue: Inbox | None = None
    data: bytes
    message_data: Any
    path: bytes = b""
    client_addr: list[Any] | None = None

    def connectionMade(self) -> None:
        self.gate = Gate()
        self.inbox = Inbox(self._stop_reading, self._go_on_reading)
        self._fragments = 0
        self._denial: Message | None = None
        self._linger: Any = None
        super().connectionMade()
        # The HTTP channel this connection began as is still the transport's producer.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.gate, True)

    def connectionLost(self, reason: Any = None) -> None:
        self.gate.stopProducing()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        super().connectionLost(reason)

    # Reading

    def _stop_reading(self) -> None:
        self.transport.pauseProducing()

    def _go_on_reading(self) -> None:
        self.consumeData()
        if not self.inbox.paused:
            self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        # Small slices: the rest of the buffer is copied for every frame in it.
        for start in range(0, len(data), SLICE):
            self._dataReceived(data[start : start + SLICE])

    def processData(self) -> bool:
        if self.inbox.paused:
            return False
        return self._take_whole_message() or bool(super().processData())

    def _take_whole_message(self) -> bool:
        """The usual case without Autobahn's state machine: a message of one short frame that has wholly arrived."""
        data = self.data
        if len(data) < 8 or self.inside_message or self.current_frame is not None or self.state != self.STATE_OPEN:
            return False
        if data[0] not in (0x81, 0x82) or not 0x80 <= data[1] < 0xFF:  # final text or binary, masked, length below 2^16
            return False
        size, at = data[1] & 0x7F, 6
        if size == 126:
            size, at = data[2] << 8 | data[3], 8
            if size < 126:
                return False
        if size > self.maxMessagePayloadSize or len(data) < at + size:
            return False
        self.data = data[at + size :]
        self._take(apply_mask(data[at : at + size], data[at - 4 : at]), data[0] == 0x82)
        return True

    def _take(self, payload: bytes, is_binary: bool) -> None:
        try:
            self.onMessage(payload, is_binary)
        except UnicodeDecodeError:
            self._invalid_payload("text that is not UTF-8")

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        super().onMessageFrameBegin(length)
        if self._fragments > MAX_FRAGMENTS and not self.failedByMe:
            self._max_message_size_exceeded(self._fragments, MAX_FRAGMENTS, "message in too many fragments")

    def onMessageEnd(self) -> None:
        self._fragments = 0
        parts, self.message_data = self.message_data, None
        if not self.failedByMe:
            self.onMessage(b"".join(parts), self.message_is_binary)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            return
        self.last_ping = time.time()
        if isBinary:
            self.inbox.put_nowait({"type": "websocket.receive", "bytes": payload}, len(payload))
        else:
            self.inbox.put_nowait({"type": "websocket.receive", "text": payload.decode()}, len(payload))

    def onPing(self, payload: bytes) -> None:
        # A peer that pings and never reads must not fill the write buffer with answers.
        if self.gate.is_open:
            super().onPing(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        server = self.factory.server_class
        if self.application_queue is not None:
            disconnect = {"type": "websocket.disconnect", "code": code or 1005, "reason": reason or ""}
            self.inbox.put_nowait(disconnect)
            server.log_action("websocket", "disconnected", self._details())
        server.protocol_disconnected(self)

    # Writing

    async def send(self, message: Message) -> None:
        """What the application says. Waits while the network is behind; says nothing to a connection that is gone."""
        self.handle_reply(message)
        if not self.gate.is_open:
            await self.gate.wait()
        elif self.state != self.STATE_OPEN:
            # An application that only sends must not spin, nor keep the loop from telling it of the end.
            await asyncio.sleep(0)

    def handle_reply(self, message: Message) -> None:
        kind = message["type"]
        if self.state == self.STATE_CONNECTING:
            self._answer_handshake(kind, message)
        elif self.state != self.STATE_OPEN:
            return
        elif kind == "websocket.send":
            self._send(message.get("text"), message.get("bytes"))
        elif kind == "websocket.close":
            self.close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"{kind} is not allowed on an open socket")

    def _send(self, text: str | None, data: bytes | None) -> None:
        if (text is None) == (data is None):
            raise RuntimeError("websocket.send needs either text or bytes")
        if text is not None:
            self._write(1, text.encode(errors="replace"))
        else:
            self._write(2, bytes(data or b""))

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        self.transport.write(head + payload)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; what still waits for the application is dropped."""
        if code not in SENDABLE_CODES:
            raise RuntimeError(f"{code} is not a close code that may be sent")
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123) if reason else None)
            self.inbox.release()

    def dropConnection(self, abort: bool = False) -> None:
        self.gate.stopProducing()
        # Aborting after both close frames would throw away ours, where it still waits to be written.
        abort = abort and not self.wasClean
        super().dropConnection(abort)
        if not abort and self._linger is None:
            # A peer that does not read would keep an orderly close waiting for ever.
            self._linger = reactor.callLater(LINGER_SECONDS, self.transport.abortConnection)

    # The handshake

    def _answer_handshake(self, kind: str, message: Message) -> None:
        if not hasattr(self, "handshake_deferred"):
            return
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self.deny(403, [], refusal(403, message.get("reason") or "Access denied"))
        elif kind == "websocket.http.response.start":
            self._denial = {"status": message["status"], "headers": list(message.get("headers", [])), "body": b""}
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += message.get("body", b"")
            if not message.get("more_body", False):
                self.deny(self._denial["status"], self._denial["headers"], self._denial["body"])
        else:
            raise RuntimeError(f"{kind} is not allowed before the socket is accepted")

    def _accept(self, message: Message) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise RuntimeError("the accepted subprotocol was not offered")
        headers: dict[str, list[str]] = {}
        for name, value in message.get("headers", []):
            headers.setdefault(name.decode("latin1"), []).append(value.decode("latin1"))
        deferred = self.handshake_deferred
        del self.handshake_deferred
        deferred.callback((subprotocol, headers))

    def deny(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer the handshake with a plain HTTP response and end the connection."""
        if hasattr(self, "handshake_deferred"):
            del self.handshake_deferred
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
        self.factory.server_class.log_action("websocket", "rejected", self._details() | {"status": status})

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        headers = [(n.encode("latin1"), v.encode("latin1")) for n, v in responseHeaders or []]
        self.deny(code, headers, refusal(code, reason if code < 500 else "The server failed to answer"))

    def onOpenHandshakeTimeout(self) -> None:
        self.openHandshakeTimeoutCall = None
        if self.state == self.STATE_CONNECTING:
            self.deny(503, [], refusal(503, "The server took too long to answer. Try again."))

    # The application and the clock

    def application_done(self, failed: bool) -> None:
        """The application is over; a connection it left open is closed for it."""
        if self.state == self.STATE_CONNECTING:
            self.deny(500, [], refusal(500, "The server failed to answer"))
        elif self.state == self.STATE_OPEN:
            self.close(1011 if failed else 1000, "")

    def check_timeouts(self) -> None:
        if self.state != self.STATE_OPEN:
            return
        if self.gate.closed_for() > UNREAD_SECONDS:
            self.close(1008, "The client does not read what it is sent")
            self.dropConnection(abort=True)
        elif self.inbox.paused:
            # Pongs are not being read: their absence says nothing about the peer.
            self.last_ping = time.time()
        elif time.time() - self.last_ping > self.factory.server_class.ping_interval:
            self._sendAutoPing()
            self.last_ping = time.time()

    def onAutoPingTimeout(self) -> None:
        if self.inbox.paused:
            self.autoPingTimeoutCall = None
        else:
            super().onAutoPingTimeout()

    def _details(self) -> dict[str, Any]:
        return {"path": self.path.decode("ascii", "replace"), "client": self.client_addr}


class SocketFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = Socket
