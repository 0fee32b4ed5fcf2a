"""Eight write at once, in threads of two processes, on SQLite: nobody meets a locked database, and nothing is lost."""

from __future__ import annotations

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningServer

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        os.environ.get("DATABASE_URL", "sqlite").split(":")[0] != "sqlite",
        reason="only SQLite locks the whole database",
    ),
]

PROCESSES, THREADS = 2, 4
WRITERS = PROCESSES * THREADS
RECORDS = f"""
import json, uuid
from django.utils import timezone
from transcripts import services
owner = User.objects.get(username="owner").pk
made = [services.open_record(id=uuid.uuid4(), owner_id=owner, started_at=timezone.now()) for _ in range({WRITERS})]
print(json.dumps([str(record.pk) for record in made]))
"""
WRITE = """
import json, threading, time
from pathlib import Path
from django.db import OperationalError, connection, connections
from transcripts import services
if {djangos}:
    connections.settings["default"]["OPTIONS"] = {{}}
    connection.close()
owner = User.objects.get(username="owner").pk
gate = Path({gate!r})
(gate / {records!r}[0]).touch()
while len(list(gate.iterdir())) < {processes}:
    time.sleep(0.01)
until = time.monotonic() + {seconds}
kept, refused = {{}}, []

def write(record):
    kept[record] = 0
    while time.monotonic() < until:
        try:
            services.rename(record_id=record, title=f"take {{kept[record] + 1}}", user_id=owner)
            kept[record] += 1
        except OperationalError as error:
            refused.append(str(error))
    connection.close()

threads = [threading.Thread(target=write, args=(record,)) for record in {records!r}]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([kept, refused]))
"""
"""Each renames a record of its own: it reads, then it writes, in one transaction."""


@pytest.fixture
def records(server: RunningServer) -> list[str]:
    """One for each writer."""
    made: list[str] = json.loads(server.ask(RECORDS))
    return made


def written(
    server: RunningServer, records: list[str], gate: Path, *, seconds: float, djangos: bool = False
) -> tuple[dict[str, int], list[str]]:
    """What all wrote, by record, and what any was refused; with Django's own settings instead of ours where asked."""
    gate.mkdir()
    shares = [records[at::PROCESSES] for at in range(PROCESSES)]
    scripts = [
        WRITE.format(records=share, processes=PROCESSES, gate=str(gate), seconds=seconds, djangos=djangos)
        for share in shares
    ]
    with ThreadPoolExecutor(PROCESSES) as pool:
        told: list[Any] = [json.loads(said) for said in pool.map(server.ask, scripts)]
    return {key: count for kept, _ in told for key, count in kept.items()}, [one for _, more in told for one in more]


def test_nobody_meets_a_locked_database_and_every_write_is_kept(
    server: RunningServer, records: list[str], tmp_path: Path
) -> None:
    kept, refused = written(server, records, tmp_path / "gate", seconds=4)
    assert refused == []
    assert len(kept) == PROCESSES * THREADS
    assert min(kept.values()) > 0, "somebody never had a turn"
    with closing(sqlite3.connect(server.data_dir / "memweb.sqlite3")) as database:
        titles = dict(database.execute("SELECT id, title FROM transcripts_record"))
        edits = dict(database.execute("SELECT record_id, count(*) FROM transcripts_edit GROUP BY record_id"))
    plain = {key.replace("-", ""): count for key, count in kept.items()}
    assert edits == plain
    assert titles == {key: f"take {count}" for key, count in plain.items()}


def test_the_same_writers_with_djangos_own_settings_meet_one(
    server: RunningServer, records: list[str], tmp_path: Path
) -> None:
    server.stop()
    with closing(sqlite3.connect(server.data_dir / "memweb.sqlite3")) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    _, refused = written(server, records, tmp_path / "gate", seconds=2, djangos=True)
    assert set(refused) == {"database is locked"}
    server.start()
