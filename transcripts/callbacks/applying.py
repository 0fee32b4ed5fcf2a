"""Callbacks that are stored become text: each is understood, brought to the job that asked for it, applied once.

A callback says only a task's id. Where nothing here asked for that task it waits, unclaimed, and is taken up when
something does. What cannot be understood is kept and shown, and can be applied again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from memweb.speech import envelope
from memweb.speech.envelope import StreamMessage, TaskFailed, TaskRows, Unreadable
from transcripts import streams
from transcripts.callbacks import calls, letters
from transcripts.callbacks.inbox import Callback
from transcripts.models import Job, Record

logger = logging.getLogger(__name__)

_BATCH = 500
UNHEARD = timedelta(seconds=20)
"""Stored for so long, a callback was not rung for, or nobody heard."""
NO_TASK = "Nothing here has asked for this task yet. It is taken up when something does."
NOT_YET = "The job that asked for this does not wait for it yet. It is taken up when it does."
NO_MORE = "You stopped the job that asked for this. It is kept, and nothing was made of it."
UNEXPECTED = "Something unexpected stopped this callback. It is kept; apply it again after an update."
WRONG_KIND = "The job of this task waits for something else."

_DEAF = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.CANCELLED)
"""A job that stands so is told nothing: not yet, or no more."""

State = Callback.State
Read = tuple[Callback, envelope.Callback]


def apply_waiting() -> int:
    """Understand everything that is stored, until nothing is. How many there were."""
    count = 0
    while rows := list(Callback.objects.stored()[:_BATCH]):
        count += len(rows)
        tasks: dict[tuple[int, str], list[Read]] = {}
        for row in rows:
            read = envelope.read_callback(bytes(row.raw))
            tasks.setdefault((row.owner_id, read.task_id), []).append((row, read))
        for (owner_id, task_id), told in tasks.items():
            _apply_in_peace(owner_id, task_id, told)
    return count


def claim(*, owner_id: int, task_id: str) -> None:
    """A job waits for this task now: take up what came before, once this transaction is committed."""
    transaction.on_commit(lambda: _claim(owner_id, task_id))


def claim_all() -> int:
    """Take up whatever found its job since. How many: the worker looks now and then, should `claim` have been lost."""
    asked = Job.objects.filter(record__owner_id=OuterRef("owner_id"), task_id=OuterRef("task_id"))
    waiting = asked.exclude(status__in=_DEAF)
    found = Callback.objects.untold().exclude(task_id="").filter(Exists(waiting))
    return found.update(state=State.STORED, reason="")


def reap() -> int:
    """Ring for what a lost bell or a killed process left lying. How many there were."""
    claim_all()
    since = timezone.now() - UNHEARD
    waiting = Callback.objects.stored().filter(arrived_at__lt=since).count()
    if waiting:
        letters.ring()
    return waiting


def apply_again(*, callback: Callback) -> None:
    """Because a person asked: understand it once more, as if it had just come."""
    Callback.objects.filter(pk=callback.pk).update(state=State.STORED, reason="")
    letters.ring()


def _claim(owner_id: int, task_id: str) -> None:
    if Callback.objects.untold().filter(owner_id=owner_id, task_id=task_id).update(state=State.STORED, reason=""):
        letters.ring()


def _apply_in_peace(owner_id: int, task_id: str, told: Sequence[Read]) -> None:
    """One task's trouble must not hold up the others, nor come back for ever."""
    try:
        _apply(owner_id, task_id, told)
    except (OperationalError, InterfaceError):
        raise  # the database is away: they stay stored
    except Exception:
        logger.exception("callbacks %s to %s could not be applied", told[0][0].pk, told[-1][0].pk)
        _set([row for row, _ in told], State.UNREADABLE, UNEXPECTED, task_id)


def _apply(owner_id: int, task_id: str, told: Sequence[Read]) -> None:
    with transaction.atomic():
        job = _job(owner_id, task_id)
        fresh = _still_stored(told)
        if not fresh:
            return
        for reason, rows in _unreadable(fresh, job).items():
            _set(rows, State.UNREADABLE, reason, task_id, job)
        good = [(row, read) for row, read in fresh if not _refusal(read, job)]
        if job is not None and job.status == Job.Status.CANCELLED:
            _set([row for row, _ in good], State.UNUSED, NO_MORE, task_id, job)
        elif job is None:
            _set([row for row, _ in good], State.UNCLAIMED, NO_TASK, task_id)
        elif not _takes(job):
            _set([row for row, _ in good], State.EARLY, NOT_YET, task_id, job)
        elif good:
            _tell(job, good)
            _set([row for row, _ in good], State.APPLIED, "", task_id, job)
            return
    # A job may have come to wait while these were set aside, and have found none of them.
    job = Job.objects.filter(record__owner_id=owner_id, task_id=task_id).order_by("-id").first()
    if task_id and job is not None and _takes(job):
        _claim(owner_id, task_id)


def _takes(job: Job) -> bool:
    """Whether it can be told an outcome now, be it a second time."""
    return job.status not in _DEAF


def _tell(job: Job, told: Sequence[Read]) -> None:
    if job.kind == Job.Kind.STREAM:
        streams.apply(job, [(row, read) for row, read in told if isinstance(read, StreamMessage | TaskFailed)])
        return
    for row, _ in told:
        _take_up(job)
        calls.called_back(job=job, raw=bytes(row.raw))
        job.refresh_from_db()


def _take_up(job: Job) -> None:
    """A job that was given up waits again, now that the answer is here after all."""
    if job.status != Job.Status.FAILED or Job.objects.pending().filter(record=job.record, kind=job.kind).exists():
        return
    job.status, job.ended_at = Job.Status.AWAITING, None
    job.save(update_fields=["status", "ended_at"])
    Record.objects.filter(pk=job.record_id, status=Record.Status.FAILED).update(status=Record.Status.FINISHING)


def _job(owner_id: int, task_id: str) -> Job | None:
    """The job that asked for a task, its record locked. Should two gateways use one id, the later job."""
    asked = Job.objects.filter(record__owner_id=owner_id, task_id=task_id).order_by("-id")
    found = asked.first() if task_id else None
    if found is None:
        return None
    Record.objects.select_for_update(of=("self",)).get(pk=found.record_id)  # before any job's row: see `jobs`
    return asked.select_related("record").first()


def _still_stored(told: Sequence[Read]) -> list[Read]:
    """Those that no other worker has applied meanwhile."""
    waiting = set(
        Callback.objects.select_for_update()
        .filter(pk__in=[row.pk for row, _ in told], state=State.STORED)
        .values_list("pk", flat=True)
    )
    return [(row, read) for row, read in told if row.pk in waiting]


def _unreadable(told: Iterable[Read], job: Job | None) -> dict[str, list[Callback]]:
    """By reason, those that cannot be applied."""
    found: dict[str, list[Callback]] = {}
    for row, read in told:
        if reason := _refusal(read, job):
            found.setdefault(reason, []).append(row)
    return found


def _refusal(read: envelope.Callback, job: Job | None) -> str:
    if isinstance(read, Unreadable):
        return read.reason
    if not read.task_id:
        return "The callback names no task."
    if job is None or isinstance(read, TaskFailed):
        return ""
    fits = isinstance(read, StreamMessage) if job.kind == Job.Kind.STREAM else isinstance(read, TaskRows)
    return "" if fits else WRONG_KIND


def _set(rows: Sequence[Callback], state: str, reason: str, task_id: str, job: Job | None = None) -> None:
    Callback.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=state,
        reason=reason,
        task_id=task_id,
        job=job,
        applied_at=timezone.now() if state == State.APPLIED else None,
    )
