"""Media of any kind as PCM s16le 16 kHz, decoded in a child process that has next to no rights (see `decoder`)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from memweb.engines import forks, process, wire
from memweb.media.errors import TOO_HARD, Died, NotMedia, Stuck
from memweb.media.kinds import HEAD, demuxer, is_short

__all__ = ["Died", "Info", "Media", "NotMedia", "Pipe", "Stuck", "pipe", "probe", "recording"]

LONGEST_MS = 24 * 3_600_000
MEMORY = 256 << 20
"""What decoding may take on top of the libraries."""
MEMORY_OF_OURS = 1 << 30
"""The same for a file of somebody who lives here: the index of a long film is large."""
PIECE = 1 << 16
LARGE_PIECE = 10 * 32_000
CPU_S = 900
"""Sound alone is decoded hundreds of times faster than it lasts."""
SILENT_S = 60.0
"""A decoder that gives nothing for so long, while it is waited for, hangs."""
STUCK = "Reading this file did not come to an end. It may be damaged."


@dataclass(frozen=True, slots=True)
class Info:
    """What a file says of itself; what is true comes out while decoding."""

    format: str
    codec: str
    channels: int
    rate: int
    duration_ms: int | None
    sound_ms: int | None
    """How long its sound says it is; as `duration_ms` where it says nothing."""
    video: bool


class Media:
    """A file being decoded. Use as a context; the child ends with it.

    `channel` takes one channel alone, else all are mixed to one. `start_ms` and `end_ms` bound what is given out.
    `lenient`: where the decoder dies on the way, what it gave counts.
    """

    def __init__(
        self,
        path: Path,
        *,
        channel: int | None = None,
        start_ms: int = 0,
        end_ms: int | None = None,
        only: bool = False,
        lenient: bool = False,
        piece: int = PIECE,
        memory: int | None = None,
    ) -> None:
        self._path, self._channel, self._probe = path, channel, only
        self._first, self._last = start_ms * 32, None if end_ms is None else end_ms * 32
        self._lenient, self._piece, self._memory = lenient, piece, MEMORY if memory is None else memory
        self.decoded_ms = 0
        """Of the whole file, so far."""
        self.damaged = False
        """Whether something in it could not be decoded and was passed over."""
        self._whole = True

    def __enter__(self) -> Self:
        """Raises NotMedia."""
        with self._path.open("rb", buffering=0) as file:
            head = file.read(HEAD)
            what = _what(
                channel=self._channel, probe=self._probe, format=demuxer(head), piece=self._piece, memory=self._memory
            )
            self._short = is_short(head, os.fstat(file.fileno()).st_size)
            file.seek(0)
            self._start(file, what)
        try:
            head, _ = self._read()
            self.info = _info(head)
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, file: BinaryIO, what: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        self._reading: BinaryIO = os.fdopen(reading, "rb")
        with os.fdopen(writing, "wb", buffering=0):
            self._child = _decoders.fork(what, file.fileno(), writing)

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child, in whatever it is doing."""
        self._child.kill()
        self._reading.close()

    @property
    def cut(self) -> bool:
        """After the last piece: whether the file ends before it says it does, or the rest of it cannot be read."""
        told = self.info.sound_ms
        return self._short or not self._whole or (told is not None and self.decoded_ms < told * 0.98 - 1000)

    def pieces(self) -> Iterator[bytes]:
        """PCM as it is decoded. Raises NotMedia, also in the middle where the rest may not be read."""
        at = 0
        while True:
            try:
                head, body = self._read()
            except Died:
                if not (self._lenient and at):
                    raise
                self.damaged, self._whole = True, False
                return
            if head["t"] == "end":
                self.damaged, self._whole = head["damaged"], head["whole"]
                return
            end = at + len(body)
            self.decoded_ms = end // 32
            piece = body[max(0, self._first - at) : None if self._last is None else max(0, self._last - at)]
            at = end
            if piece:
                yield piece
            if self._last is not None and at >= self._last:
                return

    def _read(self) -> wire.Frame:
        if not wire.comes(self._reading, SILENT_S):
            raise Stuck(STUCK)
        return _told(wire.read(self._reading))


def recording(path: Path) -> Media:
    """A file that somebody brings to their own library: read as far as it goes, in pieces of ten seconds."""
    return Media(path, lenient=True, piece=LARGE_PIECE, memory=MEMORY_OF_OURS)


def probe(path: Path) -> Info:
    """What the file is. Raises NotMedia with the reason why it is nothing that can be read. Blocking."""
    with Media(path, only=True) as media:
        return media.info


class Pipe:
    """A stream being decoded: bytes in, PCM out, as they come. Use as an asynchronous context."""

    def __init__(self, format: str | None) -> None:
        self._format = format
        self.info: Info | None = None
        """Known once the first PCM has come."""

    async def __aenter__(self) -> Self:
        reading, writing = os.pipe()
        what = _what(stream=True, format=self._format)
        try:
            self._child = await asyncio.create_subprocess_exec(
                *_COMMAND, str(writing), json.dumps(what),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, pass_fds=(writing,),
                env=process.environment(),
            )  # fmt: skip
        finally:
            os.close(writing)
        self._reader = asyncio.StreamReader(limit=1 << 18)
        pipe_end = os.fdopen(reading, "rb")
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), pipe_end
        )
        return self

    async def __aexit__(self, *raised: object) -> None:
        with suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
        self._transport.close()

    async def feed(self, data: bytes) -> None:
        """Give the decoder what came; waits while it is behind. What comes after its end is dropped."""
        assert self._child.stdin is not None
        with suppress(ConnectionError):
            self._child.stdin.write(data)
            await self._child.stdin.drain()

    def end(self) -> None:
        """No more will come: the rest is decoded, and `pieces` ends."""
        assert self._child.stdin is not None
        self._child.stdin.close()

    async def pieces(self) -> AsyncIterator[bytes]:
        """PCM as it is decoded. Raises NotMedia. Read it while feeding: pipes are short."""
        while True:
            head, body = _told(await wire.receive(self._reader))
            if head["t"] == "end":
                return
            if head["t"] == "info":
                self.info = _info(head)
            elif body:
                yield body


def pipe(format: str | None = None) -> Pipe:
    """Decode a stream of bytes in real time. `format` is FFmpeg's name for the container ("mpegts", "flv", "aac", ...),
    where it is known; else the first bytes say."""
    return Pipe(format)


_COMMAND = (sys.executable, "-m", "memweb.media.decoder")
_decoders = forks.ForkServer("memweb.media.decoder")
"""Files are many and short: theirs are forked. A stream's decoder lasts, and is started anew."""


def _what(**more: Any) -> dict[str, Any]:
    return {"stream": False, "piece": PIECE, "most_ms": LONGEST_MS, "memory": MEMORY, "cpu_s": CPU_S} | more


def _info(head: wire.Head) -> Info:
    return Info(**{name: head[name] for name in Info.__slots__})


def _told(frame: wire.Frame | None) -> wire.Frame:
    """The frame, unless it says that this is no media, or the child was ended for taking too much."""
    if frame is None:
        raise Died(TOO_HARD)
    if frame[0]["t"] == "refused":
        raise NotMedia(frame[0]["message"])
    return frame
