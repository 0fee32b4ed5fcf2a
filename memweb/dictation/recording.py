"""The spool: what was recorded, on disk before it is acknowledged.

A spool is a file of frames exactly as the page sent them, appended to and never changed. `Spool.take` keeps a frame
in memory; one thread per process writes whatever all sessions have waiting and syncs it, a few times a second; only
then is it durable, may be acknowledged, and is forgotten here. Every recovery is the same: scan the file, cut a torn
tail, go on from the next number.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import queue
import sys
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings

from memweb.speech import frames

logger = logging.getLogger("memweb.dictation")

ROUND_SECONDS = 0.2  # from a first frame to its sync; each spool of the last round adds
SPOOL_SECONDS = 0.016  # up to
LONGEST_ROUND_SECONDS = 1.0  # a sync costs the same however much it covers
RETRY_SECONDS = 1.0  # after a failed write; doubles up to
LONGEST_RETRY_SECONDS = 8.0
MOST_WAITING = 1 << 20  # bytes: above this a page is not read from until the disk has caught up
KEPT_SAMPLES = frames.RATE // 5  # durable audio that stays in memory, so that the relay needs no reading
INDEX_EVERY = 64  # frames
READ_BLOCK = 32 * 1024
SCAN_BLOCK = 1 << 20


class Taken(Enum):
    """What became of a frame."""

    NEW = "new"
    OLD = "old"  # had before: nothing to do
    HOLE = "hole"  # an earlier one is missing: ask for it
    UNWRITABLE = "unwritable"  # the disk takes nothing just now: it will be asked for again


class Held(OSError):
    """Another process writes this spool: one that ends, or that a page's connections went to before."""


def spool_path(record_id: UUID) -> Path:
    return Path(settings.SPOOL_DIR) / f"{record_id}.mwspool"


@dataclass(slots=True)
class _Recent:
    first: int
    number: int
    frame: bytes


