"""Between server and gateway: it drops, stalls, refuses, says errors, restarts. Recording goes on through all of it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from memweb.speech.dialects import FAILURES
from tests.dictation.evidence import DRILLS, assert_whole, broken, environment, kept_text, spooled_sha256
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Fault, Simulator, numbers_in

pytestmark = pytest.mark.process

REPLAYS_NOTHING = """
from memweb.speech import session
connect = session.LiveSession._connect
def forgetful(self, now):
    self.floor = max(self.floor, self.sent)
    return connect(self, now)
session.LiveSession._connect = forgetful
"""
KEEPS_THE_OLD_FLOOR = """
from memweb.speech import session
connect = session.LiveSession._connect
def doubling(self, now):
    floor, self.floor = self.floor, 0
    actions = connect(self, now)
    self.floor = floor
    return actions
session.LiveSession._connect = doubling
"""


def random_faults() -> list[Fault]:
    kinds = [("drop", 0, ""), ("close", 1011, ""), ("close", 3005, "Session Cancelled"), ("close", 1012, "")]
    return [Fault(kind, random.randrange(1, 15), code, error) for kind, code, error in random.sample(kinds, 3)]


async def dictate(server: RunningServer, owner: dict[str, str], count: int = 60) -> PageClient:
    async with PageClient(server, owner) as page:
        await page.record(count, interval=0.03)
        await page.ended()
    return page


async def test_a_gateway_that_drops_in_mid_sentence_loses_and_doubles_nothing(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    for _ in range(DRILLS):
        faults = random_faults()
        simulator.faults.extend(faults)
        before = len(simulator.fired)
        page = await dictate(heard_server, owner)
        assert len(simulator.fired) - before == len(faults)
        assert "reconnecting" in page.states()
        assert_whole(heard_server, page)


@pytest.mark.parametrize("twin", [REPLAYS_NOTHING, KEEPS_THE_OLD_FLOOR], ids=["lost", "doubled"])
async def test_the_drill_sees_lost_and_doubled_words(tmp_path: Path, simulator: Simulator, twin: str) -> None:
    with RunningServer(tmp_path, env=environment(simulator, **broken(tmp_path / "twin", twin))) as server:
        simulator.faults.append(Fault("drop", 10))
        page = await dictate(server, server.sign_in())
        assert spooled_sha256(server, page.record_id) == page.sha256
        with pytest.raises(AssertionError):
            assert_whole(server, page)


async def test_a_gateway_that_falls_silent_is_left_for_a_new_connection(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    simulator.faults.append(Fault("stall", 5))
    async with PageClient(heard_server, owner) as page:
        await page.record(20)
        await page.until(lambda: "reconnecting" in page.states(), "the dead line to be noticed", 25)
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_gateway_that_restarts_is_found_again(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(17)
        await asyncio.to_thread(simulator.stop)
        await page.until(lambda: page.states()[-1:] == ["reconnecting"], "the state in words")
        await page.record(30)
        await page.until(lambda: page.acked == 47, "sound to be kept all the same")
        assert page.last("state")["note"]  # type: ignore[index]
        await asyncio.to_thread(simulator.start)
        await page.until(lambda: page.states()[-1:] == ["listening"], "listening again")
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_backlog_is_told_and_caught_up(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(7)
        await asyncio.to_thread(simulator.stop)
        await page.record(100, interval=0.01)
        await page.until(lambda: page.states()[-1:] == ["reconnecting"], "the state in words")
        stopped = page.last("state")["transcribed_ms"]  # type: ignore[index]
        assert stopped <= 700
        await page.until(lambda: (page.last("ack") or {}).get("safe_ms") == 10_700, "the other clock to go on")
        await asyncio.to_thread(simulator.start)
        await page.until(lambda: "catching_up" in page.states(), "catching up in words")
        behind = [message["lag_ms"] for message in page.messages if message.get("state") == "catching_up"]
        assert max(behind) > 2000
        await page.until(lambda: page.states()[-1:] == ["listening"], "having caught up")
        assert page.last("state")["transcribed_ms"] > 8500  # type: ignore[index]
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_full_gateway_is_asked_again_until_there_is_room(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    simulator.faults.extend([Fault("refuse", code=429), Fault("refuse", code=503)])
    page = await dictate(heard_server, owner, 20)
    notes = " ".join(message["note"] for message in page.messages if message["t"] == "state")
    assert "capacity" in notes
    assert_whole(heard_server, page)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("refuse", code=401), "auth"),
        (Fault("refuse", code=402), "funds"),
        (Fault("refuse", code=403), "auth"),
        (Fault("close", 3, 4001, "Not authorized"), "auth"),
        (Fault("close", 3, 4002, "Insufficient funds"), "funds"),
    ],
    ids=lambda value: f"{value.kind}-{value.code}" if isinstance(value, Fault) else value,
)
async def test_a_key_or_a_balance_that_will_not_do_is_never_tried_again(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator, fault: Fault, code: str
) -> None:
    assert not FAILURES[code].retry
    simulator.faults.append(fault)
    before = simulator.connections
    async with PageClient(heard_server, owner) as page:
        await page.record(20)
        await page.until(lambda: page.states()[-1:] == ["failed"], "the state in words")
        await page.record(40, interval=0.05)
        await page.until(lambda: page.acked == 60, "sound to be kept all the same")
        error = page.last("error")
        assert error is not None
        assert error["code"] == code
        assert error["action"] in ("settings", "retry")
        assert code != "funds" or "Top it up, then try again" in error["message"], "a next step"
        assert simulator.connections == before + 1
        await page.say(t="continue")
        await page.until(lambda: page.states()[-1:] == ["listening"], "going on after the person acted")
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_gateway_that_never_comes_back_does_not_hold_up_the_end(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(14)
        await page.until(lambda: len(page.log) == 2, "two phrases")
        simulator.stop()
        try:
            await page.record(14)
            await page.ended(60)
        finally:
            simulator.start()
    assert spooled_sha256(heard_server, page.record_id) == page.sha256
    assert numbers_in(kept_text(heard_server, page.record_id)) == list(range(14))
    told = heard_server.ask(
        "from transcripts import jobs, recordings\n"
        "from transcripts.models import Job, Record\n"
        f"job = Job.objects.get(record_id='{page.record_id}', kind='seal')\n"
        "jobs.run(job_id=job.pk, work=recordings.seal)\n"
        f"print(Record.objects.get(pk='{page.record_id}').status_reason)"
    )
    assert told.startswith("The last words were not heard. "), "it is not handed over as if it were whole"


async def test_the_key_is_not_in_the_address(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    await dictate(heard_server, owner, 8)
    assert simulator.keys[-1] == simulator.key
    assert all(simulator.key not in query for query in simulator.queries)
    assert simulator.key not in heard_server.log()
