"""How streams are spread over processes, and what live places they take."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from memweb.engines import live, pool
from memweb.engines.errors import AtCapacity
from tests.running import ROOT, clean_environment

pytestmark = pytest.mark.usefixtures("engines")


async def test_a_second_process_starts_only_when_the_first_has_enough(settings: Settings) -> None:
    settings.LIVE_WORKERS = 2
    streams = [await live.open_stream("en") for _ in range(pool.ENOUGH)]
    assert len(pool.current().workers) == 1
    streams += [await live.open_stream("en") for _ in range(8 - pool.ENOUGH)]
    assert [len(worker.clients) for worker in pool.current().workers] == [4, 4]
    await asyncio.gather(*(stream.close() for stream in streams))


async def test_another_language_takes_two_places() -> None:
    streams = [await live.open_stream("de") for _ in range(4)]
    assert (live.capacity().used, live.capacity().total) == (8, 8)
    with pytest.raises(AtCapacity):
        await live.open_stream("en")
    assert len(pool.current().workers) == 1
    await asyncio.gather(*(stream.close() for stream in streams))


HOLDER = (
    "import django; django.setup()\n"
    "from memweb.engines import pool\n"
    "held = pool.Pool()._take(6)\n"
    "print(len(held), flush=True)\n"
    "input()\n"
)


def another_process(folder: Path) -> subprocess.Popen[bytes]:
    """One that holds six of the eight places."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=clean_environment() | {"MEMWEB_DATA_DIR": str(folder), "MEMWEB_LIVE_SLOTS": "8"},
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline().strip() == b"6"
    return other


async def test_all_processes_of_the_machine_share_its_places_and_a_killed_one_leaves_them(tmp_path: Path) -> None:
    other = another_process(tmp_path)
    try:
        streams = [await live.open_stream("en")]
        with pytest.raises(AtCapacity):
            await live.open_stream("de")
        streams.append(await live.open_stream("en"))
        with pytest.raises(AtCapacity):
            await live.open_stream("en")
    finally:
        other.kill()
        other.communicate()
    streams += [await live.open_stream("en") for _ in range(6)]
    with pytest.raises(AtCapacity):
        await live.open_stream("en")
    await live.close()
    assert len(pool.Pool()._take(8)) == 8, "a pool that was closed holds none"


async def test_a_process_long_unused_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = await live.open_stream("en")
    worker = pool.current().workers[0]
    await asyncio.wait_for(worker.ready.wait(), 60)
    monkeypatch.setattr(pool, "UNUSED_S", 0)
    await stream.close()
    async with asyncio.timeout(30):
        while pool.current().workers:
            await asyncio.sleep(0.05)
    monkeypatch.undo()
    again = await live.open_stream("en")
    assert pool.current().workers[0] is not worker
    await again.close()


async def test_warming_takes_no_place() -> None:
    await live.warm("en")
    await asyncio.wait_for(pool.current().workers[0].ready.wait(), 60)
    assert live.capacity().used == 0
