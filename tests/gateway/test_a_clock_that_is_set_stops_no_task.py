"""The wall clock is set forward or back by an hour: no task is done twice at once, and none waits for that hour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from memweb.accounts.models import User
from memweb.gateway import keys, tasks, undertakings
from memweb.gateway.models import Asset, Task
from memweb.gateway.tasks import Kind, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
Set = Callable[[timedelta], None]


@pytest.fixture
def go_on() -> threading.Event:
    """Until it is set nobody gets further with the task."""
    return threading.Event()


@pytest.fixture
def begun(go_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released by each that begins the task."""
    count = threading.Semaphore(0)
    outcome = Outcome({}, b"{}", "", 0)

    def work(held: Task, progress: Callable[[int], None]) -> Outcome:
        count.release()
        assert go_on.wait(30)
        return outcome

    monkeypatch.setitem(undertakings.KINDS, "audio", Kind(work, lambda held, reason: outcome))
    return count


@pytest.fixture
def task(begun: threading.Semaphore) -> Task:
    owner = keys.account_of(user=User.objects.create_user("owner"))
    asset = Asset.objects.create(account=owner, asset_id="re_1", name="a.wav", size=5, status=Asset.Status.SUCCESS)
    return tasks.create(account_id=owner.pk, asset=asset, kind="audio", options={})


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


def rings(task: Task) -> None:
    """What a worker does for each bell that is due."""
    pks = list(DBTaskResult.objects.ready().values_list("pk", flat=True))
    DBTaskResult.objects.filter(pk__in=pks).delete()
    for _ in pks:
        tasks.run(pk=task.pk)


def state(task: Task) -> tuple[Any, int]:
    task.refresh_from_db()
    return task.status, task.attempts


def test_set_forward_it_is_not_begun_again_by_the_process_that_is_at_it(
    task: Task, begun: threading.Semaphore, go_on: threading.Event, moved: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "RENEW_EVERY_S", 60.0)

    def worker() -> None:
        tasks.run(pk=task.pk)
        connection.close()

    at_work = threading.Thread(target=worker)
    at_work.start()
    assert begun.acquire(timeout=30)
    moved(HOUR)
    assert tasks.reap() == 1
    assert tasks.take(pk=task.pk, holder="two") is None, "it was begun again"
    go_on.set()
    at_work.join()
    assert state(task) == (Task.Status.DONE, 1)


def test_set_back_one_that_waits_is_done_at_once(task: Task, go_on: threading.Event, moved: Set) -> None:
    go_on.set()
    moved(-HOUR)
    rings(task)
    assert state(task) == (Task.Status.QUEUED, 0), "nothing was in its way"
    assert tasks.reap() == 1
    rings(task)
    assert state(task) == (Task.Status.DONE, 1)


def test_set_back_one_whose_worker_died_is_taken_over_after_one_lease(
    task: Task, go_on: threading.Event, moved: Set
) -> None:
    go_on.set()
    assert tasks.take(pk=task.pk, holder="dies") is not None
    moved(-HOUR)
    assert tasks.reap() == 0
    assert tasks.take(pk=task.pk, holder="too early") is None
    moved(tasks.LEASE + timedelta(seconds=1))
    assert tasks.reap() == 1
    rings(task)
    assert state(task) == (Task.Status.DONE, 2)


def test_set_back_one_that_is_worked_on_stays_with_who_has_it(task: Task, moved: Set) -> None:
    assert tasks.take(pk=task.pk, holder="one") is not None
    moved(-HOUR)
    tasks.reap()
    assert tasks.renew(pk=task.pk, holder="one", progress=5)
    moved(tasks.LEASE - timedelta(seconds=1))
    assert tasks.reap() == 0
    assert tasks.take(pk=task.pk, holder="two") is None


def test_a_wait_between_two_tries_is_no_clock_that_was_set(task: Task) -> None:
    for attempts in range(1, tasks.ATTEMPTS):
        Task.objects.update(due_at=timezone.now() + tasks.AGAIN * attempts)
        assert tasks.reap() == 0
