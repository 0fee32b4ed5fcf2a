"""What a real receiver was told of a file or a stream of the recording two_cities, and what was charged for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby, pairwise
from typing import Any

import httpx

from tests.gateway.conftest import PHRASES
from tests.gateway.receiver import Received, Receiver
from tests.running import RunningServer

SAID = (
    *PHRASES,
    "epoch of incredulity",
    "season of light",
    "season of darkness",
    "winter of despair",
)
"""What 24 s of the recording say, in order."""
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


def posted(receiver: Receiver, task_id: str) -> list[Received]:
    """What the receiver got for this task, each as often as it came."""
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
        """What was said for good."""
        return _finals(self.told)

    @property
    def phrases(self) -> list[str]:
        """Those of SAID, as often as they were said, in order."""
        return _phrases(self.told)

    @property
    def parts(self) -> list[list[str]]:
        """The phrases from gap to gap."""
        told = self.told
        gaps = [at for at, one in enumerate(told[:-1]) if one["message"]]
        return [_phrases(told[begin:end]) for begin, end in pairwise([0, *gaps, len(told)])]


def _finals(told: list[dict[str, Any]]) -> list[str]:
    """Of these messages: a commit, or a turn that ended."""
    found = []
    for one in told:
        said = one["transcript"] or {}
        if said.get("message_type") == "committed_transcript":
            found.append(said["text"])
        elif said.get("type") == "Turn" and said["end_of_turn"]:
            found.append(said["transcript"])
    return found


def _phrases(told: list[dict[str, Any]]) -> list[str]:
    """How well an engine hears is not asked here: what it says twice in one breath, of a sentence cut short, is one."""
    found = []
    for final in _finals(told):
        said = " ".join(re.findall(r"[a-z']+", final.lower()))
        found += [phrase for phrase, _ in groupby(re.findall("|".join(SAID), said))]
    return found
