"""RTMP and RTSP as PCM: FFmpeg speaks them in a process whose only way out is a relay that is held here.

The child gives its network away, makes a listening socket on the loopback of its own empty one, and hands that to the
parent. Whatever it connects to there is joined to the address that was looked at, and to nothing else. Where the
system lets no process give its network away the socket is on this machine's loopback, and FFmpeg's protocols are
limited to the one that was asked for. TLS is spoken by the relay, which knows the name to check.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import certifi

from memweb.engines import process, wire
from memweb.gateway.guard import CONNECT_S, Target

READY_S = 20.0
_BLOCK = 1 << 16
_MOVED = re.compile(rb"RTSP/1\.0 3\d\d")


@dataclass
class Sound:
    """What the child decodes."""

    reader: asyncio.StreamReader

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """PCM as it comes, until the connection ends; none where nothing could be read."""
        while (frame := await wire.receive(self.reader)) is not None:
            head, body = frame
            if head["t"] == "refused":
                return  # not there, or not to be understood: which of them, a server seldom says
            if head["t"] == "pcm" and body:
                yield body


@asynccontextmanager
async def tuned(target: Target) -> AsyncIterator[Sound]:
    """The source at this target, decoded. The child ends with the context."""
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair()
    try:
        ours.sendall(_what(target).encode())  # not as an argument: everybody on the machine may read those
        ours.shutdown(socket.SHUT_WR)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "memweb.gateway.tuner_child", str(writing), str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(writing, theirs.fileno()), env=process.environment(),
        )  # fmt: skip
    finally:
        os.close(writing)
        theirs.close()
    reader = asyncio.StreamReader(limit=1 << 18)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb"))
    relay = Relay(target)
    try:
        listening = await loop.run_in_executor(None, _listening_socket, ours)
        async with await asyncio.start_server(relay.join, sock=listening, limit=_BLOCK):
            yield Sound(reader)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        await relay.close()
        transport.close()
        ours.close()


def _what(target: Target) -> str:
    """What the child needs to know: the path, and how the server is called, in parts that were looked at."""
    parts = urlsplit(target.url)
    user, _, _ = parts.netloc.rpartition("@")
    return json.dumps(
        {
            "protocol": target.scheme.rstrip("s"),
            "user": f"{user}@" if user else "",
            "path": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            "server": f"{target.scheme}://{parts.netloc.rpartition('@')[2]}",
        }
    )


def _listening_socket(link: socket.socket) -> socket.socket:
    link.settimeout(READY_S)
    _, descriptors, _, _ = socket.recv_fds(link, 1, 1)
    if not descriptors:
        raise ConnectionError("the child has no socket to give")
    return socket.socket(fileno=descriptors[0])


class Relay:
    """Joins what the child connects to with the one address it is meant for."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._joined: set[asyncio.Task[None]] = set()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        try:
            far_reader, far_writer = await self._connect()
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, far_writer))
                    both.create_task(_pump(far_reader, writer, watched=self._target.scheme.startswith("rtsp")))
            finally:
                far_writer.close()
        except (OSError, ExceptionGroup, TimeoutError):
            pass  # the child sees its end of it
        finally:
            writer.close()
            self._joined.discard(task)

    async def close(self) -> None:
        joined = list(self._joined)
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the first of the addresses that answers."""
        secure = self._target.scheme in ("rtmps", "rtsps")
        context = ssl.create_default_context(cafile=certifi.where()) if secure else None
        failure: OSError = ConnectionError("no address")
        for address in self._target.addresses:
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection(
                        address, self._target.port, ssl=context, server_hostname=self._target.host if secure else None
                    )
            except OSError as error:
                failure = error
        raise failure


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watched: bool = False) -> None:
    """Pass on until the end. An RTSP server that sends elsewhere is cut off."""
    before = b""
    while data := await reader.read(_BLOCK):
        if watched and _MOVED.search(before + data):
            raise ConnectionError("the server sends elsewhere")
        before = data[-11:]
        writer.write(data)
        await writer.drain()
    raise ConnectionError("the end")
