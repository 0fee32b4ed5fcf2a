"""A real memweb server in processes of its own, on a free port, with a data folder and a database of its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
_SQLITE = "memweb.sqlite3"
STOP_SECONDS = 20.0
SECRET_KEY = "tests-only-" + "k" * 50
Part = Literal["web", "worker", "streams"]
_PATCHED = """
import runpy, sys
import django
django.setup()
{patch}
sys.argv = list({arguments!r})
sys.path.insert(0, "")
if sys.argv[0] == "-m":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""

# One script a line, as JSON, each in a process of its own: what starting Python and Django takes is taken once.
_ANSWERING = """
import json, os, sys, tempfile, traceback
import django
django.setup()
from django.db import connections
from memweb.accounts.models import User
for line in sys.stdin:
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as failed:
        if (child := os.fork()) == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(failed.fileno(), 2)
            os.close(0)
            status = 1
            try:
                exec(compile(json.loads(line), "asked", "exec"), {"__name__": "asked", "User": User})
                status = 0
            except BaseException:
                traceback.print_exc()
            connections.close_all()
            sys.stdout.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        told = []
        for file in (said, failed):
            file.seek(0)
            told.append(file.read().decode(errors="replace"))
        print(json.dumps([status, *told]), flush=True)
"""

_pattern_folder = tempfile.TemporaryDirectory(prefix="memweb-pattern-")
_sqlite_pattern = Path(_pattern_folder.name) / _SQLITE
_postgres_patterns: dict[str, str] = {}
"""Prepared databases that new servers are copied from: a SQLite file; on each PostgreSQL address, one by name."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of memweb, Django or the test run."""
    dropped = ("MEMWEB_", "DJANGO_", "PYTEST_", *(() if _is_counted() else ("COVERAGE_",)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "DJANGO_SETTINGS_MODULE": "memweb.settings", "PYTHONUNBUFFERED": "1"}


def _is_counted() -> bool:
    """Whether coverage counts what a test's processes run, at twice their processor time.

    Not where others have it counted: in a browser's tests, and when all is run again on another database.
    """
    file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    return "browser" not in file and not os.environ.get("DATABASE_URL")


class _Answering:
    """Runs one script after another inside the project, in this environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment.copy()
        # Not counted by coverage: what a test wants to know is no test of the project.
        uncounted = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ANSWERING], cwd=ROOT, env=uncounted, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def answer(self, script: str) -> tuple[int, str, str]:
        """Its exit status, and what it printed: as said, and as failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(script).encode() + b"\n")
        self._process.stdin.flush()
        status, said, failed = json.loads(self._process.stdout.readline())
        return int(status), str(said), str(failed)

    def stop(self) -> None:
        self._process.communicate()  # the end of what it is asked is its own

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


