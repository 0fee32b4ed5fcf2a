"""The engine workers of this process: started on first use, mended when they break, ended when long unused.

A pool belongs to one event loop. A worker that dies is started again and every stream tells it again what is not yet
settled, so a native crash costs a moment and no words.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import time
from contextlib import suppress
from typing import Protocol
from weakref import WeakKeyDictionary

from django.conf import settings

from memweb.engines import load, process, wire
from memweb.engines.errors import AtCapacity, EngineMissing
from memweb.places import SharedPlaces

log = logging.getLogger(__name__)

UNUSED_S = 600
"""A worker without streams gives its memory back after so long."""
ENOUGH = 2
"""Streams a worker has before another is started beside it."""
TOO_MANY_CRASHES = 4
CRASH_WINDOW_S = 30.0
START_AGAIN_S = 1.0
"""So long after a process could not be started: what the system lacks may be there again."""
WEIGHTS = {"moonshine": 1, "whisper": 2}
"""Live places one stream of an engine takes."""
_shared = SharedPlaces("live-places")
"""All live places of this machine: several processes have pools, and its cores are the same for all."""


class Client(Protocol):
    """A stream as a worker's parent side sees it."""

    number: int

    def retell(self) -> list[bytes]:
        """Frames that bring a fresh worker to where this stream is."""

    def take(self, head: wire.Head) -> None:
        """Take what the worker said about this stream."""

    def fail(self, message: str) -> None:
        """The worker cannot be kept alive."""

    @property
    def lag_ms(self) -> int: ...


