"""The worker's two queues: minutes of work in one never hold up a moment's in the other."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError
from django_tasks_db.models import DBTaskResult

from memweb.management.commands import work
from tests.house import errands
from tests.running import ROOT, RunningServer


@pytest.fixture
def queues(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[work.Queue]]:
    monkeypatch.setattr(work, "LOOK_S", 0.05)
    for event in (errands.begun, errands.released, errands.done):
        event.clear()
    made = [work.Queue(name) for name in work.QUEUES]
    for queue in made:
        queue.start()
    yield made
    errands.released.set()
    for queue in made:
        queue.stop()
        queue.join(10)


def test_what_takes_a_moment_passes_what_takes_minutes(queues: list[work.Queue]) -> None:
    errands.linger.enqueue()
    assert errands.begun.wait(10)
    errands.be_quick.enqueue()
    assert errands.done.wait(10)
    assert not errands.released.is_set()


def test_one_queue_alone_would_have_waited(queues: list[work.Queue]) -> None:
    """The broken twin: both tasks in the one queue."""
    errands.linger.enqueue()
    assert errands.begun.wait(10)
    errands.be_quick.using(queue_name="long").enqueue()
    assert not errands.done.wait(0.5)
    errands.released.set()
    assert errands.done.wait(10)


def test_a_queue_stops_after_the_task_in_hand(queues: list[work.Queue]) -> None:
    errands.linger.enqueue()
    assert errands.begun.wait(10)
    for queue in queues:
        queue.stop()
    queues[0].join(10)
    assert not queues[0].is_alive()
    assert queues[1].is_alive()
    errands.released.set()
    queues[1].join(10)
    assert DBTaskResult.objects.get().status == "SUCCESSFUL"


def test_a_database_that_is_away_for_a_moment_is_waited_for(
    queues: list[work.Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "AGAIN_S", 0.05)
    failures = []

    def broken() -> None:
        failures.append(1)
        raise DatabaseError("gone away")

    monkeypatch.setattr("django_tasks_db.management.commands.db_worker.close_old_connections", broken)
    deadline = time.monotonic() + 10
    while len(failures) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    monkeypatch.undo()
    errands.be_quick.enqueue()
    assert errands.done.wait(10)


@pytest.mark.process
def test_the_worker_ends_politely_and_its_pulse_with_it(shared_server: RunningServer) -> None:
    pulse = Path(shared_server.data_dir) / "worker.heartbeat"
    worker = subprocess.Popen([sys.executable, "manage.py", "work"], cwd=ROOT, env=shared_server.environment)
    try:
        deadline = time.monotonic() + 30
        while not pulse.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert pulse.exists()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
        assert not pulse.exists()
    finally:
        worker.kill()
        worker.wait()
