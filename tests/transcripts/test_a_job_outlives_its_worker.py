"""A job is leased, renewed, retried and taken over: no worker's death and no lost doorbell leaves one behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from memweb import stopping
from memweb.accounts.models import User
from memweb.upstream.http import Client, TaskState
from tests.running import ROOT
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.errors import LeaseLost, LibraryError, Useless
from transcripts.hearing import transcription
from transcripts.jobs import Lease
from transcripts.models import Job, Record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(alice: User) -> Job:
    record = making.dictation(alice, "hello", finished=False)
    making.spool(record, making.sound(1))
    services.finish(record_id=record.pk)
    return Job.objects.get(record=record)


def bells() -> int:
    return DBTaskResult.objects.count()


def refuse(lease: Lease) -> None:
    raise LibraryError("The kettle is empty. Fill it, then retry.")


def due(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())


def test_two_workers_never_hold_one_job(job: Job) -> None:
    gate, got = threading.Barrier(4), []

    def worker(name: str) -> None:
        gate.wait()
        got.append(jobs.take(job_id=job.pk, holder=name))
        connection.close()

    threads = [threading.Thread(target=worker, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in got if one]) == 1
    job.refresh_from_db()
    assert job.attempts == 1


def test_a_lease_that_ran_out_is_taken_over_and_the_former_holder_keeps_nothing(job: Job) -> None:
    first = jobs.take(job_id=job.pk, holder="first")
    assert first is not None
    assert jobs.take(job_id=job.pk, holder="second") is None
    making.let_the_lease_run_out(job)
    assert jobs.take(job_id=job.pk, holder="second") is not None
    assert not jobs.renew(job_id=job.pk, holder="first")
    with pytest.raises(LeaseLost), jobs.transaction.atomic():
        jobs.hold(job_id=job.pk, holder="first")
    jobs.fail(job_id=job.pk, holder="first", reason="too late")
    job.refresh_from_db()
    assert (job.status, job.holder, job.reason) == (Job.Status.RUNNING, "second", "")


def test_a_worker_that_lost_its_lease_seals_nothing(job: Job) -> None:
    taken = jobs.take(job_id=job.pk, holder="slow")
    assert taken is not None
    making.let_the_lease_run_out(job)
    jobs.take(job_id=job.pk, holder="quick")
    with pytest.raises(LeaseLost):
        recordings.seal(Lease(taken))
    assert recordings.spool_path(job.record_id).exists()


def test_a_lease_is_renewed_again_after_the_database_was_away(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RENEW_EVERY_S", 0.02)
    renew, broken, renewed = jobs.renew, [OperationalError("the database restarts")], threading.Event()

    def renew_or_not(**given: Any) -> bool:
        if broken:
            raise broken.pop()
        renewed.set()
        return renew(**given)

    monkeypatch.setattr(jobs, "renew", renew_or_not)
    seen: list[bool] = []
    jobs.run(job_id=job.pk, work=lambda lease: seen.append(renewed.wait(20)))
    assert (broken, seen) == ([], [True])


def test_a_renewed_lease_is_not_reaped_however_long_the_work(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=3))
    monkeypatch.setattr(jobs, "RENEW_EVERY_S", 0.05)
    seen = []

    def slow(lease: Lease) -> None:
        first = Job.objects.get(pk=job.pk).lease_until
        assert first is not None
        deadline = time.monotonic() + 30
        while Job.objects.get(pk=job.pk).lease_until == first and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append(Job.objects.get(pk=job.pk).lease_until > first)  # type: ignore[operator]
        recordings.seal(lease)

    jobs.run(job_id=job.pk, work=slow)
    job.refresh_from_db()
    assert (seen, job.status) == ([True], Job.Status.DONE)


def test_a_failure_in_words_is_tried_again_later_each_time_until_it_is_given_up(job: Job) -> None:
    waits = []
    for _ in range(jobs.ATTEMPTS):
        due(job)
        before = timezone.now()
        jobs.run(job_id=job.pk, work=refuse)
        job.refresh_from_db()
        waits.append(round((job.due_at - before).total_seconds()))
    assert waits[:3] == [5, 20, 80]
    assert (job.status, job.reason) == (Job.Status.FAILED, "The kettle is empty. Fill it, then retry.")
    record = Record.objects.get(pk=job.record_id)
    assert (record.status, record.status_reason) == (Record.Status.FAILED, job.reason)
    assert recordings.spool_path(record.pk).exists()


def test_what_cannot_mend_itself_is_not_tried_again(job: Job) -> None:
    def useless(lease: Lease) -> None:
        raise Useless("No engine is installed.")

    jobs.run(job_id=job.pk, work=useless)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.FAILED, 1)


def test_the_unexpected_is_told_in_general_words_and_raised_for_the_log(job: Job) -> None:
    def burst(lease: Lease) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        jobs.run(job_id=job.pk, work=burst)
    job.refresh_from_db()
    assert (job.status, job.reason) == (Job.Status.QUEUED, jobs.UNEXPECTED)


def test_a_job_is_not_taken_before_it_is_due(job: Job) -> None:
    jobs.run(job_id=job.pk, work=refuse)
    assert jobs.take(job_id=job.pk, holder="early") is None


def test_a_person_can_have_it_tried_again(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(attempts=jobs.ATTEMPTS - 1)
    jobs.run(job_id=job.pk, work=refuse)
    rung = bells()
    retried = jobs.retry(record_id=job.record_id, job_id=job.pk)
    assert retried is not None
    assert bells() == rung + 1
    jobs.run(job_id=job.pk, work=recordings.seal)
    record = Record.objects.get(pk=job.record_id)
    assert (record.status, record.status_reason) == (Record.Status.READY, "")
    assert jobs.retry(record_id=job.record_id, job_id=job.pk) is None


def test_what_is_tried_again_already_is_not_begun_twice(job: Job) -> None:
    """A second click, or a page that was open all the while."""
    taken = jobs.take(job_id=job.pk, holder="first")
    assert taken is not None
    jobs.fail(job_id=job.pk, holder="first", reason="no", final=True)
    again = jobs.enqueue(record_id=job.record_id, kind=Job.Kind.SEAL)
    assert jobs.retry(record_id=job.record_id, job_id=job.pk) is None
    assert list(Job.objects.pending().values_list("pk", flat=True)) == [again.pk]


def test_who_works_on_what_was_stopped_holds_it_no_more(alice: User) -> None:
    """Whatever it tells later: the job stays stopped."""
    record = making.dictation(alice, "hello")
    job = jobs.enqueue(record_id=record.pk, kind=Job.Kind.TRANSCRIBE)
    taken = jobs.take(job_id=job.pk, holder="first")
    assert taken is not None
    assert jobs.cancel(record_id=record.pk)
    assert not jobs.renew(job_id=job.pk, holder="first", progress=70)
    with pytest.raises(LeaseLost):
        jobs.note(job_id=job.pk, holder="first", task_id="t1")
    with pytest.raises(LeaseLost):
        Lease(taken).hold()
    jobs.fail(job_id=job.pk, holder="first", reason="too late")
    jobs.put_back(job_id=job.pk, holder="first")
    job.refresh_from_db()
    assert (job.status, job.progress, job.task_id, job.attempts) == (Job.Status.CANCELLED, 0, "", 1)


@pytest.mark.parametrize(("told", "shown"), [(-3, 0), (40, 40), (250, 100)])
def test_progress_is_a_per_cent_whatever_is_told(job: Job, told: int, shown: int) -> None:
    jobs.take(job_id=job.pk, holder="first")
    assert jobs.renew(job_id=job.pk, holder="first", progress=told)
    job.refresh_from_db()
    assert job.progress == shown


def test_finishing_twice_asks_for_one_seal(job: Job) -> None:
    rung = bells()
    services.finish(record_id=job.record_id)
    assert Job.objects.filter(record=job.record_id).count() == 1
    assert bells() == rung


def test_reaping_rings_for_the_abandoned_and_the_unheard_only(job: Job, alice: User) -> None:
    DBTaskResult.objects.all().delete()  # every doorbell was lost
    assert jobs.reap() == 0
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now() - jobs.UNHEARD - timedelta(seconds=1))
    assert (jobs.reap(), bells()) == (1, 1)
    assert (jobs.reap(), bells()) == (0, 1)
    jobs.take(job_id=job.pk, holder="a")
    assert jobs.reap() == 0
    making.let_the_lease_run_out(job)
    assert jobs.reap() == 1


def test_taking_a_job_sets_a_bell_for_the_moment_its_lease_ends(job: Job) -> None:
    taken = jobs.take(job_id=job.pk, holder="a")
    assert taken is not None
    bell = DBTaskResult.objects.latest("run_after")
    assert bell.run_after == taken.lease_until
    assert bell.args_kwargs["args"] == [job.pk]


def test_a_worker_that_dies_every_time_is_given_up(job: Job) -> None:
    for number in range(jobs.ATTEMPTS):
        assert jobs.take(job_id=job.pk, holder=str(number)) is not None
        making.let_the_lease_run_out(job)
    assert jobs.take(job_id=job.pk, holder="last") is None
    job.refresh_from_db()
    assert (job.status, job.reason) == (Job.Status.FAILED, jobs.GAVE_OUT)


@pytest.fixture
def ending() -> Iterator[threading.Event]:
    """Set it, and this process is to end; afterwards it is not."""
    yield stopping.stopping
    stopping.stopping.clear()


def test_a_worker_that_is_to_end_puts_its_job_back_for_the_next_one(job: Job, ending: threading.Event) -> None:
    done = []

    def long_work(lease: Lease) -> None:
        lease.progress(5)
        rung.append(bells())
        ending.set()
        lease.progress(6)
        done.append(1)

    rung: list[int] = []
    jobs.run(job_id=job.pk, work=long_work)
    job.refresh_from_db()
    assert (done, job.status, job.attempts, job.lease_until) == ([], Job.Status.QUEUED, 0, None)
    assert bells() == rung[0] + 1
    ending.clear()
    jobs.run(job_id=job.pk, work=recordings.seal)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 1)


def test_who_does_not_look_loses_the_job_all_the_same(job: Job) -> None:
    def deaf(lease: Lease) -> None:
        jobs.put_back_all()
        seen.append(Job.objects.get(pk=job.pk).status)
        recordings.seal(lease)

    seen: list[str] = []
    jobs.run(job_id=job.pk, work=deaf)
    assert seen == [Job.Status.QUEUED]
    assert recordings.spool_path(job.record_id).exists(), "two kept its result"
    jobs.put_back_all()  # nothing is in hand any more
    assert Job.objects.get(pk=job.pk).status == Job.Status.QUEUED


def test_who_takes_over_goes_on_from_the_per_cent_that_was_told(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(task_id="t", progress=40)
    taken = jobs.take(job_id=job.pk, holder="a")
    assert taken is not None
    Lease(taken).hold()
    job.refresh_from_db()
    assert job.progress == 40


def test_a_gateway_is_asked_soon_while_it_begins_and_seldom_after(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def state(status: str, done_ms: int = 0, callback: bytes | None = None) -> TaskState:
        return TaskState(status, done_ms, 100, 0, "", callback)

    said = [*[state("queued")] * 5, *[state("running")] * 2, *[state("running", 7)] * 3, state("done", 100, b"{}")]
    asked, waited = iter(said), []
    monkeypatch.setattr(stopping, "wait", waited.append)
    taken = jobs.take(job_id=job.pk, holder="a")
    assert taken is not None
    client = cast(Client, SimpleNamespace(task=lambda task_id: next(asked)))
    outcome = transcription._watched(Lease(taken), job, client, "whisper-1")
    assert outcome == transcription.Outcome(b"{}", "whisper-1")
    assert waited == [0.25, 0.5, 1.0, 1.0, 1.0, 0.25, 0.25, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("who", ["a person", "another worker"])
def test_the_gateway_goes_on_for_who_took_over_and_not_for_who_stopped_it(job: Job, who: str) -> None:
    """Cancelled for a worker that is only late, the task would fail for the one that has the job by now."""
    taken = jobs.take(job_id=job.pk, holder="a")
    assert taken is not None
    if who == "a person":
        Job.objects.filter(pk=job.pk).update(status=Job.Status.CANCELLED)
    else:
        making.let_the_lease_run_out(job)
        assert jobs.take(job_id=job.pk, holder="b") is not None
    cancelled: list[str] = []
    running = TaskState("running", 7, 100, 0, "", None)
    client = cast(Client, SimpleNamespace(task=lambda task_id: running, cancel=cancelled.append))
    with pytest.raises(LeaseLost):
        transcription._watched(Lease(taken), taken, client, "whisper-1")
    assert cancelled == ([taken.task_id] if who == "a person" else [])


STUCK = """
import django, sys, time
django.setup()
from transcripts import jobs
def work(lease):
    print("working", flush=True)
    time.sleep(600)
jobs.run(job_id=int(sys.argv[1]), work=work)
"""


@pytest.mark.process
def test_a_killed_worker_is_replaced_by_the_next_one(job: Job) -> None:
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        host, port = database["HOST"] or "127.0.0.1", database["PORT"] or 5432
        url = f"postgres://{database['USER']}@{host}:{port}/{database['NAME']}"
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "memweb.settings"}
    command = [sys.executable, "-c", STUCK, str(job.pk)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "working\n"
        worker.send_signal(signal.SIGKILL)
    job.refresh_from_db()
    assert job.status == Job.Status.RUNNING
    assert settings.SPOOL_DIR.exists()
    making.let_the_lease_run_out(job)
    assert jobs.reap() == 1
    jobs.run(job_id=job.pk, work=recordings.seal)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)
