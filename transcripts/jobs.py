"""A Job's life: enqueued, leased, renewed, retried, reaped. The task queue is only its doorbell.

A doorbell may ring twice, late, or never: only `take` decides who works, and whoever works must renew the lease. When a
worker is killed its lease runs out; the bell set for that moment, or `reap`, lets the next worker take the job over.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from memweb import stopping
from memweb.stopping import LetGo
from transcripts.errors import Later, LeaseLost, LibraryError, Useless
from transcripts.models import Job, Record

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
RENEW_EVERY_S = 10.0
ATTEMPTS = 4
# A queued job nobody came for within this time is rung for again.
UNHEARD = timedelta(seconds=60)
# These change nothing that is there already, so they may stop at any time.
CANCELLABLE = (Job.Kind.PREPARE, Job.Kind.TRANSCRIBE, Job.Kind.SPEAKERS, Job.Kind.SECOND_PASS)
MAKES_READY = (Job.Kind.SEAL, Job.Kind.PREPARE, Job.Kind.TRANSCRIBE)
UNCALLED = "The gateway took the recording and never called back. Retry: then the answer is waited for instead."
UNEXPECTED = "Something unexpected stopped this. The recording and the text so far are kept. Retry."
AGAIN = "It is tried again by itself."
GAVE_OUT = "The worker stopped while it was at this. The recording and the text are kept. Retry when it runs again."


@transaction.atomic
def enqueue(*, record_id: uuid.UUID, kind: str, options: Mapping[str, Any] | None = None) -> Job:
    """The pending job of this kind, made and rung for unless there is one. Call with the record's row locked."""
    defaults = {"status": Job.Status.QUEUED, "due_at": timezone.now(), "options": dict(options or {})}
    job, made = Job.objects.pending().get_or_create(record_id=record_id, kind=kind, defaults=defaults)
    if made:
        _ring(job, job.due_at)
    return job


@transaction.atomic
def take(*, job_id: int, holder: str) -> Job | None:
    """Lease the job to this holder, if it is due and nobody works on it."""
    now = timezone.now()
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None or not _is_free(job, now):
        return None
    if job.attempts >= ATTEMPTS:
        _give_up(job, GAVE_OUT)
        return None
    job.status, job.holder, job.lease_until = Job.Status.RUNNING, holder, now + LEASE
    job.attempts += 1
    job.reason = ""
    if not job.task_id:  # else the gateway goes on with it all the while
        job.progress, job.begun_at = 0, None
    job.save()
    _ring(job, job.lease_until)
    return job


def _is_free(job: Job, now: datetime) -> bool:
    if job.status == Job.Status.QUEUED:
        return job.due_at <= now
    if job.status == Job.Status.RUNNING and job.lease_until is not None:
        if job.lease_until >= now:
            _ring(job, job.lease_until)  # its bell came early, because the lease was renewed: set it again
        elif job.pk in _in_hand:  # the clock was set forward: whoever works on it renews the lease in a moment
            _ring(job, now + LEASE)
        else:
            return True
    return False


def renew(*, job_id: int, holder: str, progress: int | None = None) -> bool:
    """Hold the job for one more lease, and say how far it is in per cent. False once it is somebody else's."""
    change: dict[str, object] = {"lease_until": timezone.now() + LEASE}
    if progress is not None:
        change["progress"] = min(max(progress, 0), 100)
    return bool(Job.objects.filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).update(**change))


@transaction.atomic
def put_back(*, job_id: int, holder: str) -> None:
    """Let the next worker go on with it at once, unless it has it already: this one is about to end."""
    job = Job.objects.select_for_update().filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).first()
    if job is None:
        return
    job.status, job.lease_until, job.due_at = Job.Status.QUEUED, None, timezone.now()
    job.attempts -= 1
    job.save()
    _ring(job, job.due_at)


def put_back_all() -> None:
    """Whatever this process still has in hand, when it can wait no longer for who works on it."""
    for job_id, holder in list(_in_hand.items()):
        put_back(job_id=job_id, holder=holder)


def hold(*, job_id: int, holder: str) -> Job:
    """Lock the job's row for the rest of this transaction. Raises LeaseLost, so that a lost worker writes nothing."""
    job = Job.objects.select_for_update().filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).first()
    if job is None:
        raise LeaseLost(f"job {job_id}")
    return job


