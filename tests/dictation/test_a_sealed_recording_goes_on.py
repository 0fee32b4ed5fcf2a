"""After the seal: the spool is gone, the recording is FLAC, and still one can go on, or hand over what came late."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import av
import pytest

from tests.dictation.evidence import environment, kept_text, record_of
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in

pytestmark = pytest.mark.process


def wait_until_sealed(server: RunningServer, page: PageClient) -> None:
    deadline = time.monotonic() + 120
    spool = server.data_dir / "spools" / f"{page.record_id}.mwspool"
    while record_of(server, page.record_id)["status"] != "ready" or spool.exists():
        assert time.monotonic() < deadline, f"not sealed in time\n{server.log()[-3000:]}"


def sealed_sha256(server: RunningServer, page: PageClient) -> str:
    digest = hashlib.sha256()
    with av.open(str(server.data_dir / "audio" / f"{page.record_id}.flac")) as container:
        for piece in container.decode(audio=0):
            digest.update(piece.to_ndarray().tobytes())
    return digest.hexdigest()


async def test_a_sealed_dictation_goes_on_and_takes_what_came_late(tmp_path: Path, simulator: Simulator) -> None:
    env = environment(simulator)
    with RunningServer(tmp_path, env=env, worker=True) as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(12)
            await page.ended()
        wait_until_sealed(server, page)
        assert sealed_sha256(server, page) == page.sha256

        # a page that comes back with nothing new unseals nothing
        again = page.reloaded()
        async with again:
            await again.ended()
        assert again.last("resume")["wall"] == page.wall(11)  # type: ignore[index]
        assert record_of(server, page.record_id)["status"] == "ready"

        later = page.reloaded()
        later.finishing = False
        async with later:
            await later.record(9)
            await later.until(lambda: later.acked == 21, "the later frames")
            await later.ended()
        wait_until_sealed(server, later)
        assert sealed_sha256(server, later) == later.sha256
        assert numbers_in(kept_text(server, later.record_id)) == list(range(21))
