"""`/webhook`: where callbacks go, and what became of them. memweb's own: the hosted service has no such calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Path, Query, Router

from memweb.gateway import guard, webhooks
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.shapes import FAILURES, Answer, Shape
from memweb.gateway.doors import Refused
from memweb.gateway.models import Delivery, WebhookEndpoint

router = Router(tags=["webhook"])
MOST = 100


class Address(Shape):
    """Where to post."""

    url: Annotated[str, Field(min_length=1, max_length=guard.LONGEST_URL, examples=["https://example.org/hook"])]
    """An address that takes POST, and answers 2xx."""


class Webhook(Shape):
    """Where callbacks go. `secret` is told in the answer that made it, and never again."""

    url: str
    """Where callbacks go."""
    state: str
    """active, paused, failing (paused after a day of failures) or gone (the receiver answered 410)."""
    failing_since: datetime | None
    """Since when nothing was accepted; null where something was."""
    secret: str | None = None
    """Told in the answer that made it, and null ever after."""


class Try(Shape):
    """One try at a delivery. `status` is null where no answer came; `excerpt` then says why."""

    at: datetime
    """When it was tried."""
    ms: int
    """How long the answer took, in milliseconds."""
    status: int | None
    """The status of the answer; null where none came."""
    excerpt: str
    """How the answer begins, or why none came."""


class Posted(Shape):
    """One delivery."""

    id: int
    """What it is replayed by."""
    webhook_id: str
    """What it carries as webhook-id, at each try."""
    task_id: str
    """Which task or stream it tells of."""
    number: int
    """Which callback of that task it is, from 1."""
    state: str
    """waiting, delivered or given_up."""
    created_at: datetime
    """When there was something to tell."""
    attempts: list[Try]
    """Every try, in order."""


class Asked(Shape):
    """Which deliveries: the newest first, `before` an id, of one state or task."""

    state: Annotated[str, Field(pattern="^(waiting|delivered|given_up)?$")] = ""
    """Only those that are waiting, delivered or given_up."""
    task_id: Annotated[str, Field(max_length=64)] = ""
    """Only those of one task or stream."""
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    """Only those older than the one with this id."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 20
    """How many."""


@router.get("/webhook", response={200: Answer[Webhook | None], **FAILURES}, operation_id="get-webhook")
def get(request: HttpRequest) -> dict[str, Any]:
    """Where callbacks go; null where nowhere."""
    endpoint = webhooks.find(account_id=caller_of(request).account_id)
    return {"data": endpoint and _told(endpoint)}


@router.put("/webhook", response={200: Answer[Webhook], **FAILURES}, operation_id="set-webhook")
def put(request: HttpRequest, payload: Address) -> dict[str, Any]:
    """Post callbacks here from now on, also those that wait. A new address gets a new secret."""
    try:
        endpoint, secret = webhooks.set_address(account_id=caller_of(request).account_id, url=payload.url)
    except guard.Forbidden as error:
        raise Refused(400, f"url: {error}") from None
    return {"data": _told(endpoint, secret)}


@router.delete("/webhook", response={200: Answer[None], **FAILURES}, operation_id="remove-webhook")
def delete(request: HttpRequest) -> dict[str, Any]:
    """Post nowhere from now on. What waits is given up."""
    webhooks.remove(account_id=caller_of(request).account_id)
    return {"data": None}


@router.post("/webhook/secret", response={200: Answer[Webhook], **FAILURES}, operation_id="replace-webhook-secret")
def secret(request: HttpRequest) -> dict[str, Any]:
    """Another signing secret. The former one signs too for a day."""
    endpoint = _endpoint(request)
    return {"data": _told(endpoint, webhooks.replace_secret(endpoint=endpoint))}


@router.post("/webhook/pause", response={200: Answer[Webhook], **FAILURES}, operation_id="pause-webhook")
def pause(request: HttpRequest) -> dict[str, Any]:
    """Post nothing until resumed; what comes meanwhile waits."""
    webhooks.pause(endpoint=_endpoint(request))
    return {"data": _told(_endpoint(request))}


@router.post("/webhook/resume", response={200: Answer[Webhook], **FAILURES}, operation_id="resume-webhook")
def resume(request: HttpRequest) -> dict[str, Any]:
    """Post again, beginning at once with what waits."""
    webhooks.resume(endpoint=_endpoint(request))
    return {"data": _told(_endpoint(request))}


@router.post("/webhook/test", response={200: Answer[Posted], **FAILURES}, operation_id="test-webhook")
def test(request: HttpRequest) -> dict[str, Any]:
    """Post a callback without rows."""
    delivery = webhooks.send_test(endpoint=_endpoint(request))
    if delivery is None:
        raise Refused(400, "The receiver said that it is gone. Set its address again, or resume.")
    return {"data": _posted(delivery)}


@router.get("/webhook/deliveries", response={200: Answer[list[Posted]], **FAILURES}, operation_id="list-deliveries")
def deliveries(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    """What was posted and what waits, with every try, newest first."""
    rows = webhooks.deliveries(account_id=caller_of(request).account_id)
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.task_id:
        rows = rows.filter(lane__task_id=asked.task_id.replace("\0", ""))
    if asked.before:
        rows = rows.filter(pk__lt=asked.before)
    return {"data": [_posted(row) for row in rows[: asked.limit]]}


@router.post("/webhook/deliveries/{int:pk}/replay", response={200: Answer[Posted], **FAILURES}, operation_id="replay")
def replay(request: HttpRequest, pk: Annotated[int, Path(description="Which delivery: its id.")]) -> dict[str, Any]:
    """Post one again, with the id it had; one that waits is tried at once."""
    own = webhooks.deliveries(account_id=caller_of(request).account_id)
    delivery = own.filter(pk=pk).first() if pk < 2**63 else None
    if delivery is None:
        raise Refused(400, "There is no delivery with this id.")
    return {"data": _posted(webhooks.replay(delivery=delivery))}


def _endpoint(request: HttpRequest) -> WebhookEndpoint:
    endpoint = webhooks.find(account_id=caller_of(request).account_id)
    if endpoint is None:
        raise Refused(400, "No webhook is set.")
    return endpoint


def _told(endpoint: WebhookEndpoint, secret: str = "") -> dict[str, Any]:
    told = {"url": endpoint.url, "state": endpoint.state, "failing_since": endpoint.failing_since}
    return {**told, "secret": secret or None}


def _posted(delivery: Delivery) -> dict[str, Any]:
    names = ("id", "webhook_id", "number", "state", "created_at")
    tries = [
        {"at": one.at, "ms": one.ms, "status": one.status, "excerpt": one.excerpt} for one in delivery.attempts.all()
    ]
    return {name: getattr(delivery, name) for name in names} | {"task_id": delivery.lane.task_id, "attempts": tries}