def note(*, job_id: int, holder: str, **known: Any) -> None:
    """Keep how far the work has come (`asset_id`, `task_id`, `begun_at`), so that whoever retakes it goes on there.

    Raises LeaseLost.
    """
    if not Job.objects.filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).update(**known):
        raise LeaseLost(f"job {job_id}")


@transaction.atomic
def await_call(*, job_id: int, holder: str, until: datetime) -> None:
    """Let go of the job: the gateway calls back with its outcome, or has not by then."""
    from transcripts.callbacks import applying

    job = hold(job_id=job_id, holder=holder)
    job.status, job.due_at, job.lease_until, job.begun_at = Job.Status.AWAITING, until, None, timezone.now()
    job.save()
    applying.claim(owner_id=job.record.owner_id, task_id=job.task_id)


@transaction.atomic
def refuse_awaited(*, job_id: int, reason: str) -> None:
    """The call came and told of no result."""
    job = Job.objects.select_for_update().filter(pk=job_id, status=Job.Status.AWAITING).first()
    if job is not None:
        _give_up(job, reason)


@transaction.atomic
def cancel(*, record_id: uuid.UUID) -> bool:
    """Stop what is being done with a record, because a person asked. False where nothing is."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    pending = Job.objects.pending().filter(record=record, kind__in=CANCELLABLE).select_for_update()
    stopped = list(pending)
    for job in stopped:
        _end(job, Job.Status.CANCELLED, "You stopped this. The recording is kept.")  # how far it was, its state says
    return bool(stopped)


def complete(*, job: Job) -> None:
    """The work is done; call in the transaction that keeps its result, after `hold`."""
    job.status, job.progress, job.ended_at, job.lease_until, job.reason = Job.Status.DONE, 100, timezone.now(), None, ""
    job.save()


def again(*, job: Job) -> None:
    """What the job worked on has changed meanwhile: start over, as if new."""
    job.status, job.attempts, job.progress, job.lease_until = Job.Status.QUEUED, 0, 0, None
    job.due_at = timezone.now()
    job.save()
    _ring(job, job.due_at)


@transaction.atomic
def fail(*, job_id: int, holder: str, reason: str, meanwhile: str = "", final: bool = False) -> None:
    """This attempt came to nothing: try again later, each time waiting longer, until it is given up.

    `meanwhile` is added to the reason only as long as it is tried again.
    """
    job = Job.objects.select_for_update().filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).first()
    if job is None:
        return
    if final or job.attempts >= ATTEMPTS:
        _give_up(job, reason)
        return
    job.status, job.reason, job.lease_until = Job.Status.QUEUED, f"{reason} {meanwhile}".strip()[:500], None
    job.due_at = timezone.now() + backoff(job.attempts)
    job.save()
    _ring(job, job.due_at)


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 5 s, 20 s, 80 s."""
    return timedelta(seconds=5 * 4 ** (attempts - 1))


def _give_up(job: Job, reason: str) -> None:
    _end(job, Job.Status.FAILED, reason)


def _end(job: Job, status: str, reason: str) -> None:
    job.status, job.reason, job.ended_at, job.lease_until = status, reason[:500], timezone.now(), None
    job.save()
    if job.kind in MAKES_READY:  # without it the record never becomes ready, so the record says why
        Record.objects.filter(pk=job.record_id, status=Record.Status.FINISHING).update(
            status=Record.Status.FAILED, status_reason=job.reason
        )


