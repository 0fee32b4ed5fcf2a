"""`/tasks/{id}`: how a task stands, and letting it be. memweb's own addition; the hosted gateway does not tell.

The app asks here how far its recordings are: with no webhook and no other configuration.
"""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router

from memweb.gateway import tasks, undertakings
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.shapes import FAILURES, Answer, Shape
from memweb.gateway.doors import Refused
from memweb.gateway.models import Task
from memweb.speech import envelope

router = Router(tags=["tasks"])
UNKNOWN = "Request has exceeded the limit."


TaskPath = Annotated[str, Path(description="Which task: its task_id.")]


class State(Shape):
    """Where a task is. `done_ms` of `total_ms` of its sound are read; `ahead` others come before it."""

    task_id: str
    """What it is known by."""
    status: str
    """queued, running, done or failed."""
    done_ms: int
    """How much of the sound is read, in milliseconds."""
    total_ms: int | None
    """How much there is; null where that is not known."""
    ahead: int
    """How many tasks come before it."""
    message: str | None
    """Why it failed; null otherwise."""
    callback: dict[str, Any] | None
    """Once it is done: what the synchronous endpoint would have answered, and the `language` of a text. memweb's own
    app is told the words of each row too."""


@router.get("/{task_id}", response={200: Answer[State], **FAILURES})
def state(request: HttpRequest, task_id: TaskPath) -> dict[str, Any]:
    """How a task of this account stands."""
    task = _own(request, task_id)
    is_own_app = caller_of(request).key_id is None
    total_ms = task.asset.duration_ms if task.asset is not None else None
    done = task.status == Task.Status.DONE
    return envelope.success(
        {
            "task_id": task.task_id,
            "status": task.status,
            "done_ms": -(-(total_ms or 0) * task.progress // 100),  # rounded up: read as per cents, it is the same
            "total_ms": total_ms,
            "ahead": tasks.ahead_of(task),
            "message": task.reason or None,
            "callback": envelope.success(_result(task, is_own_app=is_own_app)) if done else None,
        }
    )


@router.delete("/{task_id}", response={200: Answer[None], **FAILURES})
def cancel(request: HttpRequest, task_id: TaskPath) -> dict[str, Any]:
    """Let a task be. One that is over stays as it is."""
    tasks.cancel(pk=_own(request, task_id).pk)
    return envelope.success(None)


def _result(task: Task, *, is_own_app: bool) -> Any:
    return task.result if is_own_app else undertakings.as_documented(task.result)


def _own(request: HttpRequest, task_id: str) -> Task:
    mine = Task.objects.filter(account_id=caller_of(request).account_id).select_related("asset")
    known = task_id.isascii() and task_id.replace("-", "").isalnum()  # PostgreSQL takes no NUL
    task = mine.filter(task_id=task_id).first() if known else None
    if task is None:
        raise Refused(400, UNKNOWN)
    return task
