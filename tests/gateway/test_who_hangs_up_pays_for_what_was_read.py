"""A client of OpenAI's streaming that leaves before the last event is charged for what was read until then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import connections

from memweb.accounts.models import User
from memweb.engines.errors import EngineFailed
from memweb.gateway import keys, reading, recognise
from memweb.gateway.models import Account, LedgerEntry
from memweb.gateway.native import openai
from memweb.speech.dialects.openai import transcriptions
from memweb.speech.recognition import Recognised
from memweb.speech.transcript import Segment, Transcript

pytestmark = pytest.mark.django_db(transaction=True)
LENGTH_MS = 60_000


@pytest.fixture
def account() -> Account:
    return keys.account_of(user=User.objects.create_user("owner"))


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """What the events asked of the database was asked on a thread of its own, which no request's end closes here."""
    yield
    await sync_to_async(connections.close_all)()


def events(account: Account, sound: Path) -> AsyncGenerator[str]:
    asked = transcriptions.read_request({"model": ["whisper-1"], "stream": ["true"]})
    job = reading.Job(account.pk, openai.PROVIDER, "session", asked.order)
    return cast(AsyncGenerator[str], openai._events(asked, job, reading.Sound(sound, "talk.mp3")))


@database_sync_to_async
def charged() -> list[int]:
    return [entry.units for entry in LedgerEntry.objects.filter(kind=LedgerEntry.FILE, session="session")]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., threading.Event]:
    """Have the engine find a sentence every five seconds of a minute; after the first it waits to be let go on."""

    def engine(fault: Exception | None = None) -> threading.Event:
        go_on = threading.Event()

        def found(path: Path, order: Any, progress: Any = None, heard: Any = None) -> Recognised:
            for start in range(0, LENGTH_MS, 5000):
                heard(Segment(str(start), start, start + 5000, "So it goes."))
                assert go_on.wait(20)
                if fault is not None:
                    raise fault
            return Recognised(Transcript((), "en", LENGTH_MS), heard_ms=LENGTH_MS)

        monkeypatch.setattr(recognise, "recognise", found)
        return go_on

    return engine


async def test_who_waits_for_the_end_is_charged_once(
    account: Account, read: Callable[..., threading.Event], tmp_path: Path
) -> None:
    read().set()
    told = [event async for event in events(account, tmp_path)]
    assert "transcript.text.done" in told[-1]
    assert await charged() == [60]


async def test_who_leaves_when_all_was_read_is_charged_for_all(
    account: Account, read: Callable[..., threading.Event], tmp_path: Path
) -> None:
    read().set()
    stream = events(account, tmp_path)
    for _ in range(12):
        assert "delta" in await anext(stream)
    await stream.aclose()
    assert await charged() == [60]


async def test_who_leaves_in_the_middle_is_charged_for_what_was_read(
    account: Account, read: Callable[..., threading.Event], tmp_path: Path
) -> None:
    go_on = read()
    first = asyncio.Event()

    async def listen() -> None:
        async for _ in events(account, tmp_path):
            first.set()

    listener = asyncio.create_task(listen())
    await first.wait()
    listener.cancel()
    await asyncio.sleep(0.05)
    listener.cancel()  # as a server does that has waited long enough
    await asyncio.wait([listener])
    assert await charged() == []
    go_on.set()
    async with asyncio.timeout(20):
        while not await charged():
            await asyncio.sleep(0.01)
    assert await charged() == [10]


async def test_a_reading_that_broke_costs_nothing_though_nobody_listens(
    account: Account, read: Callable[..., threading.Event], tmp_path: Path
) -> None:
    go_on = read(EngineFailed("The speech engine stopped."))
    stream = events(account, tmp_path)
    await anext(stream)
    go_on.set()
    await stream.aclose()
    assert await charged() == []
