"""Kill drills: a worker dies at a file, what pulls a stream dies in the middle of it; the next one goes on.

Real processes and SIGKILL. Each drill tells what went wrong in it; its broken twin must have something to tell.
"""

from __future__ import annotations

import json
import re
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import sources
from tests.gateway.conftest import PHRASES, heard
from tests.gateway.receiver import Received, Receiver
from tests.gateway.test_official_clients_transcribe_files import wav_of
from tests.running import RunningServer
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(240)]

API = "/serve/api/v2"
SECONDS = 24
SAID = (
    *PHRASES,
    "epoch of incredulity",
    "season of light",
    "season of darkness",
    "winter of despair",
)
LET_RUN_OUT = """
from datetime import timedelta
from django.utils import timezone
from memweb.gateway.models import Lane, StreamTask, Task
gone = timezone.now() - timedelta(seconds=1)
Task.objects.filter(status="running").update(lease_until=gone)
StreamTask.objects.filter(state="running").update(leased_until=gone)
Lane.objects.exclude(leased_until=None).update(leased_until=gone)
"""
"""As if the time of the dead one's leases were over, which is what a drill would otherwise wait for."""
WAITING = "from memweb.gateway.models import Delivery\nprint(Delivery.objects.filter(state='waiting').count())"


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url + API, headers={"Authorization": server.key()}, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, wheel_speech: dict[str, Path]) -> Iterator[str]:
    """A recording as a list of parts (all.m3u8) and as one file (sound.wav)."""
    folder = tmp_path_factory.mktemp("source")
    with wave.open(str(wheel_speech["two_cities"])) as whole, wave.open(str(folder / "sound.wav"), "wb") as cut:
        cut.setparams(whole.getparams())
        cut.writeframes(whole.readframes(SECONDS * whole.getframerate()))
    sources.segments(folder, folder / "sound.wav")
    with sources.web_server(folder, {}, {}) as url:
        yield url


def posted(receiver: Receiver, task_id: str) -> list[Received]:
    return [one for one in receiver.got if json.loads(one.body)["task_id"] == task_id]


def charged(server: RunningServer, task_id: str) -> list[list[int]]:
    """[units so far, ms of sound] of each charge, in order."""
    found: list[list[int]] = json.loads(
        server.ask(
            "import json\n"
            "from memweb.gateway.models import LedgerEntry\n"
            f"rows = LedgerEntry.objects.filter(session={task_id!r}).order_by('pk').values_list('units', 'audio_ms')\n"
            "print(json.dumps([list(row) for row in rows]))"
        )
    )
    return found


# --- a file -----------------------------------------------------------------------------------------

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


# --- a stream ---------------------------------------------------------------------------------------

FORGETS_WHAT_WAS_TOLD = """
from memweb.gateway import conductor
begin = conductor.Run.__init__
def forgetful(self, stream, *rest):
    stream.told_ms = max(0, stream.told_ms - 8000)
    begin(self, stream, *rest)
conductor.Run.__init__ = forgetful
"""


class Stream:
    """One pulled stream, as its callbacks tell it. A delivery that came twice, with one id, counts once."""

    def __init__(self, api: httpx.Client, receiver: Receiver, url: str, provider: str, **more: str) -> None:
        started = api.post("/audio-stream/start", json={"audio_url": url, "provider": provider, **more}).json()
        self.task_id: str = started["data"]["task_id"]
        self._receiver = receiver

    @property
    def told(self) -> list[dict[str, Any]]:
        by_id = {one.headers["webhook-id"]: one for one in posted(self._receiver, self.task_id)}
        return [json.loads(one.body)["data"] for one in sorted(by_id.values(), key=lambda one: one.number)]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(one["status"] for one in self.told)

    @property
    def finals(self) -> list[str]:
        """What was said for good: a commit, or a turn that ended."""
        found = []
        for one in self.told:
            said = one["transcript"] or {}
            if said.get("message_type") == "committed_transcript":
                found.append(said["text"])
            elif said.get("type") == "Turn" and said["end_of_turn"]:
                found.append(said["transcript"])
        return found

    @property
    def phrases(self) -> list[str]:
        """Those of SAID, as often as they were said, in order."""
        said = " ".join(re.findall(r"[a-z']+", " ".join(self.finals).lower()))
        return re.findall("|".join(SAID), said)


def stream_drill(
    server: RunningServer, api: httpx.Client, receiver: Receiver, source: str, patch: str
) -> tuple[Stream, Stream]:
    """Two streams are pulled; whoever pulls them is killed between two finals, and another one takes them up."""
    whole = Stream(api, receiver, f"{source}/all.m3u8", "elevenlabs", language_code="en")
    stopped = Stream(api, receiver, f"{source}/sound.wav", "assemblyai")

    def in_the_middle() -> bool:
        last = whole.told[-1]["transcript"] if whole.told else {}
        return bool(last.get("message_type") == "partial_transcript" and whole.finals[2:] and stopped.finals[2:])

    until(in_the_middle)
    server.kill_one("streams")
    before = len(stopped.finals)
    server.ask(LET_RUN_OUT)
    server.start_one("streams", patch)
    until(lambda: len(stopped.finals) > before)
    api.post("/audio-stream/stop", json={"task_id": stopped.task_id})
    until(lambda: whole.statuses[-1] and stopped.statuses[14])
    return whole, stopped


def test_a_stream_goes_on_though_whoever_pulls_it_is_killed(
    server: RunningServer, api: httpx.Client, receiver: Receiver, source: str
) -> None:
    whole, stopped = stream_drill(server, api, receiver, source, "")
    assert whole.phrases == list(SAID), whole.finals[6:]
    assert stopped.phrases == list(SAID[: len(stopped.phrases)]), stopped.finals
    assert (whole.statuses[-1], whole.statuses[14]) == (1, 0)
    assert (stopped.statuses[-1], stopped.statuses[14]) == (0, 1)
    assert whole.told[-1]["status"] == -1
    assert stopped.told[-1]["status"] == 14
    assert charged(server, whole.task_id) == [[unit, 5000] for unit in range(1, SECONDS // 5 + 2)]
    units = [unit for unit, _ in charged(server, stopped.task_id)]
    assert units == [*range(1, len(units) + 1)]
    assert len(units) <= SECONDS // 5 + 1


def test_a_stream_that_goes_on_too_early_is_caught(
    server: RunningServer, api: httpx.Client, receiver: Receiver, source: str
) -> None:
    whole, _ = stream_drill(server, api, receiver, source, FORGETS_WHAT_WAS_TOLD)
    assert whole.phrases != list(SAID)
    assert charged(server, whole.task_id) == [[unit, 5000] for unit in range(1, SECONDS // 5 + 2)]
