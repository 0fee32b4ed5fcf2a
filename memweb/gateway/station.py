"""The process behind `runstreams`: delivers callbacks and pulls streams, under leases it keeps alive."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from pathlib import Path

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from memweb.engines import live
from memweb.gateway import courier, webhooks
from memweb.gateway.conductor import Conductor
from memweb.gateway.courier import Courier
from memweb.pulse import HEARTBEAT_S, STREAMS_HEARTBEAT_FILE

logger = logging.getLogger(__name__)

GRACE_S = 4.0
"""How long work in hand may take after TERM; the supervisor kills after 8 s."""
SWEEP_S = 3600.0


class Station:
    """One such process. Any number may run: what each does is leased, and taken up by another when it is killed."""

    def __init__(self) -> None:
        self.lease = secrets.token_hex(16)
        self.ended = asyncio.Event()
        self.courier = Courier(self.lease)
        self.conductor = Conductor(self.lease, self.courier.bell.set)

    async def run(self) -> None:
        """Returns after TERM or INT, with everything let go of."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ended.set)
        at_work = (self.courier.run(self.ended), self.conductor.run(self.ended))
        works = (*at_work, self._beat(), self._renew(), self._sweep())
        tasks = [loop.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            self.ended.set()
            await self.conductor.stop()
            await self.courier.stop(GRACE_S)
            await asyncio.gather(*tasks, return_exceptions=True)
            await live.close()

    async def _beat(self) -> None:
        """Touch the pulse file until the end, which also removes it."""
        pulse = Path(settings.DATA_DIR) / STREAMS_HEARTBEAT_FILE
        pulse.parent.mkdir(parents=True, exist_ok=True)
        try:
            while not self.ended.is_set():
                pulse.touch()
                await self._wait(HEARTBEAT_S)
        finally:
            pulse.unlink(missing_ok=True)

    async def _renew(self) -> None:
        while not self.ended.is_set():
            try:
                await self.courier.renew()
                await self.conductor.renew()
            except DatabaseError:
                logger.warning("Leases could not be renewed; tried again in %.0f s", courier.RENEW_S)
            await self._wait(courier.RENEW_S)

    async def _sweep(self) -> None:
        while not self.ended.is_set():
            try:
                await database_sync_to_async(webhooks.sweep)()
            except DatabaseError:
                logger.warning("Old deliveries could not be swept; tried again in an hour")
            await self._wait(SWEEP_S)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ended.wait(), seconds)
        except TimeoutError:
            return
