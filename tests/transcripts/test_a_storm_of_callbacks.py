"""A storm of callbacks on one task, while what takes and what applies them is killed: stored = applied = truth.

`MEMWEB_DRILLS=10000 pytest -s` this file for the big one; it prints how long it took.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.running import Part, RunningServer
from tests.transcripts import posting

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

MANY = max(1000, int(os.environ.get("MEMWEB_DRILLS", "0")))
AT_ONCE = 32
KILLED: tuple[tuple[float, Part], ...] = ((0.2, "worker"), (0.4, "web"), (0.6, "worker"), (0.8, "web"))
"""After which share of the answers, who."""
ANSWERS_BEFORE_IT_STORES = """
import asyncio
from transcripts import webhooks
keep, kept = webhooks.Inbox.keep, set()
async def later(inbox, letter):
    await asyncio.sleep(0.3)
    await keep(inbox, letter)
async def hasty(inbox, letter):
    kept.add(asyncio.ensure_future(later(inbox, letter)))
    return True
webhooks.Inbox.keep = hasty
"""
BEGIN = """
from transcripts import streams
owner = User.objects.get(username='owner')
streams.begin(owner_id=owner.pk, title='Storm', provider='assemblyai', task_id={task_id!r})
"""
FOUND = """
import json
from django.db.models import Count, Sum
from transcripts.callbacks.inbox import Callback
from transcripts.models import Job, Segment
told = Callback.objects.filter(task_id={task_id!r})
texts = Segment.objects.filter(version__record__jobs__task_id={task_id!r}).order_by('start_ms')
print(json.dumps({{
    'states': dict(Callback.objects.values_list('state').annotate(Count('id')).order_by()),
    'repeats': told.aggregate(all=Sum('repeats'))['all'] or 0,
    'digests': sorted(told.values_list('digest', flat=True)),
    'texts': list(texts.values_list('text', flat=True)),
}}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("storm"), worker=True) as running:
        yield running


@dataclass
class Storm:
    """`many` callbacks of one task, a fifth of them twice, in any order; each is sent until it is accepted."""

    server: RunningServer
    task_id: str
    many: int
    web: str = ""
    """What a web process that is started is patched with."""
    accepted: int = 0
    tries: int = 0
    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.texts = [f"Sentence {number} of the storm." for number in range(self.many)]
        self.bodies = [posting.turn(self.task_id, number, text) for number, text in enumerate(self.texts)]
        address = self.server.manage("hookurl", "--user", "owner")
        self.url = self.server.url + urlsplit(address).path

    async def blow(self) -> None:
        chance = random.Random(5)
        numbers = [*range(self.many), *chance.sample(range(self.many), self.many // 5)]
        chance.shuffle(numbers)
        early = len(numbers) // 4
        killing = asyncio.create_task(self._kill(len(numbers)))
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE), timeout=20) as http:
            await self._send(http, numbers[:early])  # before anybody here knows the task
            await asyncio.to_thread(self.server.ask, BEGIN.format(task_id=self.task_id))
            await self._send(http, numbers[early:])
        await killing

    async def _send(self, http: httpx.AsyncClient, numbers: list[int]) -> None:
        left = iter(numbers)

        async def sender() -> None:
            for number in left:
                while not await self._post(http, number):
                    await asyncio.sleep(0.05)
                self.accepted += 1

        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))

    async def _post(self, http: httpx.AsyncClient, number: int) -> bool:
        self.tries += 1
        headers = {
            "content-type": "application/json",
            "webhook-id": f"msg_{self.task_id}_{number}",
            "memweb-sequence": str(number + 1),
        }
        try:
            answer = await http.post(self.url, content=self.bodies[number], headers=headers)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    async def _kill(self, posts: int) -> None:
        for share, part in KILLED:
            while self.accepted < share * posts:
                await asyncio.sleep(0.01)
            self.server.kill_one(part)
            await asyncio.to_thread(self.server.start_one, part, self.web if part == "web" else "")

    def found(self) -> dict[str, Any]:
        """What came of it, once nothing waits any more."""
        deadline = time.monotonic() + 120
        while True:
            found: dict[str, Any] = json.loads(self.server.ask(FOUND.format(task_id=self.task_id)))
            if set(found["states"]) <= {"applied"}:
                return found
            assert time.monotonic() < deadline, found["states"]


def test_what_was_accepted_is_applied_once_and_in_order(server: RunningServer) -> None:
    storm = Storm(server, "storm", MANY)
    began = time.monotonic()
    asyncio.run(storm.blow())
    blown = time.monotonic()
    found = storm.found()
    assert found["states"] == {"applied": MANY}
    assert found["digests"] == sorted(hashlib.sha256(body).hexdigest() for body in storm.bodies)
    assert found["texts"] == storm.texts
    assert found["repeats"] >= MANY // 5
    print(
        f"\n{storm.accepted} posts of {MANY} callbacks accepted in {blown - began:.1f} s, {storm.tries} tries, "
        f"{found['repeats']} repeats; all applied {time.monotonic() - blown:.1f} s later"
    )


def test_a_receiver_that_answers_before_it_stores_is_caught(server: RunningServer) -> None:
    server.kill_one("web")
    server.start_one("web", ANSWERS_BEFORE_IT_STORES)
    storm = Storm(server, "hasty", 400, web=ANSWERS_BEFORE_IT_STORES)
    asyncio.run(storm.blow())
    assert len(storm.found()["digests"]) < storm.many
