"""One drill for files and every kind of stream: the receiver hangs, fails and is away; web, worker and streams die.

Real sources, real processes and SIGKILL. The drill tells what went wrong; its broken twin must have something to tell.
"""

from __future__ import annotations

import json
import time
import wave
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from memweb.speech import envelope
from tests.gateway import sources
from tests.gateway.callbacks import LET_RUN_OUT, SAID, WAITING, Stream, charged, posted
from tests.gateway.conftest import PHRASES, heard
from tests.gateway.receiver import Answer, Received, Receiver, receiving
from tests.gateway.test_official_clients_transcribe_files import wav_of
from tests.running import RunningServer
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(900)]

API = "/serve/api/v2"
PERIOD = 24
TIMES = 3
"""The recording says SAID in so many seconds, and is played so often."""
ASKED = {
    "hls": {"provider": "elevenlabs", "language_code": "en"},
    "http": {"provider": "assemblyai"},
    "rtmp": {"provider": "elevenlabs", "language_code": "en"},
    "rtsp": {"provider": "assemblyai"},
}
WHOLE, LIVE = "hls", ("rtmp", "rtsp")
"""What is heard to its own end; what has gone on when it is connected to again."""
HANGS_S = 16.0
"""A little longer than a courier waits."""
TRY_NOW = """
from django.utils import timezone
from memweb.gateway.models import Lane
Lane.objects.filter(due_at__gt=timezone.now()).update(due_at=timezone.now())
"""
"""As if the time until the next try were over, which is up to a day."""
BROKEN = """
from memweb.gateway import conductor, courier
conductor.Run._note_gap = lambda *anything: None
begin = conductor.Run.__init__
def forgetful(self, stream, *rest):
    stream.told_ms = max(0, stream.told_ms - 8000)
    begin(self, stream, *rest)
conductor.Run.__init__ = forgetful
def newest(lane, front, *more, letter=courier._letter):
    return letter(lane, lane.deliveries.filter(state="waiting").order_by("number").last(), *more)
courier._letter = newest
"""
"""Whoever takes over says nothing of what is missing, begins too early, and delivers what came last first."""


