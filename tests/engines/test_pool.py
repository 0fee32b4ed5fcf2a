"""How streams are spread over processes, and what live places they take."""

from __future__ import annotations

import asyncio

import pytest
from pytest_django import Settings

from memweb.engines import live, pool
from memweb.engines.errors import AtCapacity

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
