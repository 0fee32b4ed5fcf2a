"""A PostgreSQL and a Redis of a test's own, which may be killed. The programs come from Debian (see .ci/run)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from tests.gateway.sources import missing, wait_until_open
from tests.running import free_port
from tests.waiting import PATIENCE, none_is_left


class Killable:
    """One server program on a free port of this machine. `start` goes on with what it had kept."""

    program = ""
    user: str | None = None
    """Who runs it; None: whoever runs the test."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Not below pytest's own folder, which is closed to the user who runs PostgreSQL.
        self.folder = Path(tempfile.mkdtemp(prefix=f"memweb-{self.program}-"))
        try:
            if self.user:
                shutil.chown(self.folder, self.user)
            self._prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Returns when it can be asked. Nothing happens where it runs."""
        if self._process is not None:
            return
        with self._log().open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self.folder, user=self.user, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until_open(self.port, PATIENCE)

    def kill(self) -> None:
        """SIGKILL to it and to all that it had started, as when the machine runs out of memory."""
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            family = [parent, *parent.children(recursive=True)]
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            none_is_left(family, PATIENCE)
        self._process.wait()
        self._process = None

    def _log(self) -> Path:
        return self.folder / "log"

    def _prepare(self) -> None:
        """Before the first start."""

    def _command(self) -> list[str]:
        raise NotImplementedError


class Postgres(Killable):
    """A cluster that trusts this machine. `url` is for DATABASE_URL."""

    program = "postgres"

    def __init__(self) -> None:
        super().__init__()
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
        if not places:
            missing("PostgreSQL")
        self._programs = places[-1]
        self.user = "postgres" if os.geteuid() == 0 else None  # it refuses to be run by root
        self.url = f"postgres://memweb@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        made: Any = subprocess.run(
            [
                self._programs / "initdb", "--pgdata", self.folder / "data", "--username", "memweb", "--auth", "trust",
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            ],
            cwd=self.folder, user=self.user, capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr

    def _command(self) -> list[str]:
        return [
            str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port),
            "-c", "unix_socket_directories=",
        ]  # fmt: skip

    def start(self) -> None:
        super().start()
        deadline = time.monotonic() + PATIENCE
        while True:  # it listens before it has recovered
            with suppress(psycopg.OperationalError), psycopg.connect(self.url):
                return
            assert time.monotonic() < deadline, self._log().read_text()
            time.sleep(0.05)


class Redis(Killable):
    """It keeps nothing on disk. `url` is for REDIS_URL."""

    program = "redis-server"

    def __init__(self) -> None:
        super().__init__()
        if not shutil.which(self.program):
            missing("redis-server")
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        return [self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
