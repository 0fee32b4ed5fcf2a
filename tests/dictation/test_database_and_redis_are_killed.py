"""PostgreSQL or Redis is killed and started again in mid-dictation: sound is acknowledged on, words follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.dictation.evidence import assert_whole, broken, environment
from tests.dictation.test_an_audience_reads_along import link, seat
from tests.killable import Killable, Postgres, Redis
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

MOST_SECONDS_UNTIL_SAID = 30

GIVES_WORDS_UP = """
from django.db import InterfaceError, OperationalError, connection, transaction
from transcripts import writer
def once(self, items):
    try:
        with transaction.atomic():
            outcomes = self._run(items)
    except (OperationalError, InterfaceError):
        connection.close()
        outcomes = [(None, ValueError("given up"))] * len(items)
    for item, (result, error) in zip(items, outcomes):
        item.settle(result, error)
writer.Writer._write = once
"""
RINGS_IN_THE_SPEAKERS_WAY = """
import redis
from django.conf import settings
from memweb.dictation import doorbell
def ring(record_id, text):
    redis.Redis.from_url(settings.REDIS_URL).publish("bell", text or "")
doorbell.ring = ring
"""
IMPATIENT = """
from transcripts import writer
writer.PATIENCE_SECONDS = 1.0
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def on_cluster(
    tmp_path_factory: pytest.TempPathFactory, simulator: Simulator, cluster: Postgres
) -> Iterator[RunningServer]:
    env = environment(simulator, DATABASE_URL=cluster.url)
    with RunningServer(tmp_path_factory.mktemp("on-cluster"), env=env) as server:
        yield server


@pytest.fixture
def postgres(cluster: Postgres) -> Iterator[Postgres]:
    yield cluster
    cluster.start()  # where a drill failed it is still away


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@contextmanager
def started_anew(server: RunningServer, settings: dict[str, str]) -> Iterator[None]:
    """With these settings besides, for as long as the block lasts."""
    usual = server.environment
    server.stop()
    server.environment = usual | settings
    server.start()
    try:
        yield
    finally:
        server.kill()
        server.environment = usual
        server.start()


@asynccontextmanager
async def somebody_speaks(server: RunningServer) -> AsyncIterator[PageClient]:
    """A page whose microphone is on until the end of the block, three times as fast as a real one; it is whole then."""
    async with PageClient(server, await asyncio.to_thread(server.sign_in)) as page:
        speaking = asyncio.create_task(page.record(100_000, interval=0.03))
        try:
            yield page
        finally:
            speaking.cancel()
            await asyncio.wait({speaking})
        await page.ended()
    assert_whole(server, page)


async def killed(part: Killable, page: PageClient) -> None:
    """In the middle: sound is on its way, and words are being kept."""
    await page.until(lambda: len(page.log) >= 2, "the first phrases")
    await page.until(lambda: page.acked < page.made, "sound that is not safe: a kill proves nothing else")
    await asyncio.to_thread(part.kill)


async def sound_goes_on(page: PageClient) -> None:
    made = page.made
    await page.until(lambda: page.acked >= made + 30, "sound to be acknowledged all the same", 20)


async def words_go_on(page: PageClient, what: str, seconds: float = 30) -> None:
    made = page.made
    await page.until(lambda: f"f{made} " in page.text, what, seconds)


async def comes_back(part: Killable, page: PageClient) -> None:
    await asyncio.to_thread(part.start)
    await words_go_on(page, "words after it is back")


def said_of_it(page: PageClient) -> str:
    """What stands on the page about the database."""
    told = [message["message"] for message in page.messages if message.get("code") == "database"]
    return told[-1] if told else ""


async def test_a_killed_postgresql_costs_no_sound_and_no_words_and_is_said(
    on_cluster: RunningServer, postgres: Postgres
) -> None:
    async with somebody_speaks(on_cluster) as page:
        await killed(postgres, page)
        await sound_goes_on(page)
        await page.until(lambda: "Sound is kept" in said_of_it(page), "the outage in words", MOST_SECONDS_UNTIL_SAID)
        await comes_back(postgres, page)
        assert said_of_it(page) == "", "it still stands there"
    assert page.connections == 1, "the page had to come again"


