"""Tasks for the worker's tests: one that takes as long as it is let, one that is over at once."""

from __future__ import annotations

import threading

from django_tasks import task

begun, released, done = threading.Event(), threading.Event(), threading.Event()


@task(queue_name="long")
def linger() -> None:
    begun.set()
    assert released.wait(20)


@task()
def be_quick() -> None:
    done.set()
