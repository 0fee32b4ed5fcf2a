"""One writer per process. Whatever waits when a commit ends goes into the next: many sessions, few commits.

    row = await submit(services.save_final, record_id=..., segment=...)    in the next transaction
    collect(services.save_messages, row)                                   in bulk, at most one transaction a second

Each item has a savepoint, so that one failure does not spoil the others. While the database is away (locked,
restarting, its disk full) the same batch is tried again for PATIENCE_SECONDS; then its items fail with WriterAway,
and the thread goes on with what comes next.
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
from typing import Any, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger("memweb.writer")

PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.25
BULK_SECONDS = 1.0
MOST_COLLECTED = 20_000
LARGEST_BATCH = 500

P = ParamSpec("P")
R = TypeVar("R")


class WriterAway(Exception):
    """The database took nothing for PATIENCE_SECONDS; this was not written."""


@dataclass(slots=True)
class _Item:
    run: Callable[[], Any]
    settle: Callable[[Any, BaseException | None], None]


@dataclass
class Writer:
    """A thread, and what waits for it."""

    _items: list[_Item] = field(default_factory=list)
    _collected: dict[Callable[[list[Any]], None], list[Any]] = field(default_factory=dict)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _closing: bool = False
    _bulk_at: float = 0.0
    dropped: int = 0
    """Collected rows that were let go because the database was away for too long."""

    def put(self, run: Callable[[], Any], settle: Callable[[Any, BaseException | None], None]) -> None:
        """Run in the next transaction, then settle (on the writer's thread) with the result or the error."""
        with self._wake:
            self._items.append(_Item(run, settle))
            self._start()
            self._wake.notify()

    def collect(self, bulk: Callable[[list[Any]], None], row: Any) -> None:
        """Give the row to `bulk`, with others, within about a second."""
        with self._wake:
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
            while not self._items and not self._closing:
                if self._collected and time.monotonic() >= self._bulk_at:
                    break
                self._wake.wait(BULK_SECONDS)
            items, self._items = self._items[:LARGEST_BATCH], self._items[LARGEST_BATCH:]
            rows: dict[Callable[[list[Any]], None], list[Any]] = {}
            if not items and (self._closing or time.monotonic() >= self._bulk_at):
                rows, self._collected = self._collected, {}
                self._bulk_at = time.monotonic() + BULK_SECONDS
            if not items and not rows:
                self._thread = None
            return items, rows

    def _write(self, items: list[_Item]) -> None:
        try:
            outcomes = self._persistently(lambda: [self._one(item) for item in items])
        except WriterAway as away:
            outcomes = [(None, away)] * len(items)
        for item, (result, error) in zip(items, outcomes, strict=True):
            item.settle(result, error)

    @staticmethod
    def _one(item: _Item) -> tuple[Any, BaseException | None]:
        try:
            with transaction.atomic():
                return item.run(), None
        except (OperationalError, InterfaceError):
            raise  # the whole batch again: the database is away
        except Exception as error:
            return None, error

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
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(_resolve, future, result, error)
        except RuntimeError:
            logger.info("a result came after the event loop had ended")

    _writer.put(lambda: work(*args, **kwargs), settle)
    return future


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