async def test_the_drill_sees_words_that_are_given_up(
    tmp_path: Path, on_cluster: RunningServer, postgres: Postgres
) -> None:
    with started_anew(on_cluster, broken(tmp_path / "twin", GIVES_WORDS_UP)), pytest.raises(AssertionError):  # noqa: PT012
        async with somebody_speaks(on_cluster) as page:
            await killed(postgres, page)
            await sound_goes_on(page)
            await comes_back(postgres, page)


async def test_what_is_asked_meanwhile_holds_up_no_sound_and_is_done_later(
    on_cluster: RunningServer, postgres: Postgres
) -> None:
    async with somebody_speaks(on_cluster) as page:
        await killed(postgres, page)
        await page.say(t="mark", at_ms=700)
        await page.say(t="undo")
        await page.say(t="redo")
        await sound_goes_on(page)
        assert page.last("marked") is None, "told before it is kept"
        await comes_back(postgres, page)
        await page.until(lambda: page.last("marked") == {"t": "marked", "at_ms": 700}, "the marker")
    assert page.connections == 1


async def test_a_line_that_breaks_meanwhile_is_taken_up_again(on_cluster: RunningServer, postgres: Postgres) -> None:
    async with somebody_speaks(on_cluster) as page:
        await killed(postgres, page)
        page.cut()
        made = page.made
        await page.until(lambda: page.made >= made + 30, "sound that only the browser has")
        await comes_back(postgres, page)
    assert page.connections == 2


async def test_who_finishes_in_an_outage_longer_than_the_writer_waits_is_told_and_ends_whole(
    tmp_path: Path, on_cluster: RunningServer, postgres: Postgres
) -> None:
    """It waits for a minute; here for a second."""
    with started_anew(on_cluster, broken(tmp_path / "impatient", IMPATIENT)):
        async with PageClient(on_cluster, await asyncio.to_thread(on_cluster.sign_in)) as page:
            speaking = asyncio.create_task(page.record(100_000, interval=0.03))
            await killed(postgres, page)
            speaking.cancel()
            await asyncio.wait({speaking})
            page.finish()
            await page.until(lambda: page.acked == page.made, "sound to be acknowledged all the same")

            def given_up() -> int:
                return on_cluster.log().count("the database is away")

            tries = given_up()
            await page.until(lambda: given_up() > tries + 2, "trying again and again")
            assert said_of_it(page), "the outage in words"
            await asyncio.to_thread(postgres.start)
            await page.ended()
        assert page.connections == 1
        assert_whole(on_cluster, page)


@contextmanager
def beside(first: RunningServer, folder: Path) -> Iterator[RunningServer]:
    """A second web process of the same memweb."""
    second = RunningServer(folder)
    second.environment = {**first.environment, "MEMWEB_PORT": str(second.port)}
    second.data_dir, second._prepared = first.data_dir, True
    second.start()
    try:
        yield second
    finally:
        second.stop()


async def test_a_killed_redis_costs_nothing_and_an_audience_elsewhere_reads_on(
    tmp_path: Path, simulator: Simulator, redis: Redis
) -> None:
    env = environment(simulator, REDIS_URL=redis.url)
    with RunningServer(tmp_path / "first", env=env) as server, beside(server, tmp_path / "second") as second:
        async with somebody_speaks(server) as page:
            await page.until(lambda: page.acked > 0, "a record")
            async with seat(second, await link(server, page.record_id)) as one:
                await one.until(lambda: one.last.get("now"), "words that may still change: the bell rings")
                await killed(redis, page)
                await words_go_on(page, "words without Redis")
                await sound_goes_on(page)
                await comes_back(redis, page)
                shown = len(one.shown)
                await one.until(lambda: any(m["now"] for _, m in one.shown[shown:]), "the bell to ring again")
        assert page.connections == 1


async def test_the_drill_sees_a_bell_in_the_speakers_way(tmp_path: Path, simulator: Simulator, redis: Redis) -> None:
    twin = environment(simulator, REDIS_URL=redis.url, **broken(tmp_path / "twin", RINGS_IN_THE_SPEAKERS_WAY))
    with RunningServer(tmp_path, env=twin) as server, pytest.raises(AssertionError, match="words without Redis"):  # noqa: PT012
        async with somebody_speaks(server) as page:
            await killed(redis, page)
            await words_go_on(page, "words without Redis", 10)
