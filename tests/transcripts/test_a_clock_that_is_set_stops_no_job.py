"""The wall clock is set forward or back by an hour: no job is done twice at once, and none waits for that hour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.jobs import Lease
from transcripts.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
Set = Callable[[timedelta], None]


@pytest.fixture
def job(alice: User) -> Job:
    record = making.dictation(alice, "hello", finished=False)
    making.spool(record, making.sound(1))
    services.finish(record_id=record.pk)
    return Job.objects.get(record=record)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Moves the clock by so much, once more each time."""
    off, now = [timedelta(0)], timezone.now

    def by(step: timedelta) -> None:
        off[0] += step

    def set_clock() -> datetime:
        return now() + off[0]

    monkeypatch.setattr(timezone, "now", set_clock)
    return by


def rings(job: Job) -> None:
    """What a worker does for each bell that is due."""
    bells = DBTaskResult.objects.ready().filter(args_kwargs__args=[job.pk])
    pks = list(bells.values_list("pk", flat=True))
    DBTaskResult.objects.filter(pk__in=pks).delete()
    for _ in pks:
        jobs.run(job_id=job.pk, work=recordings.seal)


def test_set_forward_it_is_not_begun_again_by_the_process_that_is_at_it(
    job: Job, moved: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(lease: Lease) -> None:
        begun.set()
        assert go_on.wait(30)
        recordings.seal(lease)

    def worker() -> None:
        jobs.run(job_id=job.pk, work=slow)
        connection.close()

    at_work = threading.Thread(target=worker)
    at_work.start()
    assert begun.wait(30)
    moved(HOUR)
    rings(job)
    jobs.reap()
    rings(job)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.RUNNING, 1), "it was begun again"
    go_on.set()
    at_work.join()
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 1)


def test_set_forward_a_renewed_lease_holds_against_other_processes(job: Job, moved: Set) -> None:
    taken = jobs.take(job_id=job.pk, holder="one")
    assert taken is not None
    moved(HOUR)
    Lease(taken).hold()
    assert jobs.reap() == 0
    assert jobs.take(job_id=job.pk, holder="two") is None


def test_set_back_one_that_waits_is_done_at_once(job: Job, moved: Set) -> None:
    moved(-HOUR)
    rings(job)
    job.refresh_from_db()
    assert job.status == Job.Status.QUEUED, "nothing was in its way"
    assert jobs.reap() == 1
    rings(job)
    job.refresh_from_db()
    assert job.status == Job.Status.DONE


def test_set_back_one_whose_worker_died_is_taken_over_after_one_lease(job: Job, moved: Set) -> None:
    assert jobs.take(job_id=job.pk, holder="dies") is not None
    moved(-HOUR)
    assert jobs.reap() == 0
    moved(jobs.LEASE + timedelta(seconds=1))
    assert jobs.reap() == 1
    rings(job)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)


def test_set_back_one_that_is_worked_on_stays_with_who_has_it(job: Job, moved: Set) -> None:
    taken = jobs.take(job_id=job.pk, holder="one")
    assert taken is not None
    moved(-HOUR)
    jobs.reap()
    assert jobs.take(job_id=job.pk, holder="two") is None
    moved(timedelta(seconds=jobs.RENEW_EVERY_S))
    Lease(taken).hold()
    moved(jobs.LEASE - timedelta(seconds=1))
    assert jobs.reap() == 0
    assert jobs.take(job_id=job.pk, holder="two") is None


def test_a_wait_between_two_tries_is_no_clock_that_was_set(job: Job) -> None:
    for attempts in range(1, jobs.ATTEMPTS):
        Job.objects.filter(pk=job.pk).update(due_at=timezone.now() + jobs.backoff(attempts))
        assert jobs.reap() == 0
