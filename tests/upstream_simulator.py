"""A gateway that hears numbers: each 100 ms of `numbered_pcm` carries its number, and becomes the word "f<number>".

It speaks AssemblyAI v3 exactly (Begin, Turn, Termination, Error, close codes) at the gateway's own path, so every
frame that was lost or doubled on the way is to be seen in the committed text. Faults are taken one per connection.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import threading
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

SAMPLES = 1600
MARK = 0x2A55
TURN_FRAMES = 7


def numbered_pcm(number: int) -> bytes:
    """100 ms of s16le at 16 kHz that say which one they are, and differ from all others in every stretch."""
    head = struct.pack("<hhh", MARK, number & 0x7FFF, number >> 15)
    tone = struct.pack("<h", (number * 37) % 20000 + 1)
    return head + tone * (SAMPLES - 3)


def number_of(pcm: bytes) -> int | None:
    """The number in a stretch made by `numbered_pcm`; None when it is not exactly one."""
    mark, low, high = struct.unpack_from("<hhh", pcm)
    number = (high << 15) | low
    return number if mark == MARK and pcm == numbered_pcm(number) else None


@dataclass(frozen=True)
class Fault:
    """What goes wrong on one connection.

    kind: "drop" (the TCP connection is reset after `frames` frames), "close" (an Error frame if `error`, then close
    `code`, after `frames` frames), "refuse" (HTTP `code` instead of the handshake), "stall" (after `frames` frames
    nothing is read or said any more), "mute" (reads on, says nothing more).
    """

    kind: str
    frames: int = 0
    code: int = 0
    error: str = ""


@dataclass
class Simulator:
    """Runs on a loop and thread of its own. `url` goes into MEMWEB_GATEWAY_URL."""

    key: str = "sk-simulated"
    faults: deque[Fault] = field(default_factory=deque)
    fired: list[Fault] = field(default_factory=list)
    connections: int = 0
    queries: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    heard: list[list[int | None]] = field(default_factory=list)
    """Per connection, the numbers in the order they came; None for a stretch that is no whole frame."""
    port: int = 0
    speech: bool = True
    """False: it hears only silence and says no word."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: set[ServerConnection] = set()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the port it had before if it had one."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """As a killed gateway: every connection is reset, and nobody listens."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    async def _start(self) -> None:
        self._server: Server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._admit, compression=None, ping_interval=None,
            max_size=2**20,
        )  # fmt: skip
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        for connection in list(self._open):
            connection.transport.abort()
        self._server.close(close_connections=False)
        await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        self.queries.append(request.path)
        self.keys.append(request.headers.get("Authorization", ""))
        if not request.path.startswith("/serve/ws/v2/audio-stream?"):
            return connection.respond(HTTPStatus.NOT_FOUND, "no")
        if self.faults and self.faults[0].kind == "refuse":
            fault = self.faults.popleft()
            self.fired.append(fault)
            return connection.respond(HTTPStatus(fault.code), "refused")
        if self.keys[-1] != self.key:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._open.add(connection)
        fault = self.faults.popleft() if self.faults else None
        numbers: list[int | None] = []
        self.heard.append(numbers)
        try:
            await _Session(self, connection, fault, numbers).run()
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)


class _Session:
    def __init__(
        self, simulator: Simulator, connection: ServerConnection, fault: Fault | None, numbers: list[int | None]
    ):
        self.simulator, self.connection, self.fault, self.numbers = simulator, connection, fault, numbers
        self.rest = b""
        self.turn: list[dict[str, Any]] = []
        self.order = 0
        self.fired = False

    async def run(self) -> None:
        await self.say({"type": "Begin", "id": "simulated", "expires_at": 4_000_000_000})
        async for message in self.connection:
            if isinstance(message, bytes):
                if not await self.audio(message):
                    return
                continue
            kind = json.loads(message).get("type")
            if kind == "Terminate":
                await self.end_turn()
                seconds = len(self.numbers) // 10
                await self.say(
                    {"type": "Termination", "audio_duration_seconds": seconds, "session_duration_seconds": seconds}
                )
                await self.connection.close(1000)
                return
            if kind == "ForceEndpoint":
                await self.end_turn()
            else:
                await self.say({"type": "Error", "error": "Invalid Message", "error_code": 3006})
                await self.connection.close(3006)
                return

    async def audio(self, message: bytes) -> bool:
        """False when the connection is of no more use."""
        self.rest += message
        while len(self.rest) >= 2 * SAMPLES:
            stretch, self.rest = self.rest[: 2 * SAMPLES], self.rest[2 * SAMPLES :]
            if self.fault is not None and len(self.numbers) >= self.fault.frames and not await self.fail(self.fault):
                return False
            await self.hear(number_of(stretch))
        return True

    async def fail(self, fault: Fault) -> bool:
        """Whether to go on all the same."""
        if not self.fired:
            self.fired = True
            self.simulator.fired.append(fault)
        if fault.kind == "mute":
            return True
        if fault.kind == "drop":
            self.connection.transport.abort()
        elif fault.kind == "close":
            if fault.error:
                await self.say({"type": "Error", "error": fault.error, "error_code": fault.code})
            await self.connection.close(fault.code)
        elif fault.kind == "stall":
            self.connection.transport.pause_reading()
            while not self.connection.transport.is_closing():
                await asyncio.sleep(0.1)
        return False

    async def hear(self, number: int | None) -> None:
        start = 100 * len(self.numbers)
        self.numbers.append(number)
        if not self.simulator.speech:
            return
        text = "broken" if number is None else f"f{number}"
        self.turn.append({"start": start, "end": start + 100, "confidence": 0.9, "text": text, "word_is_final": True})
        if len(self.turn) == TURN_FRAMES:
            await self.end_turn()
        elif len(self.turn) % 3 == 0:
            await self.tell(ended=False, formatted=False)

    async def end_turn(self) -> None:
        if self.turn:
            await self.tell(ended=True, formatted=False)
            await self.tell(ended=True, formatted=True)
            self.turn = []
            self.order += 1

    async def tell(self, *, ended: bool, formatted: bool) -> None:
        words = " ".join(word["text"] for word in self.turn)
        await self.say(
            {
                "type": "Turn", "turn_order": self.order, "turn_is_formatted": formatted, "end_of_turn": ended,
                "transcript": words, "end_of_turn_confidence": 0.9, "words": self.turn,
            }
        )  # fmt: skip

    async def say(self, frame: dict[str, Any]) -> None:
        if self.fault is not None and self.fault.kind == "mute" and self.fired:
            return
        await self.connection.send(json.dumps(frame))


def numbers_in(text: str) -> list[int]:
    """The numbers of the words in a text, in order; a word that is no number raises AssertionError."""
    words = text.split()
    strange = [word for word in words if not re.fullmatch(r"f\d+", word)]
    assert not strange, f"not made by a frame: {strange[:5]}"
    return [int(word[1:]) for word in words]


HALVES = (b'{"type":"Turn","transcript":', b'"whole"}')


@dataclass
class Connected:
    """One connection to a `StandIn`: how it was asked for, and every message that came, in order."""

    path: str
    headers: dict[str, str]
    heard: list[str | bytes] = field(default_factory=list)
    closed: tuple[int | None, str | None] = (None, None)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def audio_bytes(self) -> int:
        """Of s16le sound, as either provider takes it."""
        chunks = [json.loads(text) for text in self.heard if isinstance(text, str)]
        base64 = [chunk["audio_base_64"] for chunk in chunks if chunk.get("message_type") == "input_audio_chunk"]
        return sum(len(m) for m in self.heard if isinstance(m, bytes)) + sum(len(b64decode(one)) for one in base64)


class StandIn:
    """Both providers' live sockets at their own paths, for a relay in front of them; records all it is told.

    A query parameter says what it does besides: `x_echo` sends every message back as it came; `x_close=CODE-REASON`
    closes on the first message; `x_drop` resets the connection there; `x_flood=N` says N kB at once; `x_deaf` reads
    nothing; `x_halves` says the first of HALVES and a ping, and the second once it was told something;
    `x_refuse=STATUS` answers the handshake with it.
    """

    def __init__(self) -> None:
        self.connections: list[Connected] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def environment(self) -> dict[str, str]:
        """Settings that bind both providers to this one."""
        url = f"ws://127.0.0.1:{self.port}"
        return {
            "MEMWEB_ELEVENLABS_API_KEY": "operators-eleven",
            "MEMWEB_ELEVENLABS_WS_URL": url,
            "MEMWEB_ASSEMBLYAI_API_KEY": "operators-assembly",
            "MEMWEB_ASSEMBLYAI_WS_URL": url,
        }

    async def _start(self) -> None:
        self._ending = asyncio.Event()
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._admit, compression=None, ping_interval=None,
            max_size=2**24, max_queue=1,
        )  # fmt: skip
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        self._ending.set()
        for connection in self._server.connections:
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections.append(Connected(request.path, {k.lower(): v for k, v in request.headers.raw_items()}))
        key = {"/v1/speech-to-text/realtime": ("xi-api-key", "operators-eleven")}
        header, value = key.get(request.path.partition("?")[0], ("authorization", "operators-assembly"))
        refused = re.search(r"x_refuse=(\d+)", request.path)
        if refused:
            return connection.respond(HTTPStatus(int(refused[1])), "refused")
        if request.headers.get(header) != value:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        record = next(one for one in reversed(self.connections) if one.path == connection.request.path)
        asked = dict(part.partition("=")[::2] for part in record.path.partition("?")[2].split("&"))
        eleven = record.path.startswith("/v1/")
        try:
            await connection.send(
                '{"message_type":"session_started","session_id":"stand-in"}' if eleven
                else '{"type":"Begin","id":"stand-in","expires_at":4000000000}'
            )  # fmt: skip
            await self._converse(connection, record, asked)
        except ConnectionClosed:
            pass
        finally:
            record.closed = connection.close_code, connection.close_reason
            record.over.set()

    async def _converse(self, connection: ServerConnection, record: Connected, asked: dict[str, str]) -> None:
        for _ in range(int(asked.get("x_flood", 0))):
            await connection.send("x" * 1024)
        if "x_halves" in asked:
            await connection.send(self._halves(connection, record), text=True)
        if "x_deaf" in asked:
            connection.transport.pause_reading()
            await self._ending.wait()
        async for message in connection:
            record.heard.append(message)
            if "x_drop" in asked:
                connection.transport.abort()
            elif "x_close" in asked:
                code, _, reason = asked["x_close"].partition("-")
                await connection.close(int(code), reason.replace("+", " "))
            elif "x_echo" in asked:
                await connection.send(message)
            elif message == '{"type":"Terminate"}':
                await connection.send('{"type":"Termination"}')
                await connection.close(1000)

    async def _halves(self, connection: ServerConnection, record: Connected) -> AsyncIterator[bytes]:
        yield HALVES[0]
        await connection.ping()
        record.heard.append(await connection.recv())
        yield HALVES[1]
