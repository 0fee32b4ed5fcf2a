"""A line that is dead without a word is found within ten seconds, on the page's side and on the gateway's."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dictation.evidence import assert_whole, environment
from tests.page_client import PageClient
from tests.passage import Line, Passage
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

pytestmark = pytest.mark.process

BAR_SECONDS = 10.0


@pytest.fixture
def to_the_server(heard_server: RunningServer) -> Iterator[Passage]:
    with Passage(heard_server.port) as passage:
        yield passage


@pytest.fixture
def to_the_gateway(simulator: Simulator) -> Iterator[Passage]:
    with Passage(simulator.port) as passage:
        yield passage


def through(passage: Passage, server: RunningServer) -> RunningServer:
    """The same server, reached by that way."""
    farther = copy.copy(server)
    farther.ws_url = f"ws://localhost:{passage.port}"
    return farther


async def let_go(line: Line, page: PageClient, who: str) -> float:
    """When this side gave the line up; the other is never told."""
    await page.until(lambda: who in line.let_go, f"the {who} to let go", 2 * BAR_SECONDS)
    return line.let_go[who]


async def test_a_page_that_cannot_be_reached_is_let_go_and_loses_nothing(
    heard_server: RunningServer, owner: dict[str, str], to_the_server: Passage
) -> None:
    async with PageClient(through(to_the_server, heard_server), owner) as page:
        await page.record(20)
        await page.until(lambda: page.acked == 20, "twenty acks")
        to_the_server.is_closed = True
        line, died_at = to_the_server.kill(b"/ws/dictation/")
        await page.record(40, interval=0.05)  # into nothing
        assert await let_go(line, page, "server") - died_at <= BAR_SECONDS
        to_the_server.is_closed = False
        await page.ended()
    assert page.connections >= 2
    assert_whole(heard_server, page)


async def test_a_gateway_that_cannot_be_reached_is_left_and_no_word_is_lost(
    tmp_path: Path, simulator: Simulator, to_the_gateway: Passage
) -> None:
    env = environment(simulator) | {"MEMWEB_GATEWAY_URL": f"http://127.0.0.1:{to_the_gateway.port}"}
    with RunningServer(tmp_path, env=env) as server:
        async with PageClient(server, await asyncio.to_thread(server.sign_in)) as page:
            speaking = asyncio.create_task(page.record(120, interval=0.1))
            await page.until(lambda: len(page.log) >= 1, "the first phrase")
            line, died_at = to_the_gateway.kill(b"/audio-stream")
            assert await let_go(line, page, "client") - died_at <= BAR_SECONDS
            await page.until(lambda: "reconnecting" in page.states(), "the state in words")
            await speaking
            await page.ended()
        assert page.connections == 1
        assert_whole(server, page)


async def test_a_page_whose_timers_sleep_keeps_its_line(heard_server: RunningServer, owner: dict[str, str]) -> None:
    """A browser lets the timers of a page that is hidden and silent run once a minute; what comes wakes it."""
    async with PageClient(heard_server, owner, pings=False) as page:
        await page.record(3)
        await page.until(lambda: page.acked == 3, "three acks")

        def pongs() -> int:
            return [message["t"] for message in page.messages].count("pong")

        await page.until(lambda: pongs() >= 4, "being asked and answered, twice", 2 * BAR_SECONDS)
        assert page.connections == 1
        await page.ended()
    assert_whole(heard_server, page)
