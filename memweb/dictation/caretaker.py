"""Looks after dictations nobody looks after: left by a page that never came back, or by a crash."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from memweb.dictation import captions, reading, registry
from memweb.dictation.reading import read
from memweb.dictation.recording import Held

logger = logging.getLogger("memweb.dictation")

EVERY_SECONDS = 15.0
AT_ONCE = 2  # each takes a place at the gateway
LONGEST_SECONDS = 3600.0

_task: asyncio.Task[None] | None = None


async def start() -> None:
    """With the server: from now on finish what is unattended for settings.DICTATION_IDLE_MINUTES."""
    global _task
    registry.registry()
    _task = asyncio.get_running_loop().create_task(_look_after())


async def stop() -> None:
    """With the server: close every dictation, leaving nothing unwritten."""
    global _task
    if _task is not None:
        _task.cancel()
        _task = None
    captions.close()
    await registry.close()


async def _look_after() -> None:
    at_once = asyncio.Semaphore(AT_ONCE)
    busy: dict[UUID, asyncio.Task[None]] = {}
    idle = timedelta(minutes=settings.DICTATION_IDLE_MINUTES)
    while True:
        try:
            for record_id, owner_id in await read(reading.abandoned, idle):
                if record_id not in registry.registry() and (record_id not in busy or busy[record_id].done()):
                    busy[record_id] = asyncio.get_running_loop().create_task(_finish(record_id, owner_id, at_once))
        except DatabaseError:
            logger.warning("the database is away; unattended dictations wait")
        await asyncio.sleep(min(EVERY_SECONDS, max(idle.total_seconds(), 0.5)))


async def _finish(record_id: UUID, owner_id: int, at_once: asyncio.Semaphore) -> None:
    async with at_once:
        logger.info("finishing dictation %s, which nobody attends", record_id)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await registry.registry().finish(record_id, owner_id)
        except Held:
            pass  # another process looks after it
        except Exception:
            logger.exception("dictation %s could not be finished", record_id)