@transaction.atomic
def retry(*, record_id: uuid.UUID, job_id: int | None) -> Job | None:
    """Start this job of the record over, because a person asked; what came before it is not done again.

    None where it has not failed. A stream that is over is not begun again: it is another recording.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    over = record.jobs.filter(pk=job_id or 0, status__in=[Job.Status.FAILED, Job.Status.CANCELLED])
    job = over.exclude(kind=Job.Kind.STREAM).first()
    if job is None or Job.objects.pending().filter(record=record, kind=job.kind).exists():
        return None
    job.ended_at, job.reason, job.task_id, job.begun_at = None, "", "", None
    again(job=job)
    if job.kind in MAKES_READY and record.status == Record.Status.FAILED:
        record.status, record.status_reason = Record.Status.FINISHING, ""
        record.save(update_fields=["status", "status_reason", "updated_at"])
    return job


def reap() -> int:
    """Ring for every job whose worker let go of it, or that nobody came for. How many there were.

    Where the clock was set back, leases and waits that it began before are cut to what they may be from now.
    """
    now = timezone.now()
    with transaction.atomic():
        for job in Job.objects.uncalled(now).select_for_update():
            job.options = {**job.options, "wait": True}
            _give_up(job, UNCALLED)
        Job.objects.leased_beyond(now + LEASE).update(lease_until=now + LEASE)
        waiting_too_long = Job.objects.due_beyond(now + backoff(ATTEMPTS - 1))
        lost = [*Job.objects.abandoned(now), *Job.objects.overdue(now - UNHEARD), *waiting_too_long]
        for job in lost:
            _ring(job, now)
            if job.status == Job.Status.QUEUED:  # not again before another such wait
                Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(due_at=now)
    return len(lost)


def _ring(job: Job, at: datetime) -> None:
    from transcripts import tasks

    tasks.DOORBELLS[Job.Kind(job.kind)].using(run_after=at).enqueue(job.pk)


_in_hand: dict[int, str] = {}
"""The jobs that this process works on, and as which holder."""


class Lease:
    """A job in hand: says how far it is, and knows when it was lost."""

    def __init__(self, job: Job) -> None:
        self.job_id, self.holder, self.record_id = job.pk, job.holder, job.record_id
        self._percent = job.progress
        self._lost = threading.Event()
        self._over = threading.Event()

    @property
    def percent(self) -> int:
        """What was told last."""
        return self._percent

    def progress(self, percent: int) -> None:
        """How much of the audio is done. Raises LeaseLost where somebody else has the job by now, and LetGo."""
        stopping.look()
        if self._lost.is_set():
            raise LeaseLost(f"job {self.job_id}")
        if percent != self._percent:
            self._percent = percent
            self._renew()

    def hold(self) -> None:
        """Renew now, not when it is due: who stops a job need not wait. Raises LeaseLost."""
        self._renew()
        if self._lost.is_set():
            raise LeaseLost(f"job {self.job_id}")

    def note(self, **known: Any) -> None:
        """Keep how far the work has come, see `note`. Raises LeaseLost."""
        note(job_id=self.job_id, holder=self.holder, **known)

    def _renew(self) -> None:
        if not renew(job_id=self.job_id, holder=self.holder, progress=self._percent):
            self._lost.set()

    def _keep(self) -> None:
        try:
            while not self._over.wait(RENEW_EVERY_S) and not self._lost.is_set():
                try:
                    self._renew()
                except DatabaseError:  # once more in a moment: who stops renewing loses the job, and it is done twice
                    logger.warning("the lease of job %s could not be renewed", self.job_id)
                    connection.close()
        finally:
            connection.close()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew from a thread of its own, because one step of the work may take longer than a lease."""
        keeper = threading.Thread(target=self._keep, name=f"lease-{self.job_id}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._over.set()
            keeper.join()


def run(*, job_id: int, work: Callable[[Lease], None]) -> None:
    """Take the job and do its work, which completes it; what goes wrong becomes a reason and a later attempt."""
    job = take(job_id=job_id, holder=str(uuid.uuid4()))
    if job is None:
        return
    lease = Lease(job)
    _in_hand[job_id] = lease.holder
    try:
        with lease.kept():
            work(lease)
    except LetGo:
        logger.info("job %s is put back: the worker ends", job_id)
        put_back(job_id=job_id, holder=lease.holder)
    except LeaseLost:
        logger.info("job %s was taken over", job_id)
    except LibraryError as error:
        logger.warning("job %s: %s", job_id, type(error).__name__)
        fail(
            job_id=job_id, holder=lease.holder, reason=str(error), meanwhile=AGAIN if isinstance(error, Later) else "",
            final=isinstance(error, Useless),
        )  # fmt: skip
    except Exception:
        fail(job_id=job_id, holder=lease.holder, reason=UNEXPECTED)
        raise
    finally:
        _in_hand.pop(job_id, None)