@dataclass
class Spool:
    """One recording's file, owned by the event loop. Positions are samples; frames count from 0."""

    path: Path
    next: int = 0
    """The number of the frame wanted next."""
    samples: int = 0
    """How many samples came so far, durable or not."""
    durable: int = 0
    """All frames before this number are on disk."""
    safe_samples: int = 0
    wall_ms: float | None = None
    """The page's clock at the last durable frame, where it is known: it tells whose frame that is."""
    size: int = 0
    """Bytes known to be on disk."""
    trouble: OSError | None = None
    """Why the disk takes nothing just now."""
    changed: Callable[[], None] = lambda: None
    """Called on the loop when more is durable, or when writing failed."""
    _waiting: list[bytes] = field(default_factory=list)
    waiting_bytes: int = 0
    _recent: deque[_Recent] = field(default_factory=deque)
    _index: list[tuple[int, int]] = field(default_factory=list)  # (first sample, offset) of every 64th frame
    _retry_at: float = 0.0
    _failures: int = 0
    _cursor: tuple[int, int] = (0, 0)  # where the last read from disk ended: (sample, offset)
    _file: int = -1
    relieved: asyncio.Event = field(default_factory=asyncio.Event)

    # --- taking frames --------------------------------------------------------------------------------

    def take(self, message: bytes, now: float) -> Taken:
        """Keep a frame for the next write. Raises frames.BadFrame."""
        header = frames.parse(message)
        if header.number < self.next:
            return Taken.OLD
        if self.trouble is not None and now < self._retry_at:
            return Taken.UNWRITABLE
        if header.number > self.next:
            return Taken.HOLE
        self._waiting.append(message)
        self.waiting_bytes += len(message)
        self._recent.append(_Recent(self.samples, header.number, message))
        self.next += 1
        self.samples += header.samples
        return Taken.NEW

    def wants_another_try(self, now: float) -> bool:
        """Whether the disk refused, and it is time to ask the page for what it refused."""
        return self.trouble is not None and now >= self._retry_at and not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the disk that no more should be read from the page."""
        return self.waiting_bytes > MOST_WAITING

    async def settled(self) -> None:
        """Return when nothing waits for the disk: what came is durable, or was refused."""
        while self.next > self.durable:
            self.relieved.clear()
            await self.relieved.wait()

    # --- reading for a replay -------------------------------------------------------------------------

    def read(self, start: int, end: int) -> bytes:
        """The s16le samples [start, end), from memory where they are recent, else from the file."""
        if self._recent:
            last = self._recent[-1]
            if last.first <= start:
                at = frames.HEADER_SIZE - 2 * last.first
                return last.frame[at + 2 * start : at + 2 * end]
            if self._recent[0].first <= start:
                return self._from_memory(start, end)
            if self._recent[0].first < end:
                middle = self._recent[0].first
                return self._from_file(start, middle) + self._from_memory(middle, end)
        return self._from_file(start, end)

    def _from_memory(self, start: int, end: int) -> bytes:
        pieces = []
        for recent in self._recent:
            samples = (len(recent.frame) - frames.HEADER_SIZE) // 2
            low, high = max(start - recent.first, 0), min(end - recent.first, samples)
            if low < high:
                pieces.append(recent.frame[frames.HEADER_SIZE + 2 * low : frames.HEADER_SIZE + 2 * high])
        return b"".join(pieces)

    def _from_file(self, start: int, end: int) -> bytes:
        sample, offset = self._before(start)
        pieces: list[bytes] = []
        while sample < end and offset < self.size:
            block = os.pread(self._descriptor(), min(READ_BLOCK, self.size - offset), offset)
            found, _ = frames.read(block)
            if not found:
                raise OSError(f"the spool {self.path.name} cannot be read at byte {offset}")
            for frame in found:
                samples = frame.header.samples
                low, high = max(start - sample, 0), min(end - sample, samples)
                if low < high:
                    pieces.append(frame.pcm[2 * low : 2 * high])
                if sample + samples > end:
                    break
                sample += samples
                offset += frame.header.size
            else:
                continue
            break
        self._cursor = (sample, offset)
        return b"".join(pieces)

    def walls(self, first: int, most: int) -> list[float | None]:
        """The page's clocks at the durable frames from number `first` on, where they are known. Raises OSError."""
        if not 0 <= first < self.durable or not self._index:
            return []  # or a recording that is sealed
        number, offset = first - first % INDEX_EVERY, self._index[first // INDEX_EVERY][1]
        found: list[float | None] = []
        while offset < self.size and len(found) < most:
            header = frames.parse_header(os.pread(self._descriptor(), frames.HEADER_SIZE, offset))
            if number >= first:
                found.append(header.known_wall_ms)
            number, offset = number + 1, offset + header.size
        return found

    def _before(self, start: int) -> tuple[int, int]:
        at = bisect_right(self._index, (start, 1 << 62)) - 1
        best = self._index[at] if at >= 0 else (0, 0)
        return max(best, self._cursor) if self._cursor[0] <= start else best

    def _descriptor(self) -> int:
        """The open file, which no other process can have meanwhile. Raises Held."""
        if self._file < 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                # Two that append and cut torn tails would cut off what the other has acknowledged.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(file)
                raise Held(errno.EBUSY, "another process writes this spool") from error
            self._file = file
            if fresh:
                sync_folder(self.path.parent)
        return self._file

    # --- for the spooler ------------------------------------------------------------------------------

    def swap(self) -> list[bytes]:
        """What waits; from now on it is the spooler's."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def write(self, waiting: list[bytes]) -> None:
        """On the spooler's thread: append, for `sync` to wait for. As long as before on an error. Raises OSError."""
        file = self._descriptor()
        data = b"".join(waiting)
        try:
            if os.fstat(file).st_size != self.size:
                os.ftruncate(file, self.size)  # what an earlier failure left behind
            written = 0
            while written < len(data):
                written += os.write(file, data[written:])
            if sys.platform == "linux":  # has the disk begin now, not when it is waited for
                os.posix_fadvise(file, self.size, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            os.ftruncate(file, self.size)
            raise

    def sync(self) -> None:
        """On the spooler's thread: wait until all of the file is on disk. Errors as with `write`."""
        file = self._descriptor()
        try:
            os.fsync(file)
        except OSError:
            os.ftruncate(file, self.size)
            raise

    def written(self, waiting: list[bytes]) -> None:
        """On the loop: these frames are durable."""
        for message in waiting:
            if self.durable % INDEX_EVERY == 0:
                self._index.append((self.safe_samples, self.size))
            self.durable += 1
            self.safe_samples += (len(message) - frames.HEADER_SIZE) // 2
            self.size += len(message)
            self.waiting_bytes -= len(message)
        self.wall_ms = frames.parse_header(waiting[-1]).known_wall_ms
        recent = self._recent
        while recent and recent[0].number < self.durable and recent[0].first < self.samples - KEPT_SAMPLES:
            recent.popleft()
        self.trouble, self._failures = None, 0
        self._after()

    def failed(self, error: OSError, now: float) -> None:
        """On the loop: nothing of what waited is on disk. The page still has it and will be asked again."""
        self._waiting.clear()
        self.waiting_bytes = 0
        self.next, self.samples = self.durable, self.safe_samples
        while self._recent and self._recent[-1].number >= self.durable:
            self._recent.pop()
        wait = min(LONGEST_RETRY_SECONDS, RETRY_SECONDS * 2.0**self._failures)
        self.trouble, self._retry_at = error, now + wait
        self._failures += 1
        self._after()

    def _after(self) -> None:
        if not self.is_full:
            self.relieved.set()
        self.changed()

    def close(self) -> None:
        """Let go of the file. Reading or writing opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # --- recovery -------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path) -> Spool:
        """The spool of this path, scanned, a torn tail cut off. An empty one where there is no file. Blocks.

        Raises Held.
        """
        spool = cls(path)
        if not path.exists():
            return spool
        file = spool._descriptor()
        rest = b""
        while block := os.pread(file, SCAN_BLOCK, spool.size + len(rest)):
            found, used = frames.read(rest + block)
            good = spool._count(found)
            rest = (rest + block)[used:]
            if not good or len(rest) > frames.MAX_FRAME:
                break
        end = os.fstat(file).st_size
        if end > spool.size:
            logger.warning("a torn tail of %d bytes was cut off the spool %s", end - spool.size, path.stem)
            os.ftruncate(file, spool.size)
            os.fsync(file)
        return spool

    def _count(self, found: list[frames.Frame]) -> bool:
        for frame in found:
            if frame.header.number != self.durable:
                return False
            if self.durable % INDEX_EVERY == 0:
                self._index.append((self.safe_samples, self.size))
            self.durable += 1
            self.safe_samples += frame.header.samples
            self.size += frame.header.size
            self.wall_ms = frame.header.known_wall_ms
        self.next, self.samples = self.durable, self.safe_samples
        return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


_Round = list[tuple[Spool, list[bytes]]]
_Outcomes = list[tuple[Spool, list[bytes], OSError | None]]


class Spooler:
    """The one thread that writes: all sessions' frames, in rounds. One per event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spools: dict[int, Spool] = {}
        self._rounds: queue.SimpleQueue[_Round | None] = queue.SimpleQueue()
        self._seconds = ROUND_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name="memweb-spooler", daemon=True)
        self._thread.start()

    def add(self, spool: Spool) -> None:
        """This spool has frames waiting."""
        self._spools[id(spool)] = spool
        if self._timer is None and not self._busy:
            self._schedule()

    def hurry(self) -> None:
        """Write what waits without waiting for more."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin()

    async def flush(self) -> None:
        """Return when everything that waits now was written, or could not be."""
        self.hurry()
        await self._idle.wait()

    async def close(self) -> None:
        """Write what waits, then end the thread."""
        await self.flush()
        self._rounds.put(None)
        await asyncio.to_thread(self._thread.join, 5.0)

    def _schedule(self) -> None:
        self._idle.clear()
        self._timer = self._loop.call_later(self._seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        spools, self._spools = self._spools, {}
        work = [(spool, waiting) for spool in spools.values() if (waiting := spool.swap())]
        self._seconds = min(LONGEST_ROUND_SECONDS, ROUND_SECONDS + SPOOL_SECONDS * len(work))
        if work:
            self._busy = True
            self._rounds.put(work)
        else:
            self._idle.set()

    def _work(self) -> None:
        while (work := self._rounds.get()) is not None:
            outcomes = _keep(work)
            try:
                self._loop.call_soon_threadsafe(self._end, outcomes)
            except RuntimeError:  # the loop is gone: what was written is found by the next scan
                return

    def _end(self, outcomes: _Outcomes) -> None:
        self._busy = False
        for spool, waiting, error in outcomes:
            if error is None:
                spool.written(waiting)
            else:
                logger.warning("the spool %s cannot be written: %s", spool.path.stem, error.strerror)
                spool.failed(error, self._loop.time())
        if self._spools:
            self._schedule()
        else:
            self._idle.set()


def _keep(work: _Round) -> _Outcomes:
    """Append to every file, then wait for each: the disk takes them together, with half the waiting."""
    written = [(spool, waiting, _refusal(partial(spool.write, waiting))) for spool, waiting in work]
    return [(spool, waiting, error or _refusal(spool.sync)) for spool, waiting, error in written]


def _refusal(attempt: Callable[[], None]) -> OSError | None:
    try:
        attempt()
    except OSError as error:
        return error
    return None
