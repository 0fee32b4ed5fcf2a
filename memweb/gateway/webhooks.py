"""Where an account's callbacks go: set, paused, resumed and replaced here. `courier` delivers."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from memweb.gateway import guard, outbox, signature
from memweb.gateway.models import Delivery, Lane, WebhookEndpoint
from memweb.speech import envelope

OVERLAP = timedelta(hours=24)
"""After a secret was replaced, deliveries are signed with the former one too for so long."""
KEEP = timedelta(days=30)
"""What was delivered, or given up, is shown and can be replayed for so long."""
TEST_PREFIX = "test-"
State = WebhookEndpoint.State


def find(*, account_id: int) -> WebhookEndpoint | None:
    return WebhookEndpoint.objects.filter(account_id=account_id).first()


def set_address(*, account_id: int, url: str) -> tuple[WebhookEndpoint, str]:
    """Send this account's callbacks to `url` from now on, also those that wait; the secret where it is a new one.

    A new address has a new secret: the former receiver can forge nothing. Raises guard.Forbidden.
    """
    url = url.strip()
    guard.resolve(url)
    with transaction.atomic():
        return _set_address(account_id, url)


def _set_address(account_id: int, url: str) -> tuple[WebhookEndpoint, str]:
    endpoint = WebhookEndpoint.objects.select_for_update().filter(account_id=account_id).first()
    if endpoint is not None and endpoint.url == url:
        _resume(endpoint)
        return endpoint, ""
    secret = signature.new_secret()
    fresh = {"url": url, "secret": secret, "former_secret": "", "former_until": None}
    endpoint, _ = WebhookEndpoint.objects.update_or_create(account_id=account_id, defaults=fresh)
    _resume(endpoint)
    return endpoint, secret


def remove(*, account_id: int) -> None:
    """Tell nobody from now on. What still waits for the account's own address is given up."""
    with transaction.atomic():
        WebhookEndpoint.objects.filter(account_id=account_id).delete()
        lanes = Lane.objects.filter(account_id=account_id, url="", due_at__isnull=False)
        waiting = Delivery.objects.filter(lane__in=lanes, state=Delivery.State.WAITING)
        waiting.update(state=Delivery.State.GIVEN_UP)
        lanes.update(due_at=None, tries=0)


def replace_secret(*, endpoint: WebhookEndpoint) -> str:
    """A new signing secret. Both sign for a day, so that the receiver can change over."""
    endpoint.former_secret, endpoint.former_until = endpoint.secret, timezone.now() + OVERLAP
    endpoint.secret = signature.new_secret()
    endpoint.save(update_fields=["secret", "former_secret", "former_until"])
    return endpoint.secret


def pause(*, endpoint: WebhookEndpoint) -> None:
    """Deliver nothing until resumed; what comes meanwhile waits."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk, state=State.ACTIVE).update(state=State.PAUSED)


def resume(*, endpoint: WebhookEndpoint) -> None:
    """Deliver again, beginning at once with what waits."""
    with transaction.atomic():
        _resume(endpoint)


def _resume(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(state=State.ACTIVE, failing_since=None)
    waiting = Lane.objects.filter(account_id=endpoint.account_id, url="", due_at__isnull=False)
    waiting.update(due_at=timezone.now(), tries=0)
    endpoint.refresh_from_db()


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint) -> Delivery | None:
    """Put a callback without rows on its way; None where the receiver is gone."""
    if endpoint.state == State.GONE:
        return None
    task_id = TEST_PREFIX + secrets.token_hex(8)
    return outbox.enqueue(
        account_id=endpoint.account_id, task_id=task_id, body=envelope.rows_callback(task_id, [], 0.0, "test")
    )


@transaction.atomic
def replay(*, delivery: Delivery) -> Delivery:
    """Send this one again, now, with the id and the number it had; one that waits is tried at once."""
    Lane.objects.filter(pk=delivery.lane_id).update(due_at=timezone.now(), tries=0)
    Delivery.objects.filter(pk=delivery.pk).update(state=Delivery.State.WAITING)
    delivery.refresh_from_db()
    return delivery


def is_held(delivery: Delivery) -> bool:
    """Whether it goes nowhere for now: it is for the account's own address, which is paused, or gone."""
    endpoint = getattr(delivery.lane.account, "webhook", None)
    return not delivery.lane.url and (endpoint is None or endpoint.state != State.ACTIVE)


def deliveries(*, account_id: int) -> QuerySet[Delivery]:
    """This account's, newest first, with their lane and every attempt."""
    own = Delivery.objects.filter(lane__account_id=account_id)
    return own.select_related("lane__account__webhook").prefetch_related("attempts").order_by("-pk")


def sweep() -> int:
    """Forget what was delivered or given up long ago, and lanes that hold nothing more. How many deliveries."""
    before = timezone.now() - KEEP
    old = Delivery.objects.filter(created_at__lt=before).exclude(state=Delivery.State.WAITING)
    gone = old.delete()[1].get("gateway.Delivery", 0)
    Lane.objects.filter(created_at__lt=before, due_at=None, deliveries=None).delete()
    return gone
