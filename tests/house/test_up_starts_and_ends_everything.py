"""`manage.py up`: one command starts memweb whole; nothing of it is left behind, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import ROOT, clean_environment, free_port
from tests.waiting import none_is_left, until

pytestmark = pytest.mark.process
READY = re.compile(rb"memweb is ready: (http://localhost:\d+/sign-in/link/[\w-]{43})\n")


class Up:
    """A running `manage.py up`, its output so far, and every process below it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = folder / "up.log"
        self.environment = clean_environment() | {
            "MEMWEB_DATA_DIR": str(folder / "data"),
            "MEMWEB_PORT": str(self.port),
            **environment,
        }
        self.environment.pop("DATABASE_URL", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def said(self) -> bytes:
        return self.log.read_bytes()

    def link(self) -> str:
        """The sign-in link, once memweb is ready."""
        until(lambda: READY.search(self.said()) or self.process.poll() is not None)
        found = READY.search(self.said())
        assert found, self.said().decode()
        return found[1].decode()

    def below(self) -> dict[str, psutil.Process]:
        """The server, the worker and what delivers callbacks and pulls streams."""
        names = {"memweb.server": "server", "work": "worker", "runstreams": "streams"}
        return {names[child.cmdline()[-1]]: child for child in psutil.Process(self.process.pid).children()}

    def everything(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path)
    yield running
    if running.process.poll() is None:
        left = running.everything()
        running.process.kill()
        running.process.wait()
        for process in left:
            if process.is_running():
                process.kill()


def test_the_printed_link_signs_in_and_the_worker_lives(up: Up) -> None:
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(up.link())
        assert page.status_code == 200
        assert "sessionid" in browser.cookies
        assert str(page.url).endswith(f":{up.port}/")
    assert set(up.below()) == {"server", "worker", "streams"}
    for name in ("worker", "streams"):
        until((up.log.parent / "data" / f"{name}.heartbeat").exists)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_end_is_quick_and_whole(up: Up, number: signal.Signals) -> None:
    up.link()
    processes = up.everything()
    began = time.monotonic()
    up.process.send_signal(number)
    assert up.process.wait(15) == 0
    assert time.monotonic() - began < 10
    none_is_left(processes, 0)


@pytest.mark.parametrize("part", ["server", "worker", "streams"])
def test_a_part_that_dies_ends_the_rest_and_says_so(up: Up, part: str) -> None:
    up.link()
    processes = up.everything()
    up.below()[part].kill()
    assert up.process.wait(20) == 1
    assert f"The {part} was ended by SIGKILL." in up.said().decode()
    none_is_left(processes, 0)


def test_nothing_is_left_when_up_itself_is_killed(up: Up) -> None:
    up.link()
    processes = up.everything()
    up.process.kill()
    up.process.wait()
    none_is_left(processes, 20)


def test_a_second_start_goes_on_with_the_same_owner_and_data(tmp_path: Path) -> None:
    first = Up(tmp_path)
    first.link()
    first.process.terminate()
    assert first.process.wait(15) == 0
    second = Up(tmp_path)
    try:
        assert httpx.get(second.link()).status_code == 302
    finally:
        second.process.terminate()
        assert second.process.wait(15) == 0


def refused(tmp_path: Path, **environment: str) -> str:
    """What `up` says when it does not start; it exits with 1, within seconds, and without a traceback."""
    running = Up(tmp_path, **environment)
    assert running.process.wait(60) == 1
    said = running.said().decode()
    assert "Traceback" not in said
    return said


def test_a_busy_port_is_told_with_another(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        said = refused(tmp_path, MEMWEB_PORT=str(port))
    assert f"Port {port} is in use by another program." in said
    assert f"MEMWEB_PORT={port + 1} ./run" in said


def test_a_folder_in_use_is_told_with_its_holder(up: Up, tmp_path: Path) -> None:
    up.link()
    said = refused(tmp_path / "..", MEMWEB_DATA_DIR=str(tmp_path / "data"))
    assert f"memweb already runs from {tmp_path / 'data'} (process {up.process.pid})" in said


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("in the way")
    said = refused(tmp_path, MEMWEB_DATA_DIR=str(tmp_path / "a-file" / "data"))
    assert "cannot be used (Not a directory)" in said
    assert "MEMWEB_DATA_DIR" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    try:
        said = refused(tmp_path, MEMWEB_DATA_DIR=str(disk))
    finally:
        subprocess.run(["umount", disk], check=True)
    assert f"The disk of {disk} is full. Free 50 MB or more" in said


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"MEMWEB_PORT": "eighty"}, 'Environment variable "MEMWEB_PORT" invalid'),
        ({"MEMWEB_PORT": "70000"}, "70000 is not a port"),
        ({"MEMWEB_HOST": "192.0.2.1"}, "This machine has no address 192.0.2.1"),
        ({"MEMWEB_ENV": "staging"}, 'Environment variable "MEMWEB_ENV" invalid'),
        ({"MEMWEB_ENV": "production"}, "MEMWEB_PUBLIC_URL is not an https address."),
    ],
)
def test_a_bad_setting_is_refused_by_name(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    assert sentence in refused(tmp_path, **environment)
