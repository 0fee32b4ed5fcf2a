"""With several web processes an audience may sit in another one than the speaker: the words come there too, in time."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dictation.evidence import environment
from tests.dictation.test_an_audience_reads_along import link, seat
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="several web processes need Redis: set REDIS_URL"),
]


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[list[RunningServer]]:
    """Two web processes of one memweb: one data folder, one database, one Redis."""
    with RunningServer(tmp_path_factory.mktemp("first"), env=environment(simulator)) as first:
        second = RunningServer(tmp_path_factory.mktemp("second"))
        second.environment = {**first.environment, "MEMWEB_PORT": str(second.port)}
        second.data_dir, second._prepared = first.data_dir, True
        second.start()
        try:
            yield [first, second]
        finally:
            second.stop()


async def test_words_reach_the_other_process_within_a_second(two_servers: list[RunningServer]) -> None:
    first, second = two_servers
    owner = await asyncio.to_thread(first.sign_in)
    async with PageClient(first, owner) as page:
        await page.record(1)
        await page.until(lambda: page.acked > 0, "a record")
        async with seat(second, await link(first, page.record_id)) as one:
            await one.until(lambda: one.shown, "a first look")
            spoken = {}
            for number in range(1, 15):
                spoken[number] = time.monotonic()
                await page.record(1, interval=0.1)
            await one.until(lambda: one.saw("f13") < float("inf"), "the last words")
            late = [one.saw(f"f{number}") - at for number, at in spoken.items() if 1 < number <= 13]
            assert max(late) < float("inf"), "no word is lost"
            assert statistics.median(late) < 1.0, sorted(late)
            assert any(message["now"] for _, message in one.shown), "words that may still change are shown"
            await page.ended()
            await one.until(lambda: one.last["state"] == "over", "the end")


async def test_without_redis_being_there_all_else_goes_on(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator, REDIS_URL="redis://127.0.0.1:1/0")) as server:
        owner = await asyncio.to_thread(server.sign_in)
        async with PageClient(server, owner) as page:
            await page.record(8)
            await page.until(lambda: len(page.log) >= 1, "a final")
            async with seat(server, await link(server, page.record_id)) as one:
                await one.until(lambda: "f3" in one.text, "its words")
            await page.ended()
