"""The dictations alive in this process, one object each, and the clock that moves them."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from memweb.dictation import reading
from memweb.dictation.dictation import Dictation
from memweb.dictation.page import RESTARTING
from memweb.dictation.reading import Known, read
from memweb.dictation.rebuild import kept_count, open_spool
from memweb.dictation.recording import Spool, Spooler, spool_path
from transcripts import writer
from transcripts.errors import NotYours

logger = logging.getLogger("memweb.dictation")

TICK_SECONDS = 0.2
KEPT_SECONDS = 30.0  # how long a dictation without a page stays in memory once it rests


class Registry:
    """All dictations of one event loop."""

    def __init__(self) -> None:
        self._live: dict[UUID, Dictation] = {}
        self._opening: dict[UUID, asyncio.Lock] = {}
        self._spooler = Spooler()
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    def __contains__(self, record_id: UUID) -> bool:
        return record_id in self._live

    def __len__(self) -> int:
        return len(self._live)

    async def attend(self, record_id: UUID, user_id: int) -> Dictation:
        """The dictation of this id, from memory or from disk. Raises NotYours, and Held for one another process has."""
        lock = self._opening.setdefault(record_id, asyncio.Lock())
        async with lock:
            dictation = self._live.get(record_id)
            if dictation is None:
                known = await read(reading.look_up, record_id, user_id)
                spool = await read(_spool_of, record_id, known)
                dictation = Dictation(record_id, user_id, known, spool, self._spooler)
                self._live[record_id] = dictation
        self._opening.pop(record_id, None)
        if dictation.owner_id != user_id:
            raise NotYours(str(record_id))
        return dictation

    async def finish(self, record_id: UUID, user_id: int) -> None:
        """Finish a dictation nobody attends: what has no words yet is transcribed first. Returns when it is over."""
        dictation = await self.attend(record_id, user_id)
        dictation.finish()
        await dictation.ended.wait()

    async def close(self) -> None:
        """Leave everything as a crash would find it, only with nothing left unwritten."""
        self._ticker.cancel()
        for dictation in self._live.values():
            if dictation.page is not None:
                dictation.page.close(RESTARTING)
        await self._spooler.close()
        for dictation in self._live.values():
            dictation.close()
        self._live.clear()
        await asyncio.to_thread(writer.close)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            for dictation in list(self._live.values()):
                try:
                    dictation.tick(now)
                except Exception:
                    logger.exception("dictation %s stumbled", dictation.record_id)
                if dictation.is_idle and now - dictation.left_at > KEPT_SECONDS:
                    del self._live[dictation.record_id]
                    dictation.close()


def _spool_of(record_id: UUID, known: Known) -> Spool:
    """A recording that was sealed is not unsealed before new sound comes: its count is enough to greet a page."""
    path = spool_path(record_id)
    if known.is_over and not path.exists():
        count, wall_ms = kept_count(record_id)
        if count is not None:
            return Spool(path, next=count, durable=count, wall_ms=wall_ms)
    return open_spool(record_id)


_registry: tuple[asyncio.AbstractEventLoop, Registry] | None = None


def registry() -> Registry:
    """The registry of the running event loop."""
    global _registry
    loop = asyncio.get_running_loop()
    if _registry is None or _registry[0] is not loop:
        _registry = (loop, Registry())
    return _registry[1]


async def close() -> None:
    """End the registry of this loop, if there is one."""
    global _registry
    if _registry is not None:
        _, living = _registry
        _registry = None
        await living.close()
