"""A kill drill: two workers die at one file, the second with the result in its hands; the next one goes on.

Real processes and SIGKILL. The drill tells what went wrong in it; its broken twin must have something to tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.callbacks import LET_RUN_OUT, WAITING, charged, posted
from tests.gateway.conftest import PHRASES, heard
from tests.gateway.receiver import Receiver
from tests.gateway.test_official_clients_transcribe_files import wav_of
from tests.running import RunningServer
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(600)]

API = "/serve/api/v2"


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url + API, headers={"Authorization": server.key()}, timeout=60) as client:
        yield client


DIES_BEFORE_THE_COMMIT = """
import os, signal
from memweb.gateway import outbox, tasks
def last_deed(held, outcome, tell=tasks._tell):
    tell(held, outcome)
    os.kill(os.getpid(), signal.SIGKILL)
tasks._tell = last_deed
"""
TELLS_BEFORE_THE_COMMIT = """
import os, signal
from django.db import transaction
from memweb.gateway import tasks
from memweb.gateway.models import Task
def hasty(*, pk, holder, outcome):
    with transaction.atomic():
        tasks._tell(Task.objects.get(pk=pk), outcome)
    os.kill(os.getpid(), signal.SIGKILL)
tasks.complete = hasty
"""


def file_drill(server: RunningServer, api: httpx.Client, receiver: Receiver, sound: bytes, worker: str) -> list[str]:
    """One worker is killed as it has begun, the next one dies with the result in its hands, the third one is well."""
    asset_id = api.post("/upload", files={"file": ("talk.wav", sound)}).json()["data"]["asset_id"]
    task_id = api.post("/transcriptions/async-generate-audio", json={"asset_id": asset_id}).json()["data"]["task_id"]
    until(lambda: api.get(f"/tasks/{task_id}").json()["data"]["status"] == "running")
    server.kill_one("worker")
    server.ask(LET_RUN_OUT)
    server.start_one("worker", worker)
    server.wait_for_the_end("worker")
    server.ask(LET_RUN_OUT)
    server.start_one("worker")
    until(lambda: api.get(f"/tasks/{task_id}").json()["data"]["status"] == "done")
    until(lambda: server.ask(WAITING) == "0")
    faults = []
    callbacks = posted(receiver, task_id)
    if len(callbacks) != 1:
        faults.append(f"{len(callbacks)} callbacks")
    rows = json.loads(callbacks[0].body)["data"]["data"]["data"]
    if heard(row["text"] for row in rows) != list(PHRASES):
        faults.append(f"not the whole result: {rows}")
    if charged(server, task_id) != [[14, 14_000]]:
        faults.append(f"charged {charged(server, task_id)}")
    return faults


@pytest.mark.parametrize("worker", [DIES_BEFORE_THE_COMMIT, TELLS_BEFORE_THE_COMMIT], ids=["honest", "broken twin"])
def test_a_file_is_told_and_charged_once_though_two_workers_die_at_it(
    server: RunningServer, api: httpx.Client, receiver: Receiver, two_cities: bytes, worker: str
) -> None:
    faults = file_drill(server, api, receiver, wav_of(two_cities), worker)
    if worker is DIES_BEFORE_THE_COMMIT:
        assert faults == []
    else:
        assert faults == ["2 callbacks"]