class WorkerProcess:
    """One engine process and the streams on it."""

    def __init__(self, kind: str, hello: wire.Head) -> None:
        self.kind = kind
        self.engine = ""
        self.load_ms = 0
        self.ready = asyncio.Event()  # the model is loaded, at least once
        self.restarts = 0
        self.clients: dict[int, Client] = {}
        self._places: dict[int, list[int]] = {}
        self.unused_since = time.monotonic()
        self._hello = hello
        self._crashes: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task = asyncio.create_task(self._live(), name=f"engine-{kind}")
        self.closing = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def add(self, client: Client, places: list[int]) -> None:
        """Serve this stream, which holds these places until it is removed."""
        self.clients[client.number] = client
        self._places[client.number] = places
        self._write(*client.retell())

    def remove(self, number: int) -> None:
        if self.clients.pop(number, None) is not None:
            _release(self._places.pop(number, []))
            self.send({"t": "close", "s": number})
            self.unused_since = time.monotonic()

    def send(self, head: wire.Head, body: bytes = b"") -> None:
        """Send if the worker is up; if it is not, `retell` will say it when it is."""
        self._write(wire.pack(head, body))

    def _write(self, *frames: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.writelines(frames)

    async def _live(self) -> None:
        try:
            while not self.closing:
                try:
                    reader, writer = await self._start()
                except OSError as error:  # no descriptor, no memory, no process left
                    ended, pause = f"a start that failed ({error.strerror})", START_AGAIN_S
                else:
                    ended, pause = await self._listen(reader, writer), 0.0
                if not self.closing and self._may_restart(ended):
                    await asyncio.sleep(pause)
        except Exception:  # of our own: no stream may wait for a worker that nobody listens to
            log.exception("engine %s is given up", self.kind)
            if self._writer is not None:
                self._writer.close()
        finally:
            self._give_up()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Take what the process says until it ends; return how it did."""
        self._writer = writer
        for client in self.clients.values():
            self._write(*client.retell())
        while frame := await wire.receive(reader):
            self._take(frame[0])
        self._writer = None
        writer.close()
        return str(await asyncio.to_thread(self._ended))

    async def _start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = process.spawn("worker", self.kind, link=theirs)  # a few ms, and never half done
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        writer.write(wire.pack({"t": "hello"} | self._hello))
        return reader, writer

    def _take(self, head: wire.Head) -> None:
        if head["t"] == "ready":
            self.engine, self.load_ms = head["engine"], head["load_ms"]
            self.ready.set()
        elif (client := self.clients.get(head["s"])) is not None:
            client.take(head)

    def _ended(self) -> int:
        """Reap the process, which has closed its socket; make sure of it."""
        assert self._process is not None
        try:
            return self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _may_restart(self, ended: str) -> bool:
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < CRASH_WINDOW_S] + [now]
        self.restarts += 1
        log.warning("engine %s ended with %s; streams: %s", self.kind, ended, sorted(self.clients))
        if len(self._crashes) >= TOO_MANY_CRASHES:
            self._give_up()
        return not self.closing

    def _give_up(self) -> None:
        """No stream is served from here on, and each is told so; nothing where the worker was closed already."""
        if self.closing:
            return
        self.closing = True
        for client in list(self.clients.values()):
            client.fail("The speech engine stopped again and again. The recording goes on; try the words again later.")

    async def close(self) -> None:
        """End the process and wait until it has gone."""
        self.closing = True
        while self._places:
            _release(self._places.popitem()[1])
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None:
            self._process.terminate()
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        if self._process is not None:
            await asyncio.to_thread(self._ended)


class Pool:
    """Every worker of one event loop, and how many live places there are on this machine."""

    def __init__(self) -> None:
        self.workers: list[WorkerProcess] = []
        self._retiring: list[WorkerProcess] = []
        self.total: int = settings.LIVE_SLOTS
        self._numbers = 0
        self._publisher: asyncio.Task[None] | None = None

    @property
    def used(self) -> int:
        """Live places that this pool holds."""
        return sum(WEIGHTS[worker.kind] * len(worker.clients) for worker in self.workers)

    @property
    def lag_ms(self) -> int:
        return max((client.lag_ms for worker in self.workers for client in worker.clients.values()), default=0)

    def number(self) -> int:
        """A number no other stream of this pool has."""
        self._numbers += 1
        return self._numbers

    def place(self, kind: str, client: Client, hello: wire.Head) -> WorkerProcess:
        """Give a stream its place. Raises AtCapacity where other streams of this machine leave none."""
        places = self._take(WEIGHTS[kind])
        try:
            worker = self.worker(kind, hello)
            worker.add(client, places)
        except BaseException:
            _release(places)
            raise
        self._publish_soon()
        return worker

    def _take(self, count: int) -> list[int]:
        places: list[int] = []
        while len(places) < count:
            place = _shared.take(0, self.total)
            if place is None:
                _release(places)
                raise AtCapacity(self.total - len(places), self.total)
            places.append(place)
        return places

    def worker(self, kind: str, hello: wire.Head) -> WorkerProcess:
        """Return the least used worker of a kind, starting one more where there may be and it would help."""
        mine = [worker for worker in self.workers if worker.kind == kind and not worker.closing]
        most = settings.LIVE_WORKERS if kind == "moonshine" else 1
        if len(mine) < most and all(len(worker.clients) >= ENOUGH for worker in mine):
            mine.append(WorkerProcess(kind, hello))
            self.workers = [worker for worker in self.workers if not worker.closing] + [mine[-1]]
        if not mine:
            raise EngineMissing("The speech engine could not be started. Run `./run doctor` to see why.")
        return min(mine, key=lambda worker: len(worker.clients))

    def _publish_soon(self) -> None:
        if self._publisher is None or self._publisher.done():
            self._publisher = asyncio.create_task(self._publish(), name="engine-load")

    async def _publish(self) -> None:
        """Tell other processes how busy live work is, each second while there is any worker."""
        try:
            while self.workers:
                await asyncio.to_thread(load.publish, load.Load(self.used, self.total, self.lag_ms))
                await asyncio.sleep(1)
                await self._retire()
        finally:
            load.withdraw()

    async def _retire(self) -> None:
        now = time.monotonic()
        for worker in [each for each in self.workers if not each.clients and now - each.unused_since > UNUSED_S]:
            self.workers.remove(worker)
            self._retiring.append(worker)
            await worker.close()
            self._retiring.remove(worker)

    async def close(self) -> None:
        """End every worker."""
        workers, self.workers = self.workers, []
        if self._publisher is not None:
            self._publisher.cancel()  # perhaps in the middle of ending a worker: that is done again
            await asyncio.gather(self._publisher, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in [*workers, *self._retiring]))


def _release(places: list[int]) -> None:
    for place in places:
        _shared.release(place)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()


def current() -> Pool:
    """The pool of the running event loop, made on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        _pools[loop] = Pool()
    return _pools[loop]


async def close() -> None:
    """End the workers of the running event loop. For the server's shutdown, and for tests."""
    found = _pools.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
