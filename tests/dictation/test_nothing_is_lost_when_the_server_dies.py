"""kill -9 in the middle of a dictation, at random instants, again and again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.dictation.evidence import DRILLS, assert_whole, broken, environment
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

pytestmark = [pytest.mark.process, pytest.mark.timeout(300 + 60 * DRILLS)]

ACKNOWLEDGED_TOO_EARLY = """
import queue, threading, time
from memweb.dictation import recording
late = queue.SimpleQueue()
def later():
    while True:
        due, spool, waiting = late.get()
        time.sleep(max(0, due - time.monotonic()))
        recording.Spool.really_write(spool, waiting)
recording.Spool.really_write = recording.Spool.write
recording.Spool.write = lambda spool, waiting: late.put((time.monotonic() + 2, spool, waiting))
threading.Thread(target=later, daemon=True).start()
"""


async def killed_again_and_again(server: RunningServer, kills: int, patience: float = 60) -> PageClient:
    async with PageClient(server, server.sign_in()) as page:
        await page.record(20, interval=0.03)
        for kill in range(kills):
            await page.until(lambda kill=kill: page.connections > kill, "the line again")
            recording = asyncio.create_task(page.record(30, interval=0.03))
            await asyncio.sleep(random.uniform(0.05, 0.7))
            await page.until(lambda: page.acked < page.made, "sound that is not safe: a kill proves nothing else", 5)
            await asyncio.to_thread(server.kill)
            await recording
            await asyncio.to_thread(server.start)
        await page.ended(patience + 5 * kills)
    return page


async def test_a_killed_server_loses_no_sound_and_no_words(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        page = await killed_again_and_again(server, DRILLS)
        assert page.connections > DRILLS
        assert_whole(server, page)


async def test_the_drill_sees_an_ack_that_comes_before_the_disk(tmp_path: Path, simulator: Simulator) -> None:
    twin = environment(simulator, **broken(tmp_path / "twin", ACKNOWLEDGED_TOO_EARLY))
    with RunningServer(tmp_path, env=twin) as server, pytest.raises((AssertionError, KeyError)):  # noqa: PT012
        page = await killed_again_and_again(server, 1, patience=10)
        assert_whole(server, page)


async def test_a_polite_stop_loses_nothing_either(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(20)
            recording = asyncio.create_task(page.record(30, interval=0.03))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.restart)
            await recording
            await page.ended()
        assert_whole(server, page)
