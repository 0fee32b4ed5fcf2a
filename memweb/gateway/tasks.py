"""A Task's life: enqueued, leased, renewed, tried again, reaped. The task queue is only its doorbell.

Only `take` decides who works, and whoever works renews the lease. When a worker is killed its lease runs out, and
`reap` rings for the next. The result, its charge and its callback are written in one transaction, by whoever then still
holds the lease: a task is charged and told once.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django_tasks import task

from memweb import stopping
from memweb.gateway import ledger, outbox
from memweb.gateway.models import Asset, LedgerEntry, Task
from memweb.stopping import LetGo

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
RENEW_EVERY_S = 1.0
"""Also how old what is told of its progress may be, and how long one that was cancelled goes on."""
ATTEMPTS = 3
UNHEARD = timedelta(seconds=60)
"""A queued task nobody came for within this time is rung for again."""
AGAIN = timedelta(seconds=10)
GAVE_OUT = "The worker stopped while it was at this file, more than once."
CANCELLED = "It was cancelled by its owner."
UNEXPECTED = "Something unexpected stopped this."


_in_hand: dict[int, str] = {}
"""The tasks that this process works on, and as which holder."""


class LeaseLost(Exception):
    """Somebody else has the task by now."""


class Useless(Exception):
    """This task can come to nothing, however often it is tried. `str()` is a sentence for its owner."""


class Hindered(Exception):
    """It came to nothing this time. `str()` is a sentence for its owner."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task came to: what to keep, what to charge, what to tell."""

    result: Any
    callback: bytes
    """For the webhook, byte for byte."""
    provider: str
    """Whose price it has; "" is free."""
    audio_ms: int
    speaker: bool = False
    url: str = ""
    """A webhook of the task's own, in place of the account's."""
    header: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of task is done."""

    work: Callable[[Task, Callable[[int], None]], Outcome]
    """Given a way to say how far it is. Raises Useless or Hindered."""
    failed: Callable[[Task, str], Outcome]
    """What is told when it is given up."""


def fresh_id() -> str:
    """An id for a task, as the contract has them: 32 hex digits."""
    return uuid.uuid4().hex


def create(
    *, account_id: int, asset: Asset | None, kind: str, options: dict[str, Any], task_id: str | None = None
) -> Task:
    """A task, and its doorbell rung."""
    with transaction.atomic():
        made = Task.objects.create(
            account_id=account_id,
            asset=asset,
            kind=kind,
            options=options,
            task_id=task_id or fresh_id(),
            due_at=timezone.now(),
        )
        _ring(made, made.due_at)
    return made


@transaction.atomic
def take(*, pk: int, holder: str) -> Task | None:
    """Lease the task to this holder, if it is due and nobody works on it."""
    now = timezone.now()
    held = Task.objects.select_for_update().filter(pk=pk).first()
    if held is None or not _is_free(held, now):
        return None
    if held.attempts >= ATTEMPTS:
        _give_up(held, GAVE_OUT)
        return None
    held.status, held.holder, held.lease_until = Task.Status.RUNNING, holder, now + LEASE
    held.attempts += 1
    held.progress = 0
    held.save()
    return held


def _is_free(held: Task, now: datetime) -> bool:
    if held.status == Task.Status.QUEUED:
        return held.due_at <= now
    if held.status != Task.Status.RUNNING or held.lease_until is None or held.pk in _in_hand:
        # In hand and run out: the clock was set forward, and whoever works on it renews the lease in a moment.
        return False
    return held.lease_until < now


def renew(*, pk: int, holder: str, progress: int) -> bool:
    """Hold the task for one more lease. False once it is somebody else's."""
    mine = Task.objects.filter(pk=pk, holder=holder, status=Task.Status.RUNNING)
    return bool(mine.update(lease_until=timezone.now() + LEASE, progress=min(max(progress, 0), 100)))


@transaction.atomic
def complete(*, pk: int, holder: str, outcome: Outcome) -> None:
    """Keep the result, charge for it and write its callback, all or nothing. Raises LeaseLost."""
    held = _hold(pk, holder)
    held.status, held.progress, held.ended_at, held.lease_until = Task.Status.DONE, 100, timezone.now(), None
    held.result, held.reason = outcome.result, ""
    held.save()
    if outcome.provider:
        ledger.charge_file(
            account_id=held.account_id,
            session=held.task_id,
            provider=outcome.provider,
            kind=LedgerEntry.FILE,
            audio_ms=outcome.audio_ms,
            speaker=outcome.speaker,
        )
    _tell(held, outcome)


@transaction.atomic
def fail(*, pk: int, holder: str, reason: str, final: bool) -> None:
    """This attempt came to nothing: try again later, or give it up and tell its owner."""
    held = _hold(pk, holder)
    if final or held.attempts >= ATTEMPTS:
        _give_up(held, reason)
        return
    held.status, held.reason, held.lease_until = Task.Status.QUEUED, reason[:500], None
    held.due_at = timezone.now() + AGAIN * held.attempts
    held.save()
    _ring(held, held.due_at)


@transaction.atomic
def put_back(*, pk: int, holder: str) -> None:
    """Let the next worker begin it at once, unless it has it already: this one is about to end."""
    held = Task.objects.select_for_update().filter(pk=pk, holder=holder, status=Task.Status.RUNNING).first()
    if held is None:
        return
    held.status, held.lease_until, held.due_at = Task.Status.QUEUED, None, timezone.now()
    held.attempts -= 1
    held.save()
    _ring(held, held.due_at)


