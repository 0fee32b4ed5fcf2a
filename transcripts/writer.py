"""One writer per process. Whatever waits when a commit ends goes into the next: many sessions, few commits.

    mark = await submit(services.add_mark, record_id=..., at_ms=...)    in the next transaction
    row = await join(services.save_finals, final)    the same, but those that wait together are one call
    collect(services.save_messages, row)             in bulk, nobody waits, at most one transaction a second

Where only joined work waits, there are at most four transactions a second: the first goes at once, so one speaker
waits for nothing, and many share. Each call has a savepoint, so that one failure does not spoil the others. While the
database is away (locked, restarting, its disk full) the same batch is tried again for PATIENCE_SECONDS; then its items
fail with WriterAway, and the thread goes on with what comes next.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger("memweb.writer")

PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.25
JOIN_SECONDS = 0.25
BULK_SECONDS = 1.0
MOST_COLLECTED = 20_000
LARGEST_BATCH = 500

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class WriterAway(Exception):
    """The database took nothing for PATIENCE_SECONDS; this was not written."""


Settle = Callable[[Any, BaseException | None], None]
Outcome = tuple[Any, BaseException | None]


@dataclass(slots=True)
class _Item:
    run: Callable[[list[Any]], list[Any]]  # with the rows of all items that are run together
    row: Any
    settle: Settle
    joins: bool


@dataclass
class Writer:
    """A thread, and what waits for it."""

    _items: list[_Item] = field(default_factory=list)
    _collected: dict[Callable[[list[Any]], None], list[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _closing: bool = False
    _hurry: bool = False  # something waits that is not to wait for company
    _join_at: float = 0.0
    _bulk_at: float = 0.0
    dropped: int = 0
    """Collected rows that were let go because the database was away for too long."""

    def __post_init__(self) -> None:
        self._wake = threading.Condition(self._lock)

    def put(self, run: Callable[[], Any], settle: Settle) -> None:
        """Run in the next transaction, then settle (on the writer's thread) with the result or the error."""
        with self._wake:
            self._items.append(_Item(lambda rows: [run()], None, settle, joins=False))
            self._hurry = True
            self._start()
            self._wake.notify()

    def join(self, run: Callable[[list[Any]], list[Any]], row: Any, settle: Settle) -> None:
        """As `put`, but one call takes the rows of all that wait next to each other, and gives a result for each."""
        with self._wake:
            self._items.append(_Item(run, row, settle, joins=True))
            self._start()
            if len(self._items) == 1:  # the thread knows about the others, and when they are due
                self._wake.notify()

    def collect(self, bulk: Callable[[list[Any]], None], row: Any) -> None:
        """Give the row to `bulk`, with others, within about a second."""
        with self._lock:
            rows = self._collected.setdefault(bulk, [])
            if len(rows) >= MOST_COLLECTED:
                self.dropped += 1
                return
            rows.append(row)
            # The thread looks by itself each second; waking it for every row would cost a switch per row.
            if self._thread is None:
                self._start()

    def close(self, seconds: float = 10.0) -> None:
        """Write everything that waits, then end the thread. A later `put` starts another."""
        with self._wake:
            thread, self._closing = self._thread, True
            self._wake.notify()
        if thread is not None:
            thread.join(seconds)

    def _start(self) -> None:
        if self._thread is None:
            self._closing = False
            self._thread = threading.Thread(target=self._work, name="memweb-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        try:
            while True:
                items, rows = self._take()
                if not items and not rows:
                    return
                if items:
                    self._write(items)
                if rows:
                    self._write_rows(rows)
        finally:
            connection.close()

    def _take(self) -> tuple[list[_Item], dict[Callable[[list[Any]], None], list[Any]]]:
        """Wait for work. Nothing at all means: closing, and all is written."""
        with self._wake:
            while (wait := self._seconds_to_wait(time.monotonic())) > 0:
                self._wake.wait(wait)
            items, self._items = self._items[:LARGEST_BATCH], self._items[LARGEST_BATCH:]
            rows: dict[Callable[[list[Any]], None], list[Any]] = {}
            now = time.monotonic()
            if items:
                self._hurry, self._join_at = bool(self._items), now + JOIN_SECONDS
            elif self._closing or now >= self._bulk_at:
                rows, self._collected = self._collected, {}
                self._bulk_at = now + BULK_SECONDS
            if not items and not rows:
                self._thread = None
            return items, rows

    def _seconds_to_wait(self, now: float) -> float:
        if self._closing or self._hurry:
            return 0
        joining = self._join_at - now if self._items else BULK_SECONDS
        collecting = self._bulk_at - now if self._collected else BULK_SECONDS
        return min(joining, collecting)

    def _write(self, items: list[_Item]) -> None:
        try:
            outcomes = self._persistently(lambda: self._run(items))
        except WriterAway as away:
            outcomes = [(None, away)] * len(items)
        for item, (result, error) in zip(items, outcomes, strict=True):
            item.settle(result, error)

    def _run(self, items: list[_Item]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for _, together in groupby(items, lambda item: item.run):
            group = list(together)
            done = self._one(group)
            if done[0][1] is not None and len(group) > 1:  # find the one that fails
                done = [outcome for item in group for outcome in self._one([item])]
            outcomes += done
        return outcomes

    @staticmethod
    def _one(group: list[_Item]) -> list[Outcome]:
        try:
            with transaction.atomic():
                return [(result, None) for result in group[0].run([item.row for item in group])]
        except (OperationalError, InterfaceError):
            raise  # the whole batch again: the database is away
        except Exception as error:
            return [(None, error)] * len(group)

    def _write_rows(self, collected: dict[Callable[[list[Any]], None], list[Any]]) -> None:
        for bulk, rows in collected.items():
            try:
                self._persistently(partial(bulk, rows))
            except WriterAway:
                self.dropped += len(rows)
            except Exception:
                self.dropped += len(rows)
                logger.exception("%d rows could not be written in bulk", len(rows))

    def _persistently(self, work: Callable[[], R]) -> R:
        """Do the work in one transaction, again and again while the database is away. Raises WriterAway."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        told = False
        while True:
            try:
                with transaction.atomic():
                    return work()
            except (OperationalError, InterfaceError) as error:
                connection.close()
                if not told:
                    logger.warning("the database is away, writing waits: %s", type(error).__name__)
                    told = True
                if time.monotonic() > deadline:
                    raise WriterAway("The database took nothing for a minute.") from error
                time.sleep(RETRY_SECONDS)


_writer = Writer()
atexit.register(_writer.close)


def submit(work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
    """Run `work` in the next transaction. The future resolves after the commit, in the order of submission.

    It fails with what `work` raised, or with WriterAway.
    """
    future, settle = _settling()
    _writer.put(lambda: work(*args, **kwargs), settle)
    return future


def join(work: Callable[[list[T]], list[R]], row: T) -> asyncio.Future[R]:
    """As `submit`, for `work` that takes the rows of many at once and gives a result for each, in their order.

    Where it fails, it is called again for each row alone.
    """
    future, settle = _settling()
    _writer.join(work, row, settle)
    return future


def _settling() -> tuple[asyncio.Future[Any], Settle]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(_resolve, future, result, error)
        except RuntimeError:
            logger.info("a result came after the event loop had ended")

    return future, settle


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def collect(bulk: Callable[[list[Any]], None], row: Any) -> None:
    """Hand the row to `bulk` together with others, within about a second. Never waits."""
    _writer.collect(bulk, row)


def close(seconds: float = 10.0) -> None:
    """Write everything that waits: at shutdown."""
    _writer.close(seconds)
