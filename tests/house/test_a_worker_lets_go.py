"""A worker that is to end, ends: what lasts minutes goes back at once, and the next worker has it a moment later."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path
from typing import Any

import psutil
import pytest

from memweb.gateway import tasks
from memweb.supervisor import STOP_S
from tests.running import RunningServer
from tests.waiting import none_is_left, until

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(600)]
MINUTES = 5
SEND = """
from pathlib import Path
from transcripts import uploads
path, owner = Path({path!r}), User.objects.get(username="owner")
upload = uploads.begin(owner_id=owner.pk, name=path.name, size=path.stat().st_size)
uploads.append(upload_id=upload.pk, offset=0, pieces=[path.read_bytes()])
uploads.take(upload_id=upload.pk)
"""
STATE = """
import json
from memweb.gateway.models import Task
from transcripts.models import Job
job, task = Job.objects.filter(kind="transcribe").first(), Task.objects.first()
print(json.dumps({
    "job": job and job.status, "attempts": job and job.attempts, "task": task and task.status,
    "tries": task and task.attempts, "done": task and task.progress,
}))
"""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory, wheel_speech: dict[str, Path]) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.wav"
    with wave.open(str(wheel_speech["two_cities"])) as speech, wave.open(str(path), "wb") as file:
        file.setparams(speech.getparams())
        whole = speech.readframes(speech.getnframes())
        for _ in range(MINUTES * 60 * speech.getframerate() // speech.getnframes()):
            file.writeframes(whole)
    return path


def test_a_long_file_goes_from_a_worker_that_ends_to_the_next_one(tmp_path: Path, long_file: Path) -> None:
    with RunningServer(tmp_path, worker=True) as server:

        def state() -> Any:
            return json.loads(server.ask(STATE))

        server.ask(SEND.format(path=str(long_file)))
        until(lambda: (state()["done"] or 0) > 0)  # the engine is in the middle of it
        below = psutil.Process(server.pid_of("worker")).children()
        assert below
        began = time.monotonic()
        assert server.stop_one("worker") == 0
        assert time.monotonic() - began < STOP_S, "`up` would have killed it"
        none_is_left(below, 1)
        found = state()
        assert (found["job"], found["attempts"], found["task"], found["tries"]) == ("queued", 0, "queued", 0)
        began = time.monotonic()
        server.start_one("worker")
        until(lambda: (found := state())["task"] == found["job"] == "running")
        assert time.monotonic() - began < tasks.LEASE.total_seconds(), "a lease had to run out first"
        found = state()
        assert (found["attempts"], found["tries"]) == (1, 1)
