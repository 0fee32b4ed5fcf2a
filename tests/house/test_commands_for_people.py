"""signinlink, doctor and the warnings that commands give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import ROOT, RunningServer, clean_environment

pytestmark = pytest.mark.process


def run(server: RunningServer, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=server.environment | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_signinlink_prints_one_link_alone_and_it_works(shared_server: RunningServer) -> None:
    done = run(shared_server, "signinlink")
    assert (done.returncode, done.stderr) == (0, "")
    link = done.stdout.removesuffix("\n")
    assert link.startswith(f"{shared_server.url}/sign-in/link/")
    assert httpx.get(link).status_code == 302


def test_signinlink_is_for_the_person_named(shared_server: RunningServer) -> None:
    with httpx.Client(follow_redirects=True) as browser:
        browser.get(run(shared_server, "signinlink", "--user", "other").stdout.strip())
        assert "Add somebody" not in browser.get(f"{shared_server.url}/settings/").text


def test_signinlink_names_the_people_there_are(shared_server: RunningServer) -> None:
    done = run(shared_server, "signinlink", "--user", "nobody")
    assert done.returncode == 1
    assert done.stderr == "CommandError: There is no 'nobody' here. People: other, owner.\n"


@pytest.mark.parametrize(
    "command", ["createkey", "signinlink", "setbalance 1", "setwebhook http://x.example/", "createuser bob", "hookurl"]
)
def test_a_folder_without_a_database_is_told_in_a_sentence(tmp_path: Path, command: str) -> None:
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
    done = subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=ROOT, env=clean_environment() | {"MEMWEB_DATA_DIR": str(tmp_path)} | database, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "memweb cannot do this. The database is not set up, or not for this version. "
        "Start memweb once with ./run, or type ./run migrate.\n"
    )


def findings(server: RunningServer) -> dict[str, dict[str, Any]]:
    done = run(server, "doctor", "--json")
    return {finding["name"]: finding for finding in json.loads(done.stdout)}


def test_doctor_finds_what_works_and_mends_what_does_not(shared_server: RunningServer) -> None:
    found = findings(shared_server)
    working = {name for name, finding in found.items() if finding["works"]}
    assert {"Room for recordings", "Database", "FFmpeg libraries", "Server", "Microphone", "Gateway"} <= working
    assert {"Moonshine's weights", "Whisper's weights"} <= working
    for name in ("Worker", "Streams and callbacks"):
        assert not found[name]["works"]
        assert "./run" in found[name]["mend"]
    assert "the key is accepted" in found["Gateway"]["seen"]


def test_doctor_exits_with_1_when_something_needs_mending(shared_server: RunningServer) -> None:
    done = run(shared_server, "doctor")
    assert done.returncode == 1
    assert "MEND  Worker" in done.stdout


def test_doctor_says_when_the_microphone_will_be_refused(shared_server: RunningServer) -> None:
    done = run(shared_server, "doctor", MEMWEB_PUBLIC_URL="http://192.0.2.7:8000")
    assert "MEND  Microphone" in done.stdout
    assert "docs/operating.md" in done.stdout


def test_doctor_feels_what_works_in_the_background(tmp_path_factory: pytest.TempPathFactory) -> None:
    with RunningServer(tmp_path_factory.mktemp("doctor"), worker=True, streams=True) as server:
        assert all(finding["works"] for finding in findings(server).values())


def test_a_misspelt_setting_is_told_with_its_neighbour(shared_server: RunningServer) -> None:
    done = run(shared_server, "check", MEMWEB_PROT="8001", MEMWEB_SOMETHING_ELSE_ENTIRELY="1")
    assert done.returncode == 0
    assert "MEMWEB_PROT is not a setting of memweb." in done.stderr
    assert "Did you mean MEMWEB_PORT?" in done.stderr
    assert "docs/settings.md" in done.stderr
