"""A page that never comes back, and a server that died in between: the dictation is finished all the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.dictation.evidence import assert_whole, environment, kept_text, record_of, spooled_sha256
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in
from tests.waiting import PATIENCE

pytestmark = pytest.mark.process


def wait_until_over(server: RunningServer, page: PageClient, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not record_of(server, page.record_id)["over"]:
        assert time.monotonic() < deadline, f"not finished in time\n{server.log()[-3000:]}"


async def test_what_was_left_is_transcribed_to_its_end_and_finished(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(10)
            await page.until(lambda: page.acked == 10, "ten acks")
        server.kill()
        server.environment["MEMWEB_DICTATION_IDLE_MINUTES"] = "0.01"
        server.start()
        wait_until_over(server, page)
        assert numbers_in(kept_text(server, page.record_id)) == list(range(10))
        assert spooled_sha256(server, page.record_id) == page.sha256


async def test_a_finish_that_a_crash_cut_off_is_taken_up_again(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(10)
            await page.until(lambda: page.acked == 10, "ten acks")
            simulator.stop()
            try:
                page.finish()
                await page.until(lambda: "finishing" in page.states(), "finishing")
                for _ in range(50):
                    if record_of(server, page.record_id)["status"] == "finishing":
                        break
                server.kill()
            finally:
                simulator.start()
        server.start()
        wait_until_over(server, page)
        assert numbers_in(kept_text(server, page.record_id)) == list(range(10))


async def test_a_page_that_was_away_for_a_while_goes_on_with_the_same_record(
    tmp_path: Path, simulator: Simulator
) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(10)
            await page.until(lambda: page.acked == 10, "ten acks")
        before = simulator.connections
        # After the grace its line to the gateway is given back, and the last words are final.
        deadline = time.monotonic() + 60
        while len(numbers_in(kept_text(server, page.record_id))) < 10:
            assert time.monotonic() < deadline
        assert record_of(server, page.record_id)["status"] == "live"
        async with page.reloaded() as back:
            await back.record(11)
            await back.ended()
        assert simulator.connections == before + 1
        assert_whole(server, back)
