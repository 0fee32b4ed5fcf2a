"""The whole way, on a real server: frames in, spool, ack, relay, finals saved, shown, handed to the library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[RunningServer]:
    env = {"MEMWEB_GATEWAY_URL": simulator.url, "MEMWEB_GATEWAY_KEY": simulator.key}
    with RunningServer(tmp_path_factory.mktemp("words"), env=env) as running:
        yield running


async def test_every_frame_becomes_words_exactly_once(server: RunningServer) -> None:
    async with PageClient(server, server.sign_in()) as page:
        await page.record(60)
        url = await page.ended()
    assert url == f"/transcripts/{page.record_id}/"
    assert numbers_in(page.text) == list(range(60))
    assert page.doubled == []
    assert page.acked == 60
