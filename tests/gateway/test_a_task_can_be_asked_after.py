"""memweb's own addition to the API: how a task stands, for its account alone, and letting it be."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import keys, tasks
from memweb.gateway.models import Account, Asset, Task
from memweb.upstream.address import internal_key

pytestmark = pytest.mark.django_db
AT = "/serve/api/v2"


@pytest.fixture
def owner() -> Account:
    return keys.account_of(user=User.objects.create_user("owner"))


@pytest.fixture
def app(owner: Account) -> Client:
    """The app itself, which speaks for its user with a key that it signs."""
    return Client(headers={"Authorization": internal_key(owner.user_id)})


@pytest.fixture
def asset(owner: Account) -> Asset:
    return Asset.objects.create(
        account=owner, asset_id="re_1", name="a.wav", size=5, duration_ms=8000, status=Asset.Status.SUCCESS
    )


def begun(app: Client, asset: Asset) -> str:
    answer = app.post(f"{AT}/transcriptions/async-generate-audio", {"asset_id": asset.asset_id}, "application/json")
    assert answer.status_code == 200, answer.content
    return str(answer.json()["data"]["task_id"])


def state(client: Client, task_id: str) -> Any:
    return client.get(f"{AT}/tasks/{task_id}").json()["data"]


def test_the_app_needs_no_webhook_because_it_asks(app: Client, asset: Asset) -> None:
    first, second = begun(app, asset), begun(app, asset)
    assert state(app, first) == {
        "task_id": first, "status": "queued", "done_ms": 0, "total_ms": 8000, "ahead": 0, "message": None,
        "callback": None,
    }  # fmt: skip
    assert state(app, second)["ahead"] == 1


def test_progress_and_the_result_are_told(app: Client, asset: Asset) -> None:
    task_id = begun(app, asset)
    held = tasks.take(pk=Task.objects.get().pk, holder="one")
    assert held is not None
    tasks.renew(pk=held.pk, holder="one", progress=41)
    assert (state(app, task_id)["status"], state(app, task_id)["done_ms"]) == ("running", 3280)
    rows = {"model": "whisper-1", "items": [{"text": "Yes.", "start_time": 0.0, "end_time": 1.0}]}
    Task.objects.update(status=Task.Status.DONE, result=rows)
    assert state(app, task_id)["callback"]["data"] == rows


def test_a_task_that_is_let_be_is_told_as_such_and_worked_on_no_more(app: Client, asset: Asset) -> None:
    task_id = begun(app, asset)
    held = tasks.take(pk=Task.objects.get().pk, holder="one")
    assert held is not None
    for _ in range(2):
        assert app.delete(f"{AT}/tasks/{task_id}").json()["code"] == 200
    assert (state(app, task_id)["status"], state(app, task_id)["message"]) == ("failed", tasks.CANCELLED)
    assert not tasks.renew(pk=held.pk, holder="one", progress=50)


def test_a_strangers_task_is_not_there(app: Client, asset: Asset) -> None:
    task_id = begun(app, asset)
    other = User.objects.create_user("other")
    stranger = Client(headers={"Authorization": keys.create_key(user=other, name="x")[1]})
    for method in (stranger.get, stranger.delete):
        assert method(f"{AT}/tasks/{task_id}").status_code == 400
    assert Client().get(f"{AT}/tasks/{task_id}").status_code == 401
    Task.objects.update(due_at=timezone.now())
    assert state(app, task_id)["status"] == "queued"
