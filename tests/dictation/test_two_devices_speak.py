"""One dictation on two devices: neither takes what the other said for its own, and none is told less than there is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from memweb.dictation.dictation import Dictation
from memweb.dictation.page import Page
from memweb.dictation.reading import Known
from memweb.dictation.recording import Spool, Spooler
from tests.dictation.evidence import environment, spooled
from tests.page_client import PageClient, frame
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

LAPTOP, PHONE = 1.0e12, 1.5e12


class Told(Page):
    """A page, and what it was told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

        async def never(message: dict[str, Any]) -> None:
            raise AssertionError("all is said at once")

        super().__init__(never, 0.0, self._hear)

    def _hear(self, *texts: str) -> bool:
        self.messages += [json.loads(text) for text in texts]
        return True

    def kinds(self) -> list[str]:
        return [message["t"] for message in self.messages]


def live(path: Path) -> tuple[Dictation, Spooler]:
    spooler = Spooler()
    return Dictation(uuid4(), 1, Known(status="live"), Spool(path), spooler), spooler


async def test_who_goes_on_is_greeted_with_all_that_came_and_who_goes_is_told_it_is_safe(tmp_path: Path) -> None:
    dictation, spooler = live(tmp_path / "a.mwspool")
    first, second = Told(), Told()
    await dictation.admit(first)
    for number in range(3):
        dictation.hear(frame(number, wall=LAPTOP + number), first)
    await dictation.admit(second)
    assert second.messages[0] == first.messages[0] | {"next": 3, "wall": LAPTOP + 2}
    assert [(message["t"], message.get("next")) for message in first.messages[-2:]] == [("ack", 3), ("error", None)]
    dictation.hear(frame(3, wall=PHONE), second)
    await dictation.spool.settled()
    assert dictation.spool.walls(2, 9) == [LAPTOP + 2, PHONE]
    dictation.close()
    await spooler.close()


async def test_of_pages_that_come_at_once_the_last_stays(tmp_path: Path) -> None:
    dictation, spooler = live(tmp_path / "a.mwspool")
    first, second, third = Told(), Told(), Told()
    await dictation.admit(first)
    dictation.hear(frame(0), first)
    await asyncio.gather(dictation.admit(second), dictation.admit(third))
    assert dictation.page is third
    assert [page.kinds()[-1] for page in (first, second, third)] == ["error", "error", "resume"]
    dictation.close()
    await spooler.close()


@pytest.mark.process
async def test_a_greeting_tells_whose_the_last_frame_is_also_after_a_restart(
    tmp_path: Path, simulator: Simulator
) -> None:
    with RunningServer(tmp_path, env=environment(simulator)) as server:
        cookies = server.sign_in()
        async with PageClient(server, cookies, clock=LAPTOP) as laptop:
            await laptop.record(10)
            await laptop.until(lambda: laptop.acked == 10, "ten acks")
        for _ in range(5):
            laptop.make()  # said while it had no line
        async with PageClient(server, cookies, laptop.record_id, clock=PHONE, made=10, acked=10) as phone:
            await phone.record(7)
            await phone.until(lambda: phone.acked == 17, "the phone's acks")
        for _ in range(2):
            async with PageClient(server, cookies, laptop.record_id, clock=LAPTOP, made=17, acked=17) as back:
                await back.until(lambda: back.last("resume") is not None, "a greeting")
                greeting = back.last("resume")
                assert greeting is not None
                assert (greeting["next"], greeting["wall"]) == (17, phone.wall(16))
                await back.say(t="whose", **{"from": 8})
                await back.until(lambda: back.last("walls") is not None, "the clocks")
                walls = [laptop.wall(8), laptop.wall(9), *(phone.wall(number) for number in range(10, 17))]
                assert back.last("walls") == {"t": "walls", "from": 8, "walls": walls}
            server.restart()
        assert [one.header.wall_ms for one in spooled(server, laptop.record_id)][8:] == walls
