"""The outbox: messages for webhooks, written in the very transaction that keeps the result they tell of.

Whoever has a result calls `enqueue`; `webhooks` delivers. The messages of one task are numbered as they are written and
leave in that order; the row of their lane is locked until the caller's transaction ends, so that numbers are
committed in order too.
"""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from memweb.gateway.models import Delivery, Lane, WebhookEndpoint


def has_webhook(account_id: int) -> bool:
    """Whether there is a receiver for what is asked for now. A paused one counts; one that said 410 does not."""
    return WebhookEndpoint.objects.filter(account_id=account_id).exclude(state=WebhookEndpoint.State.GONE).exists()


def enqueue(
    *, account_id: int, task_id: str, body: bytes, url: str = "", header: tuple[str, str] = ("", "")
) -> Delivery | None:
    """The message, which will be posted as `body` byte for byte; None for an account without a webhook.

    Where the receiver said 410 it waits with what came before it, as under a pause: whatever was begun while there was
    one is told, once the address is resumed or another is set.

    `url` and `header` (name, value) stand in for the account's endpoint, where a task named its own. Both are taken
    from the task's first message. Raises TransactionManagementError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("A delivery is written in the transaction of its result.")
    if not url and not WebhookEndpoint.objects.filter(account_id=account_id).exists():
        return None
    name, value = header
    lane, _ = Lane.objects.get_or_create(
        account_id=account_id,
        task_id=task_id,
        defaults={"url": url, "header_name": name, "header_value": value},
    )
    due = Coalesce("due_at", Value(timezone.now()))
    Lane.objects.filter(pk=lane.pk).update(last_number=F("last_number") + 1, due_at=due)
    lane.refresh_from_db(fields=["last_number"])
    webhook_id = f"msg_{secrets.token_hex(16)}"
    return Delivery.objects.create(lane=lane, number=lane.last_number, webhook_id=webhook_id, body=body)
