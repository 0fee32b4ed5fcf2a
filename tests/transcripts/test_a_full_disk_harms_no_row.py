"""A disk that is full under callbacks and an update: refused in words, no row harmed, and on once there is room."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.running import ROOT, RunningServer, clean_environment, free_port
from tests.small_disk import SmallDisk, mounted
from tests.transcripts.test_a_storm_of_callbacks import ANSWERS_BEFORE_IT_STORES

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        os.environ.get("DATABASE_URL", "sqlite").split(":")[0] != "sqlite", reason="PostgreSQL has a disk of its own"
    ),
]

MANY = 100
OLD = "0009"
"""Updates of the library from here on write all text anew, into another index."""
SET_UP = f"""
import uuid
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from transcripts.models import Record, Segment, Version
for app in MigrationLoader(None).migrated_apps - {{"transcripts"}}:
    call_command("migrate", app, verbosity=0)
call_command("migrate", "transcripts", {OLD!r}, verbosity=0)
owner = User.objects.create_user("owner")
record = Record.objects.create(id=uuid.uuid4(), owner=owner, title="A long day", started_at=timezone.now())
record.current_version = version = Version.objects.create(record=record, number=1, kind="live")
record.save()
text = " ".join(f"word{{n}}" for n in range(1000))
Segment.objects.bulk_create(
    Segment(version=version, key=f"1-{{n}}", order=n, start_ms=n * 1000, end_ms=n * 1000 + 900, text=text)
    for n in range(300)
)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk", "16m") as small:
        yield small


def rows(path: Path, statement: str) -> list[str]:
    """The first column of each row; the database must be sound."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in database.execute(statement)]


# --- callbacks --------------------------------------------------------------------------------------


def test_a_callback_that_finds_no_room_is_refused_and_kept_when_it_comes_again(disk: SmallDisk) -> None:
    with RunningServer(disk.folder) as server:
        post_to_a_full_disk(server, disk)


def test_the_drill_sees_a_callback_that_is_answered_too_early(disk: SmallDisk) -> None:
    with RunningServer(disk.folder) as server:
        server.kill_one("web")
        server.start_one("web", ANSWERS_BEFORE_IT_STORES)
        with pytest.raises(AssertionError, match="accepted what is not kept"):
            post_to_a_full_disk(server, disk)


def post_to_a_full_disk(server: RunningServer, disk: SmallDisk) -> None:
    process = server.pid
    accepted: list[str] = []

    def post(http: httpx.Client, number: int, size: int = 50_000) -> httpx.Response:
        body = json.dumps([number, "x" * size]).encode()
        answer = http.post(path, content=body)
        if answer.status_code == 200:
            accepted.append(hashlib.sha256(body).hexdigest())
        return answer

    def kept() -> list[str]:
        return rows(server.data_dir / "memweb.sqlite3", "SELECT digest FROM transcripts_callback")

    path = urlsplit(server.manage("hookurl", "--user", "owner")).path
    with httpx.Client(base_url=server.url, timeout=30) as http:
        assert post(http, 0).status_code == 200
        disk.fill()
        number, answer = 0, None
        while number < MANY and (answer is None or answer.status_code == 200):
            number += 1
            answer = post(http, number)
        assert answer is not None
        assert sorted(kept()) == sorted(accepted), "accepted what is not kept"
        assert disk.is_full()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.text == "The callback cannot be kept at the moment. Send it again later."
        larger = post(http, MANY, 500_000)
        assert larger.status_code == 507
        assert "not enough room on this server's disk" in larger.text
        disk.free()
        for again in range(number, number + 3):
            assert post(http, again).status_code == 200
        assert http.get("/healthz").status_code == 200
    assert sorted(kept()) == sorted(accepted)
    assert server.pid == process


# --- an update --------------------------------------------------------------------------------------


def test_an_update_that_finds_no_room_changes_nothing_and_goes_through_later(tmp_path: Path, disk: SmallDisk) -> None:
    database = disk.folder / "memweb.sqlite3"
    environment = clean_environment() | {
        "MEMWEB_DATA_DIR": str(tmp_path / "data"),
        "MEMWEB_PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:///{database}",
    }

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def done(*arguments: str) -> None:
        ended = manage(*arguments)
        assert ended.returncode == 0, ended.stderr

    def updates() -> list[str]:
        return rows(database, "SELECT app || name FROM django_migrations ORDER BY id")

    def texts() -> list[str]:
        return rows(database, "SELECT text FROM transcripts_segment ORDER BY id")

    done("shell", "--no-imports", "-v", "0", "-c", "from memweb.accounts.models import User\n" + SET_UP)
    before, said = updates(), texts()
    disk.fill(leave=2**20)
    refused = manage("up")
    assert refused.returncode == 1
    assert "cannot be changed: database or disk is full." in refused.stderr, "the disk was not full"
    assert "that there is room on its disk" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert updates() == before
    assert texts() == said
    disk.free()
    done("migrate")
    assert len(updates()) > len(before)
    assert texts() == said
    assert len(rows(database, "SELECT id FROM transcripts_passage WHERE segment_id IS NOT NULL")) == len(said) == 300
