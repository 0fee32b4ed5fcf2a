"""A whole log that is sent while a final is on its way into the database: the final is shown once, whoever is first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from memweb.dictation import finals, fragments
from memweb.dictation.finals import Finals
from memweb.dictation.page import Page
from memweb.speech.transcript import Segment
from tests.page_client import uuid7

SEGMENT = Segment("1-0", 0, 700, "once")
SHOWN = '<div hx-swap-oob="innerHTML:#log"><p id="s-1-0">once </p></div>'
EMPTY = '<div hx-swap-oob="innerHTML:#log"></div>'


class Desk:
    """A dictation's finals, with a database whose commit is known here only when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.html: list[str] = []
        self.log = (EMPTY, set[str]())
        self.commits: list[asyncio.Future[Any]] = []
        monkeypatch.setattr(finals.writer, "join", self.join)
        monkeypatch.setattr(fragments, "log", lambda record_id: self.log)
        self.page = Page(self.send, 0.0)
        self.tasks = [asyncio.get_running_loop().create_task(self.page.speak())]
        host = SimpleNamespace(record_id=uuid7(), owner_id=1, page=self.page, spawn=self.spawn)
        self.finals = Finals(host, revision=7)  # type: ignore[arg-type]

    async def send(self, message: dict[str, Any]) -> None:
        told = json.loads(message["text"])
        if told["t"] == "html":
            self.html.append(told["html"])

    def join(self, *_: object, **__: object) -> asyncio.Future[Any]:
        self.commits.append(asyncio.get_running_loop().create_future())
        return self.commits[-1]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def told(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.html) < count:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_final_that_the_log_shows_already_takes_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.finals.save(SEGMENT, again=False)
    desk.log = (SHOWN, {"1-0"})  # it was committed, and the log was read, before anybody here was told
    desk.finals.refresh()
    await desk.told(1)
    desk.commits[0].set_result(None)
    await desk.told(2)
    assert desk.html[0] == SHOWN
    assert 'id="s-1-0" hx-swap-oob="true"' in desk.html[1]
    await desk.end()


async def test_a_final_that_the_log_does_not_show_yet_is_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.finals.save(SEGMENT, again=False)
    desk.finals.refresh()
    await desk.told(1)
    desk.commits[0].set_result(None)
    await desk.told(2)
    assert desk.html[0] == EMPTY
    assert 'hx-swap-oob="beforeend:#log"' in desk.html[1]
    await desk.end()
