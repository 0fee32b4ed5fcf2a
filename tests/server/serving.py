"""One of three servers in a process of its own, with an application of `apps`: `python -m tests.server.serving ...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from tests.running import ROOT, clean_environment, free_port


class Process:
    """A server that runs until the block is left. `kind`: "memweb" (repaired), "uvicorn", or "daphne" (stock)."""

    def __init__(self, kind: str, folder: Path, application: str = "application", **limits: Any) -> None:
        self.kind = kind
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self._log = folder / f"{kind}-{self.port}.log"
        self._limits = [f"{name}={value}" for name, value in limits.items()]
        self._application = application
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.launch()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log()}")
            try:
                httpx.get(f"{self.url}/seen", timeout=5)
                return self
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError(f"not serving:\n{self.log()}")

    def launch(self) -> None:
        environment = {**clean_environment(), "SERVED_FROM": str(self._log.with_suffix(".data"))}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command(), cwd=ROOT, env=environment, stdout=log, stderr=log)

    def _command(self) -> list[str]:
        name = f"tests.server.apps:{self._application}"
        if self.kind == "uvicorn":
            return [
                sys.executable, "-m", "uvicorn", name, "--host", "127.0.0.1", "--port", str(self.port),
                "--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--ws-max-size", str(256 * 1024),
                "--timeout-graceful-shutdown", "3",
            ]  # fmt: skip
        if self.kind == "daphne":
            return [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), name]
        return [sys.executable, "-m", "tests.server.serving", str(self.port), self._application, *self._limits]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)

    def stop(self) -> int:
        """TERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def seen(self) -> dict[str, Any]:
        """What the applications noted so far."""
        noted: dict[str, Any] = httpx.get(f"{self.url}/seen", timeout=20).json()
        return noted

    def rss(self) -> int:
        """Resident bytes of the process."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def log(self) -> str:
        return self._log.read_text(errors="replace")


def _serve() -> int:
    """The repaired Daphne, with limits given as NAME=SECONDS."""
    import logging

    from django.conf import settings

    settings.configure(DATA_DIR=os.environ["SERVED_FROM"])
    logging.basicConfig(level=logging.INFO)
    from memweb.server import life, requests, serve, sockets
    from tests.server import apps

    port, application, *limits = sys.argv[1:]
    for limit in limits:
        name, _, value = limit.partition("=")
        for module in (life, requests, sockets):
            if hasattr(module, name):
                setattr(module, name, float(value))
    served = getattr(apps, application)
    return serve("127.0.0.1", int(port), application=served, longest_body=apps.longest_body, ask=apps.ask)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(_serve())