class Fickle(Receiver):
    """One that lets the first message of each task wait for an answer in vain, refuses the second, and then accepts."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.accepted: dict[str, list[tuple[int, str]]] = defaultdict(list)
        """Of each task, (number, id) of what was accepted, as it was."""
        self.answers: dict[str, list[int | None]] = defaultdict(lambda: [None, 500, 204])

    def _answer(self, received: Received) -> Answer:
        task_id = json.loads(received.body)["task_id"]
        answers = self.answers[task_id]
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        if status is None:
            time.sleep(HANGS_S)  # nothing is waited for: a silent line is what the courier has to give up
        elif status == 204:
            self.accepted[task_id].append((received.number, received.headers["webhook-id"]))
        return status

    def faults_of_order(self, task_id: str) -> list[str]:
        """Whether each message was accepted after all before it; again, with the id it had, is allowed."""
        first: dict[int, str] = {}
        for number, webhook_id in self.accepted[task_id]:
            if first.setdefault(number, webhook_id) != webhook_id:
                return [f"{number} has two ids"]
        return [] if list(first) == [*range(1, len(first) + 1)] else [f"out of order: {list(first)}"]


@pytest.fixture(scope="module")
def receiver() -> Receiver:
    """Known by its port; it runs while a drill lets it."""
    fickle = Fickle()
    with receiving(fickle):
        pass
    return fickle


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url + API, headers={"Authorization": server.key()}, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, wheel_speech: dict[str, Path]) -> Iterator[dict[str, str]]:
    """The recording as a list of parts and as one file over HTTP, from an RTMP server and from an RTSP server."""
    folder = tmp_path_factory.mktemp("source")
    with wave.open(str(wheel_speech["two_cities"])) as whole, wave.open(str(folder / "sound.wav"), "wb") as cut:
        cut.setparams(whole.getparams())
        said = whole.readframes(PERIOD * whole.getframerate())
        cut.writeframes(said * TIMES)
    sources.segments(folder, folder / "sound.wav")
    with ExitStack() as stack:
        web = stack.enter_context(sources.web_server(folder, {}, {}))
        rtmp = stack.enter_context(sources.rtmp_server(folder))
        stack.callback(sources.Publisher(f"{rtmp}/stage", folder / "sound.wav").stop)
        rtsp = stack.enter_context(sources.rtsp_server(folder / "sound.wav"))
        yield {"hls": f"{web}/all.m3u8", "http": f"{web}/sound.wav", "rtmp": f"{rtmp}/stage", "rtsp": rtsp}


class Drill:
    """Two files and a stream of each kind, and all that goes wrong with them."""

    def __init__(
        self, server: RunningServer, api: httpx.Client, receiver: Fickle, addresses: dict[str, str], sound: bytes
    ) -> None:
        self._server, self._api, self._receiver = server, api, receiver
        self._sound, self._addresses = sound, addresses
        self._streams: dict[str, Stream] = {}
        self._files: list[str] = []

    def run(self, patch: str) -> list[str]:
        """What went wrong, when all is over. `patch` is what whoever takes the streams over runs first."""
        with receiving(self._receiver):
            self._files.append(self._file())
            self._until_heard(self._files[-1])  # before there is live sound, which goes first
            for kind, address in self._addresses.items():
                self._streams[kind] = Stream(self._api, self._receiver, address, **ASKED[kind])
            self._until_accepted([*self._files, *(stream.task_id for stream in self._streams.values())])
            self._kill_web()
        self._kill_the_others(patch)
        with receiving(self._receiver):
            self._end()
        return [*self._faults_of_files(), *self._faults_of_streams()]

    def _file(self) -> str:
        asset_id = self._api.post("/upload", files={"file": ("talk.wav", self._sound)}).json()["data"]["asset_id"]
        asked = self._api.post("/transcriptions/async-generate-audio", json={"asset_id": asset_id}).json()
        return str(asked["data"]["task_id"])

    def _status(self, task_id: str) -> str:
        return str(self._api.get(f"/tasks/{task_id}").json()["data"]["status"])

    def _until_heard(self, task_id: str) -> None:
        until(lambda: self._status(task_id) == "done")

    def _until_accepted(self, tasks: list[str]) -> None:
        """Until something of each was accepted, whatever it took."""
        until(lambda: self._again() and all(self._receiver.accepted[task] for task in tasks))

    def _again(self) -> bool:
        self._server.ask(TRY_NOW)
        return True

    def _kill_web(self) -> None:
        """Who pulls and delivers is another process, and goes on."""
        self._server.kill_one("web")
        before = {kind: len(stream.finals) for kind, stream in self._streams.items()}
        until(lambda: all(len(stream.finals) > before[kind] for kind, stream in self._streams.items()))
        self._server.start_one("web")

    def _kill_the_others(self, patch: str) -> None:
        """Whoever takes over has more than one message for each stream when the receiver is back."""
        self._files.append(self._file())
        until(lambda: self._status(self._files[-1]) == "running")
        self._server.kill_one("worker")
        self._server.kill_one("streams")
        self._server.ask(LET_RUN_OUT)
        before = self._written()
        self._server.start_one("worker")
        self._server.start_one("streams", patch)
        until(lambda: all(self._written()[kind] > before[kind] + 5 for kind in before))

    def _written(self) -> dict[str, int]:
        """How many messages there are of each stream, delivered or not."""
        tasks = {kind: stream.task_id for kind, stream in self._streams.items()}
        told: dict[str, int] = json.loads(
            self._server.ask(
                "import json\n"
                "from memweb.gateway.models import Delivery\n"
                f"print(json.dumps({{kind: Delivery.objects.filter(lane__task_id=task).count()"
                f" for kind, task in {tasks!r}.items()}}))"
            )
        )
        return told

    def _end(self) -> None:
        """At one source's own end; the others are stopped when something was said after the kill. All is delivered."""
        before = {kind: len(stream.finals) for kind, stream in self._streams.items() if kind != WHOLE}
        until(lambda: self._again() and all(len(self._streams[kind].finals) > before[kind] + 2 for kind in before))
        for kind in before:
            self._api.post("/audio-stream/stop", json={"task_id": self._streams[kind].task_id})
        until(lambda: self._streams[WHOLE].statuses[-1])
        self._until_heard(self._files[-1])
        until(lambda: self._again() and self._server.ask(WAITING) == "0")

    def _faults_of_files(self) -> Iterator[str]:
        for task_id in self._files:
            yield from self._receiver.faults_of_order(task_id)
            callbacks = {one.headers["webhook-id"]: one.body for one in posted(self._receiver, task_id)}
            if len(callbacks) != 1:
                yield f"file: {len(callbacks)} callbacks"
            rows = json.loads(next(iter(callbacks.values())))["data"]["data"]["data"]
            if heard(row["text"] for row in rows) != list(PHRASES):
                yield f"file: not the whole result: {rows}"
            if charged(self._server, task_id) != [[14, 14_000]]:
                yield f"file: charged {charged(self._server, task_id)}"

    def _faults_of_streams(self) -> Iterator[str]:
        for kind, stream in self._streams.items():
            yield from (f"{kind}: {fault}" for fault in self._receiver.faults_of_order(stream.task_id))
            ends = {-1: 1} if kind == WHOLE else {14: 1}
            if {status: count for status, count in stream.statuses.items() if status} != ends:
                yield f"{kind}: ended with {stream.statuses}"
            if stream.told[-1]["status"] == 0:
                yield f"{kind}: goes on after its end"
            gaps = [one["message"] for one in stream.told[:-1] if one["message"]]
            if gaps != ([envelope.gap(None)] if kind in LIVE else []):
                yield f"{kind}: gaps {gaps}"
            yield from (f"{kind}: {fault}" for fault in self._faults_of_words(kind, stream))
            units = charged(self._server, stream.task_id)
            if units != [[unit, 5000] for unit in range(1, len(units) + 1)]:
                yield f"{kind}: charged {units}"
            most = -(-PERIOD * TIMES // 5)
            if len(units) != most if kind == WHOLE else len(units) > most:
                yield f"{kind}: charged {len(units)} units"

    def _faults_of_words(self, kind: str, stream: Stream) -> Iterator[str]:
        """A recording is heard whole and once; what is live goes on in order, once the gap is behind."""
        if kind not in LIVE:
            phrases = stream.phrases
            if phrases != (list(SAID) * TIMES)[: None if kind == WHOLE else len(phrases)]:
                yield f"heard {stream.finals}"
            return
        for part in stream.parts:
            steps = {(SAID.index(then) - SAID.index(now)) % len(SAID) for now, then in pairwise(part)}
            if not part or steps - {1, 2}:  # one phrase may be misheard; none comes again, and none too early
                yield f"heard {part} in {stream.finals}"


@pytest.mark.parametrize("patch", ["", BROKEN], ids=["honest", "broken twin"])
def test_each_is_told_whole_in_order_and_charged_once(
    server: RunningServer,
    api: httpx.Client,
    receiver: Fickle,
    addresses: dict[str, str],
    two_cities: bytes,
    patch: str,
) -> None:
    faults = Drill(server, api, receiver, addresses, wav_of(two_cities)).run(patch)
    if not patch:
        assert faults == []
        return
    for kind in addresses:
        assert f"{kind}: gaps []" in faults if kind in LIVE else told(faults, f"{kind}: heard")
        assert told(faults, f"{kind}: out of order")


def told(faults: list[str], beginning: str) -> bool:
    return any(fault.startswith(beginning) for fault in faults)
