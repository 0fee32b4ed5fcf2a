"""Between browser and server: the network drops, pages reload, tabs multiply, frames come twice or with holes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import httpx
import pytest

from tests.dictation.evidence import DRILLS, assert_whole, broken, environment, kept_text, spooled
from tests.page_client import PageClient, frame
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in

pytestmark = pytest.mark.process

ASKS_TOO_LATE = """
from memweb.speech import frames
resume = frames.resume
frames.resume = lambda *, next, **rest: resume(next=next + 3 if next else 0, **rest)
"""
TAKES_TWICE = """
from memweb.dictation import recording
from memweb.speech import frames
resume, ack, take = frames.resume, frames.ack, recording.Spool.take
frames.resume = lambda *, next, **rest: resume(next=max(0, next - 3), **rest)
frames.ack = lambda *, next, **rest: ack(next=max(0, next - 3), **rest)
def again(self, message, now):
    taken = take(self, message, now)
    if taken is recording.Taken.OLD:
        self._waiting.append(message)
        self.waiting_bytes += len(message)
    return taken
recording.Spool.take = again
"""


async def test_a_dropped_line_loses_and_doubles_nothing(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        for _ in range(2 * DRILLS):
            recording = asyncio.create_task(page.record(25))
            await asyncio.sleep(random.uniform(0.05, 0.4))
            page.cut()
            await recording
        await page.ended()
    assert page.connections >= 2
    assert_whole(heard_server, page)


async def test_a_reloaded_page_goes_on_with_what_its_browser_kept(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    page = PageClient(heard_server, owner)
    for _ in range(DRILLS):
        async with page:
            await page.record(17)
        for _ in range(5):
            page.make()  # recorded by the browser while no line was open
        page = page.reloaded()
    async with page:
        await page.ended()
    assert_whole(heard_server, page)


@pytest.mark.parametrize("reloaded", [False, True], ids=["dropped", "reloaded"])
async def test_what_is_made_while_the_line_is_gone_is_whole(
    heard_server: RunningServer, owner: dict[str, str], reloaded: bool
) -> None:
    await broken_off(heard_server, PageClient(heard_server, owner), reloaded, lag=0)


@pytest.mark.parametrize("twin", [ASKS_TOO_LATE, TAKES_TWICE], ids=["lost", "doubled"])
@pytest.mark.parametrize("reloaded", [False, True], ids=["dropped", "reloaded"])
async def test_the_drills_see_lost_and_doubled_sound(
    tmp_path: Path, simulator: Simulator, twin: str, reloaded: bool
) -> None:
    with RunningServer(tmp_path, env=environment(simulator, **broken(tmp_path / "twin", twin))) as server:
        page = PageClient(server, server.sign_in())
        with pytest.raises(AssertionError):
            await broken_off(server, page, reloaded, lag=3 if twin == TAKES_TWICE else 0)


async def broken_off(server: RunningServer, page: PageClient, reloaded: bool, lag: int) -> None:
    async with page:
        await page.record(17)
        await page.until(lambda: page.acked >= 17 - lag, "an ack of all")
        if not reloaded:
            page.cut()
            for _ in range(5):
                page.make()
            await page.until(lambda: page.connections == 2, "the line again")
            await page.ended(5)
    if reloaded:
        for _ in range(5):
            page.make()
        page = page.reloaded()
        async with page:
            await page.ended(5)
    assert_whole(server, page)


async def test_a_page_that_comes_back_sees_the_whole_text_once(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(28)
        await page.until(lambda: len(page.log) == 4, "four phrases")
        page.cut()
        await page.until(lambda: page.connections == 2 and page.last("html") is not None, "the line again")
        await page.record(7)
        await page.until(lambda: len(page.log) == 5, "the fifth")
        await page.ended()
    assert_whole(heard_server, page)


async def test_frames_that_come_twice_or_late_are_taken_once(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(10)
        await page.until(lambda: page.acked == 10, "ten acks")
        for number in (3, 9, 0, 9):
            await page.send_raw(frame(number))
        await page.record(10)
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_hole_is_never_stored_and_is_asked_for(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(5)
        await page.until(lambda: page.acked == 5, "five acks")
        await page.send_raw(frame(11))
        await page.send_raw(frame(12))
        await page.until(lambda: [m["t"] for m in page.messages].count("resume") == 2, "being asked for frame 5")
        assert page.last("resume")["next"] == 5  # type: ignore[index]
        assert len(spooled(heard_server, page.record_id)) == 5
        await page.record(10)
        await page.ended()
    assert_whole(heard_server, page)


async def test_a_second_tab_takes_over_and_the_first_is_told(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as first:
        await first.record(10)
        await first.until(lambda: first.acked == 10, "ten acks")
        async with first.reloaded() as second:
            await second.until(lambda: second.connections == 1, "the second tab")
            await first.until(lambda: first.refused == 4409, "being sent away")
            assert first.last("error")["code"] == "taken_over"  # type: ignore[index]
            await second.record(11)
            await second.ended()
            assert_whole(heard_server, second)


async def test_broken_frames_change_nothing(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(5)
        whole = frame(5)
        for broken in (b"", b"MW", whole[:-1], b"XX" + whole[2:], whole + b"\0", bytes(70_000)):
            await page.send_raw(broken or b"\0")
        for text in ("", "{", "[]", '{"t":5}', '{"t":"mark"}', '{"t":"finish","next":"x"}', '{"t":"nothing"}'):
            await page.send_raw(text or " ")
        await page.record(9)
        await page.ended()
    assert_whole(heard_server, page)


@pytest.mark.parametrize("number", [1 - 2**53, -62_135_596_800_001, -1, 0.5, 2**31, 253_402_300_800_000, 2**53 - 1])
async def test_no_number_ends_a_line(heard_server: RunningServer, owner: dict[str, str], number: float) -> None:
    async with PageClient(heard_server, owner, started=number) as page:
        await page.record(2)
        await page.until(lambda: page.acked == 2, "two acks")
        await page.say(t="open", started=number, rate=number, rev=number)
        await page.say(t="mark", at_ms=number)
        await page.until(lambda: page.last("marked") == {"t": "marked", "at_ms": int(number)}, "the marker")
        await page.say(t="whose", **{"from": number})
        await page.say(t="finish", next=number)
        await page.ended()
        assert page.connections == 1
    assert_whole(heard_server, page)


async def test_a_page_that_sends_only_rubbish_is_sent_away(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.until(lambda: page.connections == 1, "a connection")
        for _ in range(30):
            await page.send_raw("rubbish")
        await page.until(lambda: page.refused == 4413, "being sent away")


async def test_a_recording_that_was_left_can_be_downloaded_as_it_is(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(12)
        await page.until(lambda: page.acked == 12, "twelve acks")
    where = f"{heard_server.url}/dictation/{page.record_id}/audio/"
    async with httpx.AsyncClient(cookies=owner) as client:
        answer = await client.get(where)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.content[44:] == b"".join(one.pcm for one in spooled(heard_server, page.record_id))
    async with httpx.AsyncClient() as nobody, httpx.AsyncClient(cookies=heard_server.sign_in("other")) as stranger:
        assert (await nobody.get(where)).status_code == 302
        assert (await stranger.get(where)).status_code == 404


async def test_a_session_left_behind_is_finished_by_a_button(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(9)
        await page.until(lambda: page.acked == 9, "nine acks")
    async with httpx.AsyncClient(base_url=heard_server.url, cookies=owner) as client:
        token = (await client.get("/")).text.split('X-CSRFToken": "')[1].split('"')[0]
        headers = {"X-CSRFToken": token, "Origin": heard_server.origin}
        answer = await client.post(f"/dictation/{page.record_id}/finish/", headers=headers)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"/transcripts/{page.record_id}/#title"
    for _ in range(30):
        if len(numbers_in(kept_text(heard_server, page.record_id))) == 9:
            break
    assert numbers_in(kept_text(heard_server, page.record_id)) == list(range(9))


async def test_a_record_deleted_under_its_dictation_is_told_to_the_page(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(7)
        await page.until(lambda: len(page.log) == 1, "a phrase")
        heard_server.ask(
            f"from transcripts.models import Record\nRecord.objects.filter(pk='{page.record_id}').delete()"
        )
        await page.record(14)
        await page.until(lambda: page.refused == 4404, "being told")
        assert "deleted" in page.last("error")["message"]  # type: ignore[index]
