"""The whole way, on a real server: frames in, spool, ack, relay, finals saved, shown, handed to the library."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.dictation.evidence import assert_whole, environment, kept_text, record_of
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator, numbers_in
from tests.waiting import until

pytestmark = pytest.mark.process


async def test_every_frame_becomes_words_exactly_once(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(60)
        url = await page.ended()
    assert url == f"/transcripts/{page.record_id}/"
    assert_whole(heard_server, page)
    record = record_of(heard_server, page.record_id)
    assert record["over"] is True
    assert record["duration_ms"] == 6000


async def test_words_are_there_while_speech_goes_on(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(30)
        await page.until(lambda: len(page.log) >= 3, "three finals before the end")
        await page.until(lambda: page.acked == 30, "all acks before the end")
        partials = [message["text"] for message in page.messages if message["t"] == "partial"]
        assert any(partials)
        assert {"listening"} <= set(page.states())
        await page.ended()


async def test_what_the_gateway_said_is_kept_word_for_word(
    heard_server: RunningServer, owner: dict[str, str], simulator: Simulator
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(21)
        await page.ended()

    # Begin, 3 turns of 2 partials and 2 finals, Termination
    until(lambda: record_of(heard_server, page.record_id)["messages"] == 1 + 3 * 4 + 1, 20, "every message kept")


async def test_a_pause_leaves_no_gap_in_the_time_line(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(10)
        await page.say(t="pause")
        await page.until(lambda: numbers_in(page.text) == list(range(10)), "the words before the pause, at once")
        await page.until(lambda: page.states()[-1:] == ["paused"], "the state in words")
        await page.say(t="continue")
        await page.record(10)
        await page.ended()
    assert_whole(heard_server, page)
    assert record_of(heard_server, page.record_id)["duration_ms"] == 2000


async def test_the_last_phrase_can_be_taken_back_and_put_back(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(14)
        await page.until(lambda: len(page.log) == 2, "two phrases")
        await page.say(t="undo")
        await page.until(lambda: len(page.log) == 1, "one phrase left")
        assert numbers_in(kept_text(heard_server, page.record_id)) == list(range(7))
        await page.say(t="redo")
        await page.until(lambda: len(page.log) == 2, "both again")
        await page.ended()
    assert_whole(heard_server, page)


async def test_what_is_already_over_is_only_told_so(heard_server: RunningServer, owner: dict[str, str]) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(7)
        await page.ended()
    again = page.reloaded()
    async with again:
        await again.ended()
    assert record_of(heard_server, page.record_id)["over"] is True
    assert numbers_in(kept_text(heard_server, page.record_id)) == list(range(7))


async def test_a_finished_dictation_goes_on_when_more_is_said(
    heard_server: RunningServer, owner: dict[str, str]
) -> None:
    async with PageClient(heard_server, owner) as page:
        await page.record(10)
        await page.ended()
    later = page.reloaded()
    later.finishing = False
    async with later:
        await later.record(11)
        await later.until(lambda: "f17" in later.text, "the later words")
        await later.ended()
    assert_whole(heard_server, later)


async def test_the_same_under_uvicorn(tmp_path: Path, simulator: Simulator) -> None:
    with RunningServer(tmp_path, env=environment(simulator), server="uvicorn") as server:
        async with PageClient(server, server.sign_in()) as page:
            await page.record(20)
            recording = asyncio.create_task(page.record(20))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await recording
            page.cut()
            await page.record(10)
            await page.ended()
        assert_whole(server, page)
