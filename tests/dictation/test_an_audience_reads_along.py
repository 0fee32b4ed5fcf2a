"""Captions for an audience: words within a second of being spoken, for many at once, from one look at the database.

The slowest of all words is measured by `benchmarks.captions`: here other tests use the machine too.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.dictation.evidence import broken, environment
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator
from tests.waiting import PATIENCE

pytestmark = pytest.mark.process
MANY = 200
SHARE = """
from transcripts.taken_away import sharing
print(sharing.token_of(sharing.make(record_id={record!r}, kind={kind!r})))
"""
NEW = """
import uuid
from django.utils import timezone
from transcripts import services
owner = User.objects.get(username="owner")
print(services.open_record(id=uuid.uuid4(), owner_id=owner.pk, title="<b>Town</b> hall", started_at=timezone.now()).pk)
"""
SAY = """
import uuid
from memweb.speech.transcript import Segment
from transcripts import services
services.save_final(record_id=uuid.UUID({record!r}), segment=Segment("1-0", 0, 900, {text!r}, speaker="<i>Ann</i>"))
"""

STREAM = """
from transcripts import streams
owner = User.objects.get(username="owner")
print(streams.begin(owner_id=owner.pk, title="Radio", provider="elevenlabs", task_id="t-audience").pk)
"""
TELL = """
import json
from memweb.speech import envelope
from tests.transcripts.posting import store
from transcripts.callbacks import applying
message = json.dumps({{"message_type": {kind!r}, "text": {words!r}}})
store(User.objects.get(username="owner"), envelope.stream_callback("t-audience", 0, transcript=message))
applying.apply_waiting()
"""


@dataclass
class Seat:
    """One viewer: what it was shown, and when."""

    socket: ClientConnection
    shown: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    code: int | None = None

    async def watch(self) -> None:
        try:
            async for message in self.socket:
                self.shown.append((time.monotonic(), json.loads(message)))
        except ConnectionClosed:
            pass
        self.code = self.socket.close_code

    @property
    def last(self) -> dict[str, Any]:
        return self.shown[-1][1] if self.shown else {}

    @property
    def text(self) -> str:
        return " ".join([*(words for _, _, words in self.last.get("lines", [])), self.last.get("now", "")])

    def saw(self, words: str) -> float:
        """When these words first stood there; for ever later where they never did."""
        for at, message in self.shown:
            said = " ".join([*(line[2] for line in message.get("lines", [])), message.get("now", "")])
            if words in said:
                return at
        return float("inf")

    async def until(self, true: Any, what: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"waited for {what}; last shown: {self.last}, closed {self.code}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def seat(server: RunningServer, token: str) -> AsyncIterator[Seat]:
    """Nobody in particular, with no cookie."""
    address = f"{server.ws_url}/ws/captions/{token}/"
    async with connect(address, origin=server.origin, compression=None, open_timeout=30) as socket:  # type: ignore[arg-type]
        taken = Seat(socket)
        watching = asyncio.get_running_loop().create_task(taken.watch())
        try:
            yield taken
        finally:
            watching.cancel()


async def ask(server: RunningServer, script: str) -> str:
    return await asyncio.to_thread(server.ask, script)


async def link(server: RunningServer, record: object, kind: str = "captions") -> str:
    return await ask(server, SHARE.format(record=str(record), kind=kind))


async def test_two_hundred_read_words_within_a_second_of_being_spoken(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page, AsyncExitStack() as seats:
        await page.record(1)
        await page.until(lambda: page.acked > 0, "a record")
        token = await link(heard_server, page.record_id)
        audience = [await seats.enter_async_context(seat(heard_server, token)) for _ in range(MANY)]
        for one in audience:
            await one.until(lambda one=one: one.shown, "a first look")
        spoken = {}
        for number in range(1, 15):
            spoken[number] = time.monotonic()
            await page.record(1, interval=0.1)
        await page.until(lambda: len(page.log) >= 2, "two finals")
        for one in audience:
            await one.until(lambda one=one: one.saw("f13") < float("inf"), "the last words")
        late = [one.saw(f"f{number}") - spoken[number] for number in range(1, 14) for one in audience]
        assert max(late) < float("inf"), "no word is lost"
        assert statistics.median(late) < 1.0, sorted(late)
        assert any(message["now"] for _, message in audience[0].shown), "words that may still change are shown"
        assert len(audience[0].shown) < 60, "not each message of the provider is sent on"
        await page.ended()
        await audience[-1].until(lambda: audience[-1].last["state"] == "over", "the end")
        assert "f13" in audience[-1].text
        assert audience[-1].last["now"] == ""


async def test_what_is_taken_back_leaves_the_captions_too(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(14)
        await page.until(lambda: len(page.log) == 2, "two phrases")
        async with seat(heard_server, await link(heard_server, page.record_id)) as one:
            await one.until(lambda: len(one.last.get("lines", [])) == 2, "two lines")
            await page.say(t="undo")
            await one.until(lambda: len(one.last["lines"]) == 1, "one line left")
        await page.ended()


async def test_before_it_starts_and_when_another_process_writes(heard_server: RunningServer) -> None:
    """A stream is written by the worker: its words come too, a second after they are kept."""
    record = await ask(heard_server, NEW)
    async with seat(heard_server, await link(heard_server, record)) as one:
        await one.until(lambda: one.last.get("state") == "waiting", "nothing said")
        await ask(heard_server, SAY.format(record=record, text="<mw-evil> & so on"))
        await one.until(lambda: one.last.get("state") == "live", "the words")
        assert one.last["lines"] == [["1-0", "<i>Ann</i>", "<mw-evil> & so on"]]


async def test_words_that_a_stream_is_saying_are_shown_until_they_last(heard_server: RunningServer) -> None:
    record = await ask(heard_server, STREAM)
    async with seat(heard_server, await link(heard_server, record)) as one:
        await one.until(lambda: one.last.get("state") == "waiting", "nothing said")
        await ask(heard_server, TELL.format(words="<mw-evil> & the ferry", kind="partial_transcript"))
        await one.until(lambda: one.last["now"] == "<mw-evil> & the ferry", "words being said")
        assert (one.last["state"], one.last["lines"]) == ("live", [])
        await ask(heard_server, TELL.format(words="And the ferry leaves.", kind="committed_transcript"))
        await one.until(lambda: one.last["lines"] != [], "words that last")
        assert (one.last["lines"][0][2], one.last["now"]) == ("And the ferry leaves.", "")


@pytest.mark.parametrize("end", ["Share.objects.update(revoked_at=timezone.now())",
                                 "Record.objects.filter(pk={record!r}).update(deleted_at=timezone.now())"])  # fmt: skip
async def test_a_stopped_link_is_over_within_five_seconds(end: str, heard_server: RunningServer) -> None:
    record = await ask(heard_server, NEW)
    token = await link(heard_server, record)
    async with seat(heard_server, token) as one:
        await one.until(lambda: one.shown, "a first look")
        head = "from django.utils import timezone\nfrom transcripts.models import Record, Share\n"
        await ask(heard_server, head + end.format(record=record))
        stopped = time.monotonic()
        await one.until(lambda: one.code is not None, "the end", 6.0)
        assert time.monotonic() - stopped < 5.0
        assert (one.last, one.code) == ({"t": "gone"}, 4404)
    async with seat(heard_server, token) as again:
        await again.until(lambda: again.code == 4404, "no way back in")


async def test_only_a_link_for_captions_opens_it_and_only_from_memwebs_own_page(heard_server: RunningServer) -> None:
    record = await ask(heard_server, NEW)
    for token in (await link(heard_server, record, "text"), "nobody-made-this", str(record)):
        async with seat(heard_server, token) as one:
            await one.until(lambda: one.code is not None, "a refusal")
            assert (one.last, one.code) == ({"t": "gone"}, 4404)
    token = await link(heard_server, record)
    with pytest.raises(InvalidStatus):
        async with connect(f"{heard_server.ws_url}/ws/captions/{token}/", origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    async with httpx.AsyncClient(base_url=heard_server.url) as client:
        assert (await client.get(f"/shared/{token}/")).status_code == 404


async def test_who_talks_to_captions_is_shown_out(heard_server: RunningServer) -> None:
    async with seat(heard_server, await link(heard_server, await ask(heard_server, NEW))) as one:
        for _ in range(30):
            await one.socket.send("x" * 1000)
        await one.until(lambda: one.code == 4413, "the door")


async def test_its_page_alone_may_stand_in_the_frame_of_another(heard_server: RunningServer) -> None:
    token = await link(heard_server, await ask(heard_server, NEW))
    async with httpx.AsyncClient(base_url=heard_server.url) as client:
        for path in (f"/captions/{token}/?size=48&theme=clear", "/captions/unknown/"):
            answer = await client.get(path)
            assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "X-Frame-Options" not in answer.headers
            assert "noindex" in answer.headers["X-Robots-Tag"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "set-cookie" not in answer.headers
        for path in ("/sign-in/", "/shared/unknown/"):
            answer = await client.get(path)
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Frame-Options"] == "DENY"
        html = (await client.get(f"/captions/{token}/?size=48&theme=clear&lines=2")).text
        assert 'data-theme="clear"' in html
        assert 'data-size="48"' in html
        assert "&lt;b&gt;Town&lt;/b&gt; hall" in html
        for odd in ("?size=<mw>&theme=%22x&lines=-1", "?size=999999&lines=٣", "?size=1"):
            html = (await client.get(f"/captions/{token}/{odd}")).text
            assert not re.search(r"<mw|data-theme|data-lines", html)


async def test_the_library_is_looked_at_for_all_viewers_at_once(tmp_path: Path, simulator: Simulator) -> None:
    """Each look is counted in the server: with twenty viewers there is one a second, as with one."""
    count = (
        "import atexit, pathlib, threading\n"
        "def _count():\n"
        "    from memweb.dictation import captions\n"
        "    look = captions.look\n"
        "    def counted(record_id, share_ids):\n"
        f"        with open({str(tmp_path / 'looks')!r}, 'a') as file: file.write('x')\n"
        "        return look(record_id, share_ids)\n"
        "    captions.look = counted\n"
        "import django\n"
        "_setup = django.setup\n"
        "def setup(*args, **kwargs):\n"
        "    _setup(*args, **kwargs)\n"
        "    _count()\n"
        "django.setup = setup\n"
    )
    env = environment(simulator) | broken(tmp_path / "counting", count)
    with RunningServer(tmp_path / "counted", env=env) as server:
        token = await link(server, await ask(server, NEW))
        async with AsyncExitStack() as seats:
            audience = [await seats.enter_async_context(seat(server, token)) for _ in range(20)]
            for one in audience:
                await one.until(lambda one=one: one.shown, "a first look")
            looks = lambda: len((tmp_path / "looks").read_text())  # noqa: E731
            before, began = looks(), time.monotonic()
            await audience[0].until(lambda: looks() >= before + 3, "three more looks")
    assert time.monotonic() - began > 1.8
