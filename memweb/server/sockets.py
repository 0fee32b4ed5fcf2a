"""One WebSocket, as its application sees it: messages in, messages out, waiting where the other side is behind."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Protocol, cast

from memweb import wire
from memweb.server.flow import Gate, Inbox, Message

UNREAD_SECONDS = 30
LINGER_SECONDS = 10
PING_SECONDS = 15
DEAD_SECONDS = 35

Headers = list[tuple[bytes, bytes]]


class Handshake(Protocol):
    """What the connection is until it is accepted or refused."""

    def accept(self, subprotocol: str | None, headers: Headers) -> tuple[socket.socket, bytes, bytes]: ...

    def deny(self, status: int, headers: Headers, body: bytes) -> None: ...

    def refuse(self, status: int, sentence: str) -> None: ...


class Socket(asyncio.Protocol):
    """Connecting while it has a handshake, then open until it is closing. `gone` is called once, at its end.

    Extension memweb.splice: an application that accepts with `splice` is given the answer to write first and the bytes
    that came early, returns an asyncio.Protocol, and has the connection to itself from then on. It is told by
    websocket.disconnect to end it, and the connection ends no later than the application.

    Extension memweb.direct, for messages that come ten times a second and need no turn of the event loop each: the
    scope's entry is `say`; and an application that accepts with `hear` has each binary message offered to it while
    none waits in its inbox. It returns whether it took the message; one not taken waits in the inbox as ever.
    """

    def __init__(self, handshake: Handshake, path: bytes, limit: int, gone: Callable[[Socket], None]) -> None:
        self.path = path
        self.inbox = Inbox(self._stop_reading, self._go_on_reading)
        self.gate = Gate()
        self._gone = gone
        self._handshake: Handshake | None = handshake
        self._denial: Message | None = None
        self._offer: Callable[[bytes], bool] | None = None
        self._transport: asyncio.Transport | None = None
        self._greeting, self._early = b"", b""
        self._reader = wire.Reader(masked=True, limit=limit)
        self._closing = self._spliced = False
        self._ended_with = (wire.ABNORMAL, "")
        self._linger: asyncio.TimerHandle | None = None
        self._heard_at = self._pinged_at = 0.0

    # --- for the application --------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """What the application says. Waits while the network is behind; says nothing to a connection that is gone."""
        if self._handshake is not None:
            await self._answer(self._handshake, message)
        elif self._closing:
            # An application that only sends must not spin, nor keep the loop from telling it of the end.
            await asyncio.sleep(0)
        else:
            self._say(message)
            if not self.gate.is_open:
                await self.gate.wait()

    def say(self, *texts: str) -> bool:
        """Send text messages now, in one write. False, and nothing said, where `send` would wait or say nothing."""
        if self._handshake is not None or self._closing or self._transport is None or not self.gate.is_open:
            return False
        frames = [wire.frame(wire.TEXT, text.encode(errors="replace")) for text in texts]
        self._transport.write(b"".join(frames))
        return True

    def application_done(self, failed: bool) -> None:
        """The application is over; a connection it left open is closed for it."""
        if self._handshake is not None:
            self._refuse(self._handshake, 500, "The server failed to answer")
        elif self._spliced:
            self.gone()
        else:
            self.close(1011 if failed else 1000, "")

    def _say(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            text, data = message.get("text"), message.get("bytes")
            if text is not None and data is None:
                self._write(wire.frame(wire.TEXT, text.encode(errors="replace")))
            elif data is not None and text is None:
                self._write(wire.frame(wire.BINARY, bytes(data)))
            else:
                raise RuntimeError("websocket.send needs either text or bytes")
        elif kind == "websocket.close":
            self.close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"{kind} is not allowed on an open socket")

    async def _answer(self, handshake: Handshake, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            taken = handshake.accept(message.get("subprotocol"), list(message.get("headers", [])))
            connection, self._greeting, self._early = taken
            self._handshake = None
            self._offer = message.get("hear")
            splice = message.get("splice")
            self._spliced = splice is not None
            protocol = self if splice is None else splice(self._greeting, self._early)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        elif kind == "websocket.close":
            self._refuse(handshake, 403, message.get("reason") or "Access denied")
        elif kind == "websocket.http.response.start":
            self._denial = {"status": message["status"], "headers": list(message.get("headers", [])), "body": b""}
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += message.get("body", b"")
            if not message.get("more_body", False):
                self._handshake, self._closing = None, True
                handshake.deny(self._denial["status"], self._denial["headers"], self._denial["body"])
        else:
            raise RuntimeError(f"{kind} is not allowed before the socket is accepted")

    def _refuse(self, handshake: Handshake, status: int, sentence: str) -> None:
        self._handshake, self._closing = None, True
        handshake.refuse(status, sentence)

    # --- reading --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._greeting)
        self.data_received(self._early)
        self._greeting = self._early = b""

    def data_received(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        self._reader.feed(data)
        self._listen()

    def _listen(self) -> None:
        """Hand on what came, until the application is behind."""
        try:
            while not self.inbox.paused and (message := self._reader.next()) is not None:
                self._hear(*message)
        except wire.Violation as violation:
            self._fail(violation)

    def _hear(self, opcode: int, payload: bytes) -> None:
        if opcode == wire.CLOSE:
            self._hear_close(*wire.closing(payload))
        elif self._closing:
            return
        elif opcode == wire.BINARY:
            if self._offer is None or not self.inbox.is_empty or not self._offer(payload):
                self.inbox.put_nowait({"type": "websocket.receive", "bytes": payload}, len(payload))
        elif opcode == wire.TEXT:
            self.inbox.put_nowait({"type": "websocket.receive", "text": wire.text(payload)}, len(payload))
        elif opcode == wire.PING and self.gate.is_open:
            # A peer that pings and never reads must not fill the write buffer with answers.
            self._write(wire.frame(wire.PONG, payload))

    def _hear_close(self, code: int, reason: str) -> None:
        self._ended_with = code, reason
        if not self._closing:
            self._write(wire.close_frame(code))
        self._let_go()
        assert self._transport is not None
        self._transport.close()

    def _fail(self, violation: wire.Violation) -> None:
        """Say why, then hear nothing more. What still comes is read: closing on it would cut our own last words off."""
        assert self._transport is not None
        if not self._closing:
            self._write(wire.close_frame(violation.code, str(violation)))
        self._let_go()
        self._reader = wire.Deaf()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def _go_on_reading(self) -> None:
        self._listen()
        if not self.inbox.paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # --- writing and closing ---------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self.gate.pauseProducing()

    def resume_writing(self) -> None:
        self.gate.resumeProducing()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; what still waits for the application is dropped."""
        if code not in wire.SENDABLE_CODES:
            raise RuntimeError(f"{code} is not a close code that may be sent")
        if self._spliced:
            self.inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        elif self._transport is not None and not self._closing:
            self._write(wire.close_frame(code, reason))
            self._let_go()

    def _let_go(self) -> None:
        """Nobody waits here any more, and a peer that goes on without end is cut off."""
        self._closing, self._offer = True, None
        self.gate.stopProducing()
        self.inbox.release()
        if self._linger is None and self._transport is not None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone()

    def gone(self) -> None:
        """There is no connection any more."""
        self._handshake, self._closing, self._offer = None, True, None
        self.gate.stopProducing()
        if self._linger is not None:
            self._linger.cancel()
        code, reason = self._ended_with
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._gone(self)

    def check_timeouts(self) -> None:
        """Now and then: cut off who does not read, ask who is silent whether they are there."""
        if self._transport is None or self._closing:
            return
        now = time.monotonic()
        if self.gate.closed_for() > UNREAD_SECONDS:
            self.close(1008, "The client does not read what it is sent")
            self._transport.abort()
        elif self.inbox.paused:
            self._heard_at = now  # nothing is read: silence says nothing about the peer
        elif now - self._heard_at > DEAD_SECONDS:
            self._transport.abort()
        elif now - max(self._heard_at, self._pinged_at) > PING_SECONDS:
            self._pinged_at = now
            self._write(wire.frame(wire.PING, b""))
