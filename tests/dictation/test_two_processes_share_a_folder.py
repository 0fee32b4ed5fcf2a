"""Two web processes on one data folder: a dictation is written by one of them at a time, and loses nothing over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dictation.evidence import broken, environment, kept_text, spooled_sha256
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in

pytestmark = pytest.mark.process

WITHOUT_LOCKS = "import fcntl\nfcntl.flock = lambda *_: None\n"


@contextmanager
def two(tmp_path: Path, simulator: Simulator, **more: str) -> Iterator[tuple[RunningServer, RunningServer]]:
    """A server, and a second one on its folder and its database."""
    with RunningServer(tmp_path, env=environment(simulator, **more)) as first:
        shared = {name: first.environment[name] for name in ("MEMWEB_DATA_DIR", "DATABASE_URL", "REDIS_URL")
                  if name in first.environment}  # fmt: skip
        second = RunningServer(tmp_path, env=environment(simulator, **more) | shared)
        second.data_dir.mkdir()
        second._prepared = True
        try:
            second.start()
            yield first, second
        finally:
            second.stop()


async def drill(first: RunningServer, second: RunningServer) -> PageClient:
    """A page is led to the second server while the first still holds its dictation, which then is killed."""
    async with PageClient(first, first.sign_in()) as page:
        await page.record(10)
        await page.until(lambda: page.acked == 10, "ten acks")
        page.server, page.cookies = second, second.sign_in()
        page.cut()
        await page.record(10)
        await page.until(lambda: "still holds" in (page.last("error") or {"message": ""})["message"], "the reason", 20)
        assert page.acked == 10
        first.kill()
        await page.until(lambda: page.acked == 20, "all acks")
        await page.ended()
    return page


async def test_the_second_waits_until_the_first_lets_go(tmp_path: Path, simulator: Simulator) -> None:
    with two(tmp_path, simulator) as (first, second):
        page = await drill(first, second)
        assert spooled_sha256(first, page.record_id) == page.sha256
        assert numbers_in(kept_text(first, page.record_id)) == list(range(20))


async def test_without_the_lock_both_write(tmp_path: Path, simulator: Simulator) -> None:
    """The broken twin."""
    without = broken(tmp_path / "twin", WITHOUT_LOCKS)
    with two(tmp_path, simulator, **without) as (first, second), pytest.raises(AssertionError, match="acked 20"):
        await drill(first, second)
