"""The Procfile's lines, as honcho, foreman and platforms run them: in a shell, all at once, on an empty folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import ROOT, clean_environment, free_port
from tests.waiting import until

pytestmark = pytest.mark.process
LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def test_no_line_ends_by_itself() -> None:
    """Whoever starts them ends all when one ends: `release` is another platform's word."""
    assert set(LINES) == {"web", "worker", "streams"}


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({"DYNO": "web.1", "PORT": "%d"}, "0.0.0.0"),
        ({"MEMWEB_PORT": "%d", "PORT": "5000"}, "127.0.0.1"),
    ],
    ids=["platform", "own machine"],
)
def test_web_brings_the_database_up_to_date_and_serves(tmp_path: Path, told: dict[str, str], address: str) -> None:
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {name: value.replace("%d", str(port)) for name, value in told.items()}
    environment = clean_environment() | {"MEMWEB_DATA_DIR": str(tmp_path), "PATH": path, **given}
    web = subprocess.Popen(["sh", "-c", LINES["web"]], cwd=ROOT, env=environment, start_new_session=True)
    try:
        until(lambda: web.poll() is not None or _answers(port), what="an answer")
        heard = [one.laddr for one in psutil.Process(web.pid).net_connections("tcp") if one.status == "LISTEN"]
        assert (address, port) in heard
    finally:
        os.killpg(web.pid, signal.SIGTERM)
        web.wait(20)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
