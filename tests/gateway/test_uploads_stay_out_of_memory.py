"""Against a real server: 200 MB go up and down, and its memory stays as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.gateway import media
from tests.running import RunningServer

pytestmark = pytest.mark.process
LARGE = 200_000_000
AT = "/serve/api/v2"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("files")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": server.key()}, timeout=120) as made:
        yield made


class Peak:
    """The most memory of one process while this is open."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.most = self._process.memory_info().rss
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def __enter__(self) -> Peak:
        self._watch.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)


def large(path: Path) -> Path:
    """A WAV file of 200 MB of silence, mostly holes on the disk."""
    head = media.wav(1.0)[:44]
    size = LARGE - 44
    path.write_bytes(head[:4] + (size + 36).to_bytes(4, "little") + head[8:40] + size.to_bytes(4, "little"))
    os.truncate(path, LARGE)
    return path


def test_200_megabytes_go_up_and_come_down_without_being_held_in_memory(
    server: RunningServer, client: httpx.Client, tmp_path: Path
) -> None:
    path = large(tmp_path / "large.wav")
    client.post(f"{AT}/upload", files={"file": ("small.wav", media.wav(1.0))}).raise_for_status()
    with Peak(server.pid) as peak:
        with path.open("rb") as file:
            asset_id = client.post(f"{AT}/upload", files={"file": ("large.wav", file)}).json()["data"]["asset_id"]
        url = client.post(f"{AT}/upload/signed-url", json={"original_filename": "b.wav"}).json()["data"]["signed_url"]
        with path.open("rb") as file:
            assert httpx.put(url, content=file, timeout=120).json()["success"]
        size = 0
        with client.stream("GET", f"{AT}/{asset_id}/download") as answer:
            for piece in answer.iter_raw():
                size += len(piece)
    assert size == LARGE
    assert peak.most - peak.before < 40_000_000