class RunningServer:
    """memweb as people run it: `python -m memweb.server` (or uvicorn), and worker and streams when asked for.

    Two people exist from the start: ``owner`` (a superuser) and ``other``. `start` returns when
    ``/healthz`` answers 200; `kill` and `restart` keep the data folder, the port and the database.
    """

    def __init__(
        self,
        tmp_path: Path,
        *,
        env: dict[str, str] | None = None,
        server: Literal["daphne", "uvicorn"] = "daphne",
        worker: bool = False,
        streams: bool = False,
    ) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.ws_url = f"ws://localhost:{self.port}"
        self.origin = self.url
        self.data_dir = Path(tmp_path) / f"memweb-{self.port}"
        self.server = server
        self.worker = worker
        self.streams = streams
        self.environment = clean_environment() | {
            "MEMWEB_DATA_DIR": str(self.data_dir),
            "MEMWEB_HOST": "127.0.0.1",
            "MEMWEB_PORT": str(self.port),
            "MEMWEB_SECRET_KEY": SECRET_KEY,
            "MEMWEB_TIME_ZONE": "UTC",
        }
        self._database_of_its_own: str | None = None
        self._choose_database()
        self.environment |= env or {}
        self._children: dict[Part, subprocess.Popen[bytes]] = {}
        self._answering: list[_Answering] = []
        self._prepared = False

    # --- life -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._drop_database()

    def start(self) -> None:
        """Prepare once, start the processes and wait until the server can serve."""
        if not self._prepared:
            self._prepare()
        parts: tuple[tuple[Part, bool], ...] = (("web", True), ("worker", self.worker), ("streams", self.streams))
        self._children = {part: self._spawn(*self._command(part)) for part, wanted in parts if wanted}
        self._wait_until_healthy()

    def stop(self) -> int:
        """TERM, then wait; the web process's exit code. A process that does not go is killed and fails the caller."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL, as a crash would; the web process's (negative) exit code."""
        return self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop politely and start again on the same port and data."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """The web process's id."""
        return self._children["web"].pid

    def kill_one(self, part: Part) -> None:
        """SIGKILL this process alone; the others go on."""
        child = self._children.pop(part)
        child.kill()
        child.wait(STOP_SECONDS)

    def stop_one(self, part: Part) -> int:
        """TERM to this process alone; its exit code. The others go on."""
        child = self._children.pop(part)
        child.terminate()
        try:
            return child.wait(STOP_SECONDS)
        finally:
            child.kill()
            child.wait()

    def pid_of(self, part: Part) -> int:
        """The process id of this part."""
        return self._children[part].pid

    def start_one(self, part: Part, patch: str = "") -> None:
        """Start a process of this kind. `patch` is Python that it runs first, with Django set up: a broken twin."""
        command = self._command(part)
        if patch:
            command = (sys.executable, "-c", _PATCHED.format(patch=patch, arguments=command[1:]))
        self._children[part] = self._spawn(*command)
        if part == "web":
            self._wait_until_healthy()

    def wait_for_the_end(self, part: Part, seconds: float = PATIENCE) -> int:
        """The exit code of a process that ends by itself."""
        return self._children.pop(part).wait(seconds)

    # --- people -----------------------------------------------------------------------------------

    def key(self, user: str = "owner") -> str:
        """A fresh gateway key of that person."""
        return self.ask(
            "from memweb.gateway import keys\n"
            f"print(keys.create_key(user=User.objects.get(username={user!r}), name='tests')[1])"
        )

    def sign_in(self, user: str = "owner") -> dict[str, str]:
        """A fresh session of that person, as a cookie: {"sessionid": ...}."""
        session = self.ask(
            "from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY\n"
            "from django.contrib.sessions.backends.db import SessionStore\n"
            f"user = User.objects.get(username={user!r})\n"
            "store = SessionStore()\n"
            "store[SESSION_KEY] = str(user.pk)\n"
            "store[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend'\n"
            "store[HASH_SESSION_KEY] = user.get_session_auth_hash()\n"
            "store.create()\n"
            "print(store.session_key)"
        )
        return {"sessionid": session}

    def ask(self, script: str) -> str:
        """What `script` prints when run inside the project (``User`` is imported), without the last newline."""
        if any(one.environment != self.environment for one in self._answering):
            self._stop_answering()
        try:
            answering = self._answering.pop()  # who asks at the same time has another one
        except IndexError:
            answering = _Answering(self.environment)
        try:
            status, said, failed = answering.answer(script)
        except BaseException:  # cut off in the middle, by a test's time: what it would say next answers nobody
            answering.kill()
            raise
        self._answering.append(answering)
        if status:
            raise AssertionError(f"a script failed:\n{said}\n{failed}")
        return said.strip()

    def _stop_answering(self) -> None:
        while self._answering:
            self._answering.pop().stop()

    def manage(self, *arguments: str) -> str:
        """Run a management command against this server's data; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"manage.py {arguments[0]} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    def log(self) -> str:
        """Everything the processes wrote so far."""
        path = self.data_dir / "test.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- how --------------------------------------------------------------------------------------

    def _command(self, part: Part) -> tuple[str, ...]:
        if part == "worker":
            return (sys.executable, "manage.py", "work")
        if part == "streams":
            return (sys.executable, "manage.py", "runstreams")
        if self.server == "daphne":
            return (sys.executable, "-m", "memweb.server")
        return (
            sys.executable, "-m", "uvicorn", "memweb.asgi:application", "--host", "127.0.0.1", "--port", str(self.port),
            "--ws", "websockets-sansio", "--lifespan", "on", "--no-access-log", "--timeout-graceful-shutdown", "5",
            "--ws-per-message-deflate", "false", "--ws-max-size", str(256 * 1024),
        )  # fmt: skip

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        log: IO[bytes]
        with (self.data_dir / "test.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for child in self._children.values():
                if child.poll() is not None:
                    raise AssertionError(f"a process ended with {child.returncode} at its start:\n{self.log()}")
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (OSError, HTTPException):
                pass
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"not healthy after {PATIENCE:.0f} s:\n{self.log()}")

    def _end(self, how: signal.Signals) -> int:
        self._stop_answering()
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(how)
        late = []
        for child in self._children.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(STOP_SECONDS)
                late.append(child.pid)
        codes = [child.returncode for child in self._children.values()]
        self._children = {}
        if late:
            raise AssertionError(f"a process did not stop within {STOP_SECONDS:.0f} s of {how.name}:\n{self.log()}")
        return codes[0] if codes else 0

    def _prepare(self) -> None:
        """Migrate and make the two people once for this process; every further server begins with a copy."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        given = self.environment.get("DATABASE_URL", "")
        if not given:
            if not _sqlite_pattern.exists():
                self._migrate()
                shutil.copy(self.data_dir / _SQLITE, _sqlite_pattern)  # nobody has it open: there is no -wal
            shutil.copy(_sqlite_pattern, self.data_dir / _SQLITE)
        elif self._database_of_its_own and urlsplit(given).path == f"/{self._database_of_its_own}":
            pattern = _postgres_patterns.get(self._admin_url, "template1")
            self._administer(f'CREATE DATABASE "{self._database_of_its_own}" TEMPLATE "{pattern}"')
            if self._admin_url not in _postgres_patterns:
                self._migrate()
                self._keep_as_pattern()
        else:
            self._migrate()
        self._prepared = True

    def _migrate(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.ask(
            "User.objects.create_superuser('owner', password=None)\nUser.objects.create_user('other', password=None)"
        )

    def _keep_as_pattern(self) -> None:
        pattern = f"memweb_pattern_{uuid.uuid4().hex[:12]}"
        self._administer(f'CREATE DATABASE "{pattern}" TEMPLATE "{self._database_of_its_own}"')
        atexit.register(self._administer, f'DROP DATABASE IF EXISTS "{pattern}" WITH (FORCE)')
        _postgres_patterns[self._admin_url] = pattern

    # --- the database: SQLite in the data folder, or one of its own beside DATABASE_URL's ----------

    def _choose_database(self) -> None:
        given = self.environment.get("DATABASE_URL", "")
        if not given:
            return
        self._admin_url = given
        self._database_of_its_own = f"memweb_server_{uuid.uuid4().hex[:12]}"
        self.environment["DATABASE_URL"] = urlunsplit(urlsplit(given)._replace(path=f"/{self._database_of_its_own}"))

    def _drop_database(self) -> None:
        if self._database_of_its_own and self._prepared:
            self._administer(f'DROP DATABASE IF EXISTS "{self._database_of_its_own}" WITH (FORCE)')
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _administer(self, statement: str) -> None:
        import psycopg

        connection: Any
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)
