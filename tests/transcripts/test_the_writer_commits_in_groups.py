"""One writer: groups, order, one failure that spoils nothing else, and a database that is away for a while."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, connection, connections, transaction

from memweb.accounts.models import User
from transcripts import writer

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    writer.close()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each transaction of the writer had."""
    sizes: list[int] = []
    write = writer.Writer._write

    def counting(self: writer.Writer, items: list[Any]) -> None:
        sizes.append(len(items))
        write(self, items)

    monkeypatch.setattr(writer.Writer, "_write", counting)
    return sizes


async def looked_up(look: Callable[[], T]) -> T:
    """In a thread that leaves no connection behind."""

    def work() -> T:
        try:
            return look()
        finally:
            connections.close_all()

    return await asyncio.to_thread(work)


def person(name: str) -> User:
    return User.objects.create_user(name)


async def held() -> tuple[threading.Event, asyncio.Future[bool]]:
    """Stop the writer's thread at a gate, so that what is put now waits together; the gate, and the wait for it."""
    there, gate = threading.Event(), threading.Event()

    def stand() -> bool:
        there.set()
        return gate.wait(20)

    waiting = writer.submit(stand)
    assert await asyncio.to_thread(there.wait, 20)
    return gate, waiting


async def test_a_result_comes_after_the_commit() -> None:
    made = await writer.submit(person, "ada")
    assert await database_sync_to_async(User.objects.filter(pk=made.pk).exists)()


async def test_what_waits_goes_into_one_commit_and_in_order(commits: list[int]) -> None:
    gate, first = await held()
    order: list[int] = []
    futures = [writer.submit(order.append, number) for number in range(100)]
    gate.set()
    await asyncio.gather(first, *futures)
    assert order == list(range(100))
    assert len(commits) <= 3


async def test_one_failure_does_not_spoil_its_neighbours() -> None:
    gate, waiting = await held()

    def fail_after_writing() -> None:
        person("half")
        raise ValueError("no")

    good, bad, good_too = writer.submit(person, "a"), writer.submit(fail_after_writing), writer.submit(person, "b")
    gate.set()
    await waiting
    await good
    await good_too
    with pytest.raises(ValueError, match="no"):
        await bad
    names = await database_sync_to_async(lambda: set(User.objects.values_list("username", flat=True)))()
    assert names == {"a", "b"}


async def test_while_the_database_is_away_the_same_batch_is_tried_again() -> None:
    tries: list[int] = []

    def away_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("database is locked")
        return "written"

    neighbour = writer.submit(person, "neighbour")
    assert await writer.submit(away_twice) == "written"
    await neighbour
    assert len(tries) == 3


async def test_after_its_patience_it_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.3)

    def away() -> None:
        raise OperationalError("gone")

    with pytest.raises(writer.WriterAway):
        await writer.submit(away)
    assert (await writer.submit(person, "after")).username == "after"


async def test_a_lock_held_elsewhere_is_waited_out() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    path = await looked_up(lambda: str(connection.settings_dict["NAME"]))
    holder = await asyncio.to_thread(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    future = writer.submit(person, "patient")
    await asyncio.sleep(0.5)
    assert not future.done()
    holder.execute("ROLLBACK")
    holder.close()
    assert (await future).username == "patient"


async def test_rows_are_gathered_and_written_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[int]] = []
    written = threading.Event()

    def bulk(rows: list[int]) -> None:
        batches.append(rows)
        if sum(map(len, batches)) == 1000:
            written.set()

    for number in range(1000):
        writer.collect(bulk, number)
    assert await asyncio.to_thread(written.wait, 20)
    assert [row for batch in batches for row in batch] == list(range(1000))
    assert len(batches) <= 3


async def test_nothing_is_left_when_it_is_closed() -> None:
    kept: list[str] = []
    gate, waiting = await held()
    last = writer.submit(kept.append, "final")
    writer.collect(kept.extend, "row")
    threading.Timer(0.2, gate.set).start()
    await asyncio.to_thread(writer.close)
    await asyncio.gather(waiting, last)
    assert kept == ["final", "row"]


async def test_each_item_is_in_a_transaction() -> None:
    inside: Callable[[], bool] = lambda: connection.in_atomic_block and bool(transaction.get_connection())  # noqa: E731
    assert await writer.submit(inside) is True


def named(names: list[str]) -> list[User]:
    """Rows of many at once, as `join` wants it; one name is refused."""
    CALLS.append(names)
    people = [person(name) for name in names]
    if "nobody" in names:
        raise ValueError("no")
    return people


CALLS: list[list[str]] = []


async def test_what_joins_is_one_call_in_order_and_each_gets_its_own_result() -> None:
    CALLS.clear()
    gate, waiting = await held()
    futures = [writer.join(named, name) for name in ("a", "b", "c")]
    between = writer.submit(person, "between")
    futures.append(writer.join(named, "d"))
    gate.set()
    assert [(await future).username for future in futures] == ["a", "b", "c", "d"]
    await asyncio.gather(waiting, between)
    assert CALLS == [["a", "b", "c"], ["d"]]


async def test_one_that_fails_is_found_and_the_others_are_written() -> None:
    gate, waiting = await held()
    good, bad, good_too = (writer.join(named, name) for name in ("a", "nobody", "b"))
    gate.set()
    await waiting
    assert [(await good).username, (await good_too).username] == ["a", "b"]
    with pytest.raises(ValueError, match="no"):
        await bad
    assert not await database_sync_to_async(User.objects.filter(username="nobody").exists)()


async def test_the_first_to_join_waits_for_nobody_and_those_after_it_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "JOIN_SECONDS", 2.0)
    CALLS.clear()
    began = time.monotonic()
    await writer.join(named, "first")
    assert time.monotonic() - began < 1.5
    late = [writer.join(named, f"late {number}") for number in range(3)]
    await asyncio.gather(*late)
    assert time.monotonic() - began > 1.5
    assert CALLS[1:] == [["late 0", "late 1", "late 2"]]


async def test_who_does_not_join_takes_along_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "JOIN_SECONDS", 60.0)
    await writer.join(named, "first")
    waiting = writer.join(named, "second")
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await writer.submit(person, "urgent")
    assert (await waiting).username == "second"
