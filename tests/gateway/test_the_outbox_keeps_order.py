"""A message is written with its result or not at all, numbered within its task, and kept byte for byte."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from memweb.accounts.models import User
from memweb.gateway import courier, keys, outbox, webhooks
from memweb.gateway.models import Account, Delivery, Lane, WebhookEndpoint


def account_with_webhook(name: str = "alice") -> Account:
    account = keys.account_of(user=User.objects.create_user(name))
    WebhookEndpoint.objects.create(account=account, url="https://example.com/hook", secret="whsec_AAAA")
    return account


@pytest.mark.django_db
def test_messages_of_a_task_are_numbered_from_one_and_kept_as_they_came() -> None:
    account = account_with_webhook()
    bodies = [b'{"a": 1}', b"", b'{"a": 1}', "\u2028 \u00e9".encode()]
    made = [outbox.enqueue(account_id=account.pk, task_id="t1", body=body) for body in bodies]
    other = outbox.enqueue(account_id=account.pk, task_id="t2", body=b"{}")
    assert [(row.number, bytes(row.body)) for row in made if row] == list(enumerate(bodies, 1))
    assert other is not None
    assert other.number == 1
    assert len({row.webhook_id for row in [*made, other] if row}) == 5
    assert Lane.objects.exclude(due_at=None).count() == 2


@pytest.mark.django_db
def test_nothing_is_written_for_an_account_without_a_webhook() -> None:
    account = keys.account_of(user=User.objects.create_user("alice"))
    assert not outbox.has_webhook(account.pk)
    assert outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}") is None
    assert not Lane.objects.exists()
    named = outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}", url="https://example.com/own")
    assert named is not None
    assert named.lane.url == "https://example.com/own"


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "counts"), [("active", True), ("paused", True), ("failing", True), ("gone", False)])
def test_every_webhook_collects_and_nothing_new_is_begun_for_a_gone_one(state: str, counts: bool) -> None:
    account = account_with_webhook()
    WebhookEndpoint.objects.update(state=state)
    assert outbox.has_webhook(account.pk) is counts
    assert outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}") is not None, "what was begun before is told"
    assert (webhooks.send_test(endpoint=WebhookEndpoint.objects.get()) is not None) is counts


@pytest.mark.django_db
def test_one_account_with_much_to_say_leaves_room_for_the_others() -> None:
    talker, other = account_with_webhook("alice"), account_with_webhook("bob")
    for number in range(courier.MOST_OF_ONE_ACCOUNT + 4):
        outbox.enqueue(account_id=talker.pk, task_id=f"t{number}", body=b"{}")
    outbox.enqueue(account_id=other.pk, task_id="t", body=b"{}")
    taken = [account_id for _, account_id in courier.claim(lease="one", most=64, busy={})]
    assert sorted(taken) == sorted([talker.pk] * courier.MOST_OF_ONE_ACCOUNT + [other.pk])
    assert courier.claim(lease="two", most=64, busy={talker.pk: courier.MOST_OF_ONE_ACCOUNT}) == []


@pytest.mark.django_db(transaction=True)
def test_a_message_goes_with_its_transaction() -> None:
    account = account_with_webhook()
    with pytest.raises(transaction.TransactionManagementError):
        outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}")
    with transaction.atomic():
        outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}")
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_writers_of_one_task_leave_no_hole_and_no_double() -> None:
    account = account_with_webhook()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(5):
                with transaction.atomic():
                    outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}")
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert list(Delivery.objects.order_by("pk").values_list("number", flat=True)) == list(range(1, 21))
