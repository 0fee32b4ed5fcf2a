"""A TCP proxy whose lines can go dead without a word, as behind a router that lost its power."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import Literal, Self

from memweb import wire

Side = Literal["client", "server"]


@dataclass
class Line:
    """One connection through a `Passage`. Moments are of `time.monotonic`."""

    began_at: float
    request: bytes = b""
    """The first of what the client said."""
    dead: bool = False
    """What either side says is read and thrown away; neither is told."""
    let_go: dict[Side, float] = field(default_factory=dict)
    """When a side gave it up: by a WebSocket's close, or by ending the connection."""

    def __post_init__(self) -> None:
        self._ears = {side: wire.Reader(masked=side == "client", limit=2**20) for side in ("client", "server")}

    def swallow(self, side: Side, data: bytes) -> None:
        self._ears[side].feed(data)
        with contextlib.suppress(wire.Violation):
            while (message := self._ears[side].next()) is not None:
                if message[0] == wire.CLOSE:
                    self.end(side)

    def end(self, side: Side) -> None:
        self.let_go.setdefault(side, time.monotonic())


class Passage:
    """Leads from `port` to the one given. Runs on a loop and thread of its own."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.lines: list[Line] = []
        self.is_closed = False
        """Whether lines that begin are dead, too."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def kill(self, request: bytes) -> tuple[Line, float]:
        """The last line that asked for this goes dead; and when."""
        line = next(line for line in reversed(self.lines) if request in line.request)
        line.dead = True
        return line, time.monotonic()

    async def _start(self) -> asyncio.Server:
        self._busy: set[asyncio.Task[None]] = set()
        return await asyncio.start_server(self._lead, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        line = Line(time.monotonic(), dead=self.is_closed)
        self.lines.append(line)
        other = writer
        try:
            beyond, other = await asyncio.open_connection("127.0.0.1", self.to)
            await asyncio.gather(
                self._carry(line, "client", reader, other), self._carry(line, "server", beyond, writer)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._busy.discard(task)
            for one in (writer, other):
                one.transport.abort()

    async def _carry(self, line: Line, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                if line.dead:
                    line.swallow(side, data)
                    continue
                if side == "client":
                    line.request = line.request or data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        line.end(side)
        if not line.dead:
            writer.close()
