"""A Job's life: enqueued, leased, renewed, retried, reaped. The task queue is only its doorbell.

A doorbell may ring twice, late, or never: only `take` decides who works, and whoever works must renew the lease. When a
worker is killed its lease runs out; the bell set for that moment, or `reap`, lets the next worker take the job over.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from transcripts.errors import LeaseLost, LibraryError, Useless
from transcripts.models import Job, Record

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
RENEW_EVERY_S = 10.0
ATTEMPTS = 4
# A queued job nobody came for within this time is rung for again.
UNHEARD = timedelta(seconds=60)
UNEXPECTED = "Something unexpected stopped this. The recording and the text so far are kept. Retry."
GAVE_OUT = "The worker stopped while it was at this. The recording and the text are kept. Retry when it runs again."


@transaction.atomic
def enqueue(*, record_id: uuid.UUID, kind: str) -> Job:
    """The pending job of this kind, made and rung for unless there is one. Call with the record's row locked."""
    job, made = Job.objects.pending().get_or_create(
        record_id=record_id, kind=kind, defaults={"status": Job.Status.QUEUED, "due_at": timezone.now()}
    )
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
    job.progress, job.reason = 0, ""
    job.save()
    _ring(job, job.lease_until)
    return job


def _is_free(job: Job, now: datetime) -> bool:
    if job.status == Job.Status.QUEUED:
        return job.due_at <= now
    if job.status == Job.Status.RUNNING and job.lease_until is not None:
        if job.lease_until < now:
            return True
        _ring(job, job.lease_until)  # its bell came early, because the lease was renewed: set it again
    return False


def renew(*, job_id: int, holder: str, progress: int | None = None) -> bool:
    """Hold the job for one more lease, and say how far it is in per cent. False once it is somebody else's."""
    change: dict[str, object] = {"lease_until": timezone.now() + LEASE}
    if progress is not None:
        change["progress"] = min(max(progress, 0), 100)
    return bool(Job.objects.filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).update(**change))


def hold(*, job_id: int, holder: str) -> Job:
    """Lock the job's row for the rest of this transaction. Raises LeaseLost, so that a lost worker writes nothing."""
    job = Job.objects.select_for_update().filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).first()
    if job is None:
        raise LeaseLost(f"job {job_id}")
    return job


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
def fail(*, job_id: int, holder: str, reason: str, final: bool = False) -> None:
    """This attempt came to nothing: try again later, each time waiting longer, until it is given up."""
    job = Job.objects.select_for_update().filter(pk=job_id, holder=holder, status=Job.Status.RUNNING).first()
    if job is None:
        return
    if final or job.attempts >= ATTEMPTS:
        _give_up(job, reason)
        return
    job.status, job.reason, job.lease_until = Job.Status.QUEUED, reason[:500], None
    job.due_at = timezone.now() + backoff(job.attempts)
    job.save()
    _ring(job, job.due_at)


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 5 s, 20 s, 80 s."""
    return timedelta(seconds=5 * 4 ** (attempts - 1))


def _give_up(job: Job, reason: str) -> None:
    job.status, job.reason, job.ended_at, job.lease_until = Job.Status.FAILED, reason[:500], timezone.now(), None
    job.save()
    if job.kind == Job.Kind.SEAL:  # without it the record never becomes ready, so the record says why
        Record.objects.filter(pk=job.record_id, status=Record.Status.FINISHING).update(
            status=Record.Status.FAILED, status_reason=job.reason
        )


@transaction.atomic
def retry(*, record_id: uuid.UUID) -> Job | None:
    """Start the record's last failed job over, because a person asked. None where nothing has failed."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    job = record.jobs.filter(status=Job.Status.FAILED).order_by("-id").first()
    if job is None or record.jobs.filter(status__in=["queued", "running"], kind=job.kind).exists():
        return None
    job.ended_at, job.reason = None, ""
    again(job=job)
    if job.kind == Job.Kind.SEAL:
        record.status, record.status_reason = Record.Status.FINISHING, ""
        record.save(update_fields=["status", "status_reason", "updated_at"])
    return job


def reap() -> int:
    """Ring for every job whose worker let go of it, or that nobody came for. How many there were."""
    now = timezone.now()
    with transaction.atomic():
        lost = [*Job.objects.abandoned(now), *Job.objects.overdue(now - UNHEARD)]
        for job in lost:
            _ring(job, now)
            if job.status == Job.Status.QUEUED:  # not again before another such wait
                Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(due_at=now)
    return len(lost)


def _ring(job: Job, at: datetime) -> None:
    from transcripts import tasks

    tasks.DOORBELLS[Job.Kind(job.kind)].using(run_after=at).enqueue(job.pk)


class Lease:
    """A job in hand: says how far it is, and knows when it was lost."""

    def __init__(self, job: Job) -> None:
        self.job_id, self.holder, self.record_id = job.pk, job.holder, job.record_id
        self._percent = 0
        self._lost = threading.Event()
        self._over = threading.Event()

    def progress(self, percent: int) -> None:
        """How much of the audio is done. Raises LeaseLost where somebody else has the job by now."""
        if self._lost.is_set():
            raise LeaseLost(f"job {self.job_id}")
        if percent != self._percent:
            self._percent = percent
            self._renew()

    def _renew(self) -> None:
        if not renew(job_id=self.job_id, holder=self.holder, progress=self._percent):
            self._lost.set()

    def _keep(self) -> None:
        try:
            while not self._over.wait(RENEW_EVERY_S) and not self._lost.is_set():
                self._renew()
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
    try:
        with lease.kept():
            work(lease)
    except LeaseLost:
        logger.info("job %s was taken over", job_id)
    except LibraryError as error:
        logger.warning("job %s: %s", job_id, type(error).__name__)
        fail(job_id=job_id, holder=lease.holder, reason=str(error), final=isinstance(error, Useless))
    except Exception:
        fail(job_id=job_id, holder=lease.holder, reason=UNEXPECTED)
        raise
