"""The dictation page without a browser: speaks the page socket exactly, keeps what is not acknowledged, reconnects."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html as markup
import json
import random
import re
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from memweb.speech import frames
from tests.running import RunningServer
from tests.upstream_simulator import SAMPLES, numbered_pcm
from tests.waiting import PATIENCE

PING_SECONDS = 4.0
DEAD_SECONDS = 9.0
FINAL_CODES = {4401, 4403, 4404, 4409, 4413}
PHRASE = re.compile(r'<p id="s-([^"]+)"([^>]*)>([^<]*)</p>')


def uuid7() -> uuid.UUID:
    """As the page makes them."""
    stamp = int(time.time() * 1000).to_bytes(6, "big")
    tail = bytearray(random.randbytes(10))
    tail[0], tail[2] = 0x70 | tail[0] & 0x0F, 0x80 | tail[2] & 0x3F
    return uuid.UUID(bytes=stamp + bytes(tail))


def frame(
    number: int, pcm: bytes | None = None, *, flags: int = 0, first: int | None = None, wall: float = 1.0e12
) -> bytes:
    """Frame `number` as the page builds it; with numbered sound unless given some."""
    pcm = numbered_pcm(number) if pcm is None else pcm
    samples = len(pcm) // 2
    peak = min(65535, max(abs(value) for (value,) in struct.iter_unpack("<h", pcm)) * 2)
    header = frames.FrameHeader(number, samples, flags, peak, float(number * SAMPLES if first is None else first), wall)
    return frames.build(header, pcm)


@dataclass
class PageClient:
    """One tab. `link` keeps a connection; `record` makes frames; what was acknowledged is let go."""

    server: RunningServer
    cookies: dict[str, str]
    record_id: uuid.UUID = field(default_factory=uuid7)
    provider: str = "assemblyai"
    language: str = "en"
    intent: str = "record"
    origin: str | None = None
    started: float = 1_700_000_000_000
    clock: float = 1.0e12
    """What its device's clock said when its first frame began."""
    kept: dict[int, bytes] = field(default_factory=dict)
    made: int = 0
    acked: int = 0
    wanted: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    messages: list[dict[str, Any]] = field(default_factory=list)
    log: dict[str, str] = field(default_factory=dict)
    """What the transcript shows: key to text."""
    doubled: list[str] = field(default_factory=list)
    """Keys that were appended although they were shown already: never right."""
    revision: int = -1
    finishing: bool = False
    ended_url: str = ""
    refused: int = 0
    connections: int = 0
    pings: bool = True
    """False: its timers sleep, and it only answers."""
    _socket: ClientConnection | None = None
    _task: asyncio.Task[None] | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _pinged: float = 0.0
    _woken: bool = False

    async def __aenter__(self) -> PageClient:
        self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def open(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._link())

    async def close(self) -> None:
        """The tab is closed, or reloaded: what it kept stays kept."""
        if self._task is not None:
            while not self._task.done():
                self._task.cancel()  # more than once: Python 3.11's wait_for may swallow one
                await asyncio.wait({self._task}, timeout=1)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def reloaded(self) -> PageClient:
        """The page after a reload: the same session and the frames the browser kept, nothing else."""
        return PageClient(
            self.server, self.cookies, self.record_id, self.provider, self.language, self.intent, self.origin,
            self.started, self.clock, dict(self.kept), self.made, self.acked, digest=self.digest,
            finishing=self.finishing,
        )  # fmt: skip

    # --- recording ------------------------------------------------------------------------------------

    def make(self, pcm: bytes | None = None) -> None:
        """One frame from the microphone."""
        pcm = numbered_pcm(self.made) if pcm is None else pcm
        self.digest.update(pcm)
        self.kept[self.made] = frame(self.made, pcm, wall=self.wall(self.made))
        self.made += 1
        self._more.set()

    def wall(self, number: int) -> float:
        """This device's clock in frame `number`."""
        return self.clock + 100 * number

    async def record(self, count: int, *, interval: float = 0.02) -> None:
        """Make `count` frames, one each `interval` seconds (a microphone makes one each 0.1)."""
        for _ in range(count):
            self.make()
            await asyncio.sleep(interval)

    def finish(self) -> None:
        self.finishing = True
        self._more.set()

    async def say(self, **message: Any) -> None:
        """Send a message now, or as soon as there is a connection."""
        await self.until(lambda: self._socket is not None, "a connection")
        assert self._socket is not None
        await self._socket.send(json.dumps(message))

    async def send_raw(self, data: bytes | str) -> None:
        await self.until(lambda: self._socket is not None, "a connection")
        assert self._socket is not None
        await self._socket.send(data)

    def cut(self) -> None:
        """The network is gone: reset the connection; the client goes on by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    # --- what came back -------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        return " ".join(self.log.values())

    @property
    def sha256(self) -> str:
        """Of all samples made so far."""
        return self.digest.hexdigest()

    def last(self, kind: str) -> dict[str, Any] | None:
        return next((message for message in reversed(self.messages) if message["t"] == kind), None)

    def states(self) -> list[str]:
        return [message["state"] for message in self.messages if message["t"] == "state"]

    async def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something holds; AssertionError when it does not in time."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                told = [message for message in self.messages if message["t"] not in ("pong", "partial")][-6:]
                raise AssertionError(
                    f"waited {seconds:.0f} s for {what}; made {self.made}, acked {self.acked}, log {len(self.log)}, "
                    f"refused {self.refused}, last {told}\n{self.server.log()[-3000:]}"
                )
            await asyncio.sleep(0.02)

    async def ended(self, seconds: float = PATIENCE) -> str:
        """Finish, and wait until the server says it is over; the record's address."""
        self.finish()
        await self.until(lambda: bool(self.ended_url), "the end", seconds)
        return self.ended_url

    # --- the line -------------------------------------------------------------------------------------

    async def _link(self) -> None:
        tries = 0
        while not self.ended_url and not self.refused:
            try:
                async with connect(
                    f"{self.server.ws_url}/ws/dictation/{self.record_id}/",
                    origin=self.origin or self.server.origin,  # type: ignore[arg-type]
                    additional_headers={"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())},
                    compression=None, ping_interval=None, open_timeout=10, close_timeout=1,
                ) as socket:  # fmt: skip
                    self.connections += 1
                    tries = 0
                    await self._talk(socket)
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
                if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code in FINAL_CODES:
                    self.refused = error.rcvd.code
                    return
            finally:
                self._socket = None
            tries += 1
            await asyncio.sleep(random.random() * min(4.0, 0.2 * 2**tries))

    async def _talk(self, socket: ClientConnection) -> None:
        greeting = json.loads(await asyncio.wait_for(socket.recv(), DEAD_SECONDS))
        self._read(greeting)
        if greeting["t"] == "resume":
            opening = {
                "t": "open", "provider": self.provider, "language": self.language, "title": "",
                "started": self.started, "rate": 48000, "rev": self.revision, "intent": self.intent,
            }  # fmt: skip
            await socket.send(json.dumps(opening))
            self._socket = socket
        sending = asyncio.get_running_loop().create_task(self._send(socket))
        try:
            while not self.ended_url:
                self._read(json.loads(await asyncio.wait_for(socket.recv(), DEAD_SECONDS)))
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sending

    async def _send(self, socket: ClientConnection) -> None:
        self._pinged, finish_sent = time.monotonic(), False
        while True:
            while self.wanted < self.made:
                await socket.send(self.kept[self.wanted])
                self.wanted += 1
            if self.finishing and not finish_sent:
                await socket.send(json.dumps({"t": "finish", "next": self.made}))
                finish_sent = True
            if self._woken or (self.pings and self._may_ping()):
                self._woken, self._pinged = False, time.monotonic()
                await socket.send('{"t":"ping"}')
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), 0.25)

    def _may_ping(self) -> bool:
        return time.monotonic() - self._pinged > PING_SECONDS

    def _read(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        match message["t"]:
            case "resume":
                self._acknowledged(message["next"])
                self.wanted = message["next"]
                self.made = max(self.made, message["next"])
            case "ack":
                self._acknowledged(message["next"])
            case "html":
                self._swap(message["html"])
                self.revision = message["rev"]
            case "pong" if self._may_ping():
                self._woken = True
                self._more.set()
            case "ended":
                self.ended_url = message["url"]

    def _acknowledged(self, upto: int) -> None:
        for number in range(self.acked, upto):
            self.kept.pop(number, None)
        self.acked = max(self.acked, upto)
        self._more.set()

    def _swap(self, html: str) -> None:
        if 'hx-swap-oob="innerHTML:#log"' in html:
            self.log.clear()
        for key, attributes, text in PHRASE.findall(html):
            if key in self.log and "hx-swap-oob" not in attributes:
                self.doubled.append(key)
            self.log[key] = markup.unescape(text).strip()
