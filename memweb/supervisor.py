"""Starts memweb's processes, watches them, and ends them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import httpx
from django.conf import settings

from memweb.supervised import VARIABLE

START_S = 120.0
STOP_S = 8.0
POLL_S = 0.1


class Ended(Exception):
    """A process ended by itself; says which and how."""


class Supervisor:
    """The processes of one memweb, by name. Nothing of them outlives this object's process."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._read_end, self._write_end = os.pipe()
        self.asked_to_stop = False

    @contextmanager
    def signals(self) -> Iterator[None]:
        """INT, TERM and HUP ask for the end while this is open."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._ask_to_stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def start(self, name: str, *command: str) -> None:
        """Start one process, in a session of its own: a Ctrl-C at the terminal reaches it through here only."""
        self._children[name] = subprocess.Popen(
            [sys.executable, *command],
            cwd=settings.BASE_DIR,
            env={**os.environ, VARIABLE: str(self._read_end)},
            pass_fds=(self._read_end,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_healthy(self, url: str) -> bool:
        """Wait for 200 from `url`; False when the end was asked for first. Raises Ended, or TimeoutError."""
        deadline = time.monotonic() + START_S
        while not self.asked_to_stop:
            self._look()
            if _is_healthy(url):
                return True
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(POLL_S)
        return False

    def watch(self) -> None:
        """Return when the end is asked for. Raises Ended when a process ends by itself."""
        while not self.asked_to_stop:
            self._look()
            time.sleep(POLL_S)

    def _look(self) -> None:
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                raise Ended(f"The {name} {_how(code)}.")

    def stop(self) -> None:
        """End every process: TERM, some seconds, then KILL for it and whatever it had started."""
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + STOP_S
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            _kill_group(child.pid)
            child.wait()


def _how(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}" if code else "ended"


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, headers={"Host": "localhost"}).status_code == 200
    except httpx.HTTPError:
        return False
