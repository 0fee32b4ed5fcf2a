"""Counted: between a frame, its relay and its interim words lies no SQL statement and no channel-layer operation."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.db import connections
from django.db.backends.utils import CursorWrapper

from memweb.accounts.models import User
from memweb.dictation import reading, registry, watch
from memweb.dictation.consumers import dictation_socket
from tests import upstream_simulator
from tests.page_client import frame, uuid7
from tests.upstream_simulator import Simulator
from transcripts import writer

pytestmark = pytest.mark.django_db(transaction=True)


class Counts:
    sql = layer = 0


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    """Every statement on any connection and every operation of the channel layer, in this process."""
    found = Counts()

    def counted(owner: type, name: str, what: str) -> None:
        whole: Callable[..., Any] = getattr(owner, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            setattr(found, what, getattr(found, what) + 1)
            return whole(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    counted(CursorWrapper, "execute", "sql")
    counted(CursorWrapper, "executemany", "sql")
    for name in ("send", "receive", "group_add", "group_send"):
        counted(InMemoryChannelLayer, name, "layer")
    return found


@pytest.fixture
async def page(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> AsyncIterator[SimpleNamespace]:
    """A socket of the consumer itself, opened, with words coming in."""
    settings.GATEWAY_URL, settings.GATEWAY_KEY = simulator.url, simulator.key
    settings.SPOOL_DIR = tmp_path
    monkeypatch.setattr(upstream_simulator, "TURN_FRAMES", 10_000)  # interim words only
    monkeypatch.setattr(writer, "BULK_SECONDS", 3600.0)
    monkeypatch.setattr(watch, "EVERY_SECONDS", 3600.0)
    user = await asyncio.to_thread(made_user)
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        if "text" in message:
            told.append(json.loads(message["text"]))

    scope = {"user": user, "session": SimpleNamespace(session_key="s"), "url_route": {"kwargs": {"record_id": uuid7()}}}
    incoming.put_nowait({"type": "websocket.connect"})
    incoming.put_nowait({"type": "websocket.receive", "text": '{"t":"open","language":"en"}'})
    socket = asyncio.create_task(dictation_socket(scope, incoming.get, send))

    async def until(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, told[-5:]
            await asyncio.sleep(0.02)

    yield SimpleNamespace(incoming=incoming, told=told, until=until)
    incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await socket
    await registry.close()
    await let_go()


def made_user() -> User:
    try:
        return User.objects.create_user("owner")
    finally:
        connections.close_all()


async def let_go() -> None:
    """Close the connections of dictation's two reading threads, so that the database can be dropped."""
    both = threading.Barrier(2)

    def close() -> None:
        both.wait(10)
        connections.close_all()

    await asyncio.gather(reading.read(close), reading.read(close))


async def test_neither_a_frame_nor_an_interim_word_costs_a_statement(page: SimpleNamespace, counts: Counts) -> None:
    send_frames(page, range(5))
    await page.until(lambda: {"html", "partial"} <= set(kinds(page)))
    counts.sql = counts.layer = 0
    partials = kinds(page).count("partial")
    for number in range(5, 205):
        send_frames(page, [number])
        await asyncio.sleep(0.005)
    await page.until(lambda: {"t": "ack", "next": 205, "safe_ms": 20500} in page.told)
    await page.until(lambda: "f203" in last_partial(page))
    assert kinds(page).count("partial") > partials + 5
    assert (counts.sql, counts.layer) == (0, 0)


async def test_the_count_sees_a_statement_on_any_thread(page: SimpleNamespace, counts: Counts) -> None:
    await page.until(lambda: "resume" in kinds(page))
    await reading.read(User.objects.count)
    await writer.submit(User.objects.count)
    assert counts.sql >= 2


def kinds(page: SimpleNamespace) -> list[str]:
    return [message["t"] for message in page.told]


def last_partial(page: SimpleNamespace) -> str:
    return next((message["text"] for message in reversed(page.told) if message["t"] == "partial"), "")


def send_frames(page: SimpleNamespace, numbers: Any) -> None:
    for number in numbers:
        page.incoming.put_nowait({"type": "websocket.receive", "bytes": frame(number)})