def put_back_all() -> None:
    """Whatever this process still has in hand, when it can wait no longer for who works on it."""
    for pk, holder in list(_in_hand.items()):
        put_back(pk=pk, holder=holder)


def ahead_of(held: Task) -> int:
    """How many tasks are worked on, or waited for, before this one; none for one that is no longer waiting."""
    if held.status != Task.Status.QUEUED:
        return 0
    return Task.objects.filter(status__in=[Task.Status.QUEUED, Task.Status.RUNNING], pk__lt=held.pk).count()


@transaction.atomic
def cancel(*, pk: int) -> None:
    """Its owner wants it no more. Whoever works on it finds that out when the lease is renewed."""
    waiting = [Task.Status.QUEUED, Task.Status.RUNNING]
    held = Task.objects.select_for_update().filter(pk=pk, status__in=waiting).first()
    if held is not None:
        _give_up(held, CANCELLED)


def _hold(pk: int, holder: str) -> Task:
    held = Task.objects.select_for_update().filter(pk=pk, holder=holder, status=Task.Status.RUNNING).first()
    if held is None:
        raise LeaseLost(f"task {pk}")
    return held


def _give_up(held: Task, reason: str) -> None:
    held.status, held.reason, held.ended_at, held.lease_until = Task.Status.FAILED, reason[:500], timezone.now(), None
    outcome = _kind(held).failed(held, held.reason)
    held.result = outcome.result
    held.save()
    _tell(held, outcome)


def _tell(held: Task, outcome: Outcome) -> None:
    outbox.enqueue(
        account_id=held.account_id, task_id=held.task_id, body=outcome.callback, url=outcome.url, header=outcome.header
    )


def reap() -> int:
    """Ring for every task whose worker let go of it, or that nobody came for. How many there were.

    Where the clock was set back, leases and waits that it began before are cut to what they may be from now.
    """
    now = timezone.now()
    running = Task.objects.filter(status=Task.Status.RUNNING)
    running.filter(lease_until__gt=now + LEASE).update(lease_until=now + LEASE)
    waiting = Task.objects.filter(status=Task.Status.QUEUED)
    unheard = Q(due_at__lt=now - UNHEARD)
    too_long = Q(due_at__gt=now + AGAIN * (ATTEMPTS - 1))
    lost = [*running.filter(lease_until__lt=now), *waiting.filter(unheard | too_long)]
    for held in lost:
        with transaction.atomic():
            _ring(held, now)
            Task.objects.filter(pk=held.pk, status=Task.Status.QUEUED).update(due_at=now)
    return len(lost)


def _ring(held: Task, at: datetime) -> None:
    ring_task.using(run_after=at).enqueue(held.pk)


def _kind(held: Task) -> Kind:
    from memweb.gateway.undertakings import KINDS  # which knows this module

    return KINDS[held.kind]


@task(queue_name="long")
def ring_task(pk: int) -> None:
    run(pk=pk)


def run(*, pk: int) -> None:
    """Take the task and do its work; what goes wrong becomes a reason, and a later attempt where one may help."""
    held = take(pk=pk, holder=str(uuid.uuid4()))
    if held is None:
        return
    lease = _Lease(held)
    _in_hand[pk] = held.holder
    try:
        with lease.kept():
            outcome = _kind(held).work(held, lease.progress)
        complete(pk=held.pk, holder=held.holder, outcome=outcome)
    except LetGo:
        logger.info("task %s is put back: the worker ends", held.task_id)
        put_back(pk=held.pk, holder=held.holder)
    except LeaseLost:
        logger.info("task %s was taken over", held.task_id)
    except (Useless, Hindered) as error:
        logger.warning("task %s: %s", held.task_id, type(error).__name__)
        _failed(held, str(error), final=isinstance(error, Useless))
    except Exception:
        _failed(held, UNEXPECTED, final=False)
        raise
    finally:
        _in_hand.pop(pk, None)


def _failed(held: Task, reason: str, *, final: bool) -> None:
    try:
        fail(pk=held.pk, holder=held.holder, reason=reason, final=final)
    except LeaseLost:
        logger.info("task %s was taken over", held.task_id)


class _Lease:
    """A task in hand: says how far it is, and knows when it was lost."""

    def __init__(self, held: Task) -> None:
        self._pk, self._holder = held.pk, held.holder
        self._percent = 0
        self._lost = threading.Event()
        self._over = threading.Event()

    def progress(self, percent: int) -> None:
        """How much is done; the first of it is told at once. Raises LeaseLost where somebody else has the task by now,
        and LetGo."""
        stopping.look()
        before, self._percent = self._percent, percent
        if percent and not before:
            self._renew()
        if self._lost.is_set():
            raise LeaseLost(f"task {self._pk}")

    def _keep(self) -> None:
        try:
            while not self._over.wait(RENEW_EVERY_S) and not self._lost.is_set():
                try:
                    self._renew()
                except DatabaseError:  # once more in a moment: who stops renewing loses the task, and it is done twice
                    logger.warning("the lease of task %s could not be renewed", self._pk)
                    connection.close()
        finally:
            connection.close()

    def _renew(self) -> None:
        if not renew(pk=self._pk, holder=self._holder, progress=self._percent):
            self._lost.set()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew from a thread of its own, because one step of the work may take longer than a lease."""
        keeper = threading.Thread(target=self._keep, name=f"task-{self._pk}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._over.set()
            keeper.join()
