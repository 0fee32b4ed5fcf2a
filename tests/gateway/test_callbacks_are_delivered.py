"""What the outbox holds reaches the receiver: signed, in order within a task, until it says 2xx, and at least once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, transaction
from django.utils import timezone
from httpx._decoders import GZipDecoder
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from memweb.accounts.models import User
from memweb.gateway import courier, keys, outbox, webhooks
from memweb.gateway.courier import Courier, Letter, Outcome
from memweb.gateway.models import Account, Attempt, Delivery, Lane, WebhookEndpoint
from memweb.speech import envelope
from tests.gateway.receiver import Answer, Received, Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)
BODY = envelope.stream_callback("t", 0, transcript='{"text":"\u00e9 \\u00e9"}')
LATER = envelope.stream_callback("t", 0, transcript='{"text":"later"}')


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running


@pytest.fixture
def account(settings: Any, receiver: Receiver) -> Account:
    """Alice's account, whose callbacks go to the receiver."""
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    made = keys.account_of(user=User.objects.create_user("alice"))
    webhooks.set_address(account_id=made.pk, url=receiver.url)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of tries, without the hours between."""
    monkeypatch.setattr(courier, "SCHEDULE_S", (0.0,) * len(courier.SCHEDULE_S))
    monkeypatch.setattr(courier, "POLL_S", 0.01)


@transaction.atomic
def write(account: Account, *bodies: bytes, task: str = "t", **own: Any) -> list[Delivery]:
    made = [outbox.enqueue(account_id=account.pk, task_id=task, body=body, **own) for body in bodies]
    return [delivery for delivery in made if delivery is not None]


def deliver(seconds: float = 20.0, until: Any = None, lease: str = "one") -> None:
    """Let a courier work until nothing is due, or until `until` holds."""

    def over() -> bool:
        return bool(until()) if until else not Lane.objects.filter(due_at__lte=timezone.now()).exists()

    async def work() -> None:
        ended, at_work = asyncio.Event(), Courier(lease)
        task = asyncio.create_task(at_work.run(ended))
        deadline = time.monotonic() + seconds
        while not await database_sync_to_async(over)():
            assert time.monotonic() < deadline, "the courier is not done"
            await asyncio.sleep(0.02)
        ended.set()
        await task
        await at_work.stop(5.0)

    asyncio.run(work())


def secret(account: Account) -> str:
    return WebhookEndpoint.objects.get(account=account).secret


def test_a_delivery_is_the_envelope_byte_for_byte_with_a_signature_the_reference_package_accepts(
    account: Account, receiver: Receiver
) -> None:
    bodies = [BODY, envelope.rows_callback("t", [{"text": "Hello", "speaker": None}], 1.5, "whisper-1"), b""]
    made = write(account, *bodies)
    deliver()
    assert [received.body for received in receiver.got] == bodies
    assert [received.number for received in receiver.got] == [1, 2, 3]
    assert [received.headers["webhook-id"] for received in receiver.got] == [row.webhook_id for row in made]
    for received in receiver.got[:2]:
        assert received.headers["content-type"] == "application/json"
        assert Webhook(secret(account)).verify(received.body, received.headers) == json.loads(received.body)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret(account)).verify(received.body + b" ", received.headers)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert Lane.objects.get().due_at is None


def test_both_secrets_sign_while_one_is_replaced(account: Account, receiver: Receiver) -> None:
    before = secret(account)
    after = webhooks.replace_secret(endpoint=WebhookEndpoint.objects.get())
    write(account, BODY)
    deliver()
    for known in (before, after):
        Webhook(known).verify(receiver.got[0].body, receiver.got[0].headers)
    WebhookEndpoint.objects.update(former_until=timezone.now() - timedelta(seconds=1))
    write(account, BODY)
    deliver()
    Webhook(after).verify(receiver.got[1].body, receiver.got[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(before).verify(receiver.got[1].body, receiver.got[1].headers)


@pytest.mark.usefixtures("quick")
def test_a_failing_receiver_gets_the_same_id_again_and_nothing_overtakes(account: Account, receiver: Receiver) -> None:
    answers: list[Answer] = [500, 429, None, (302, {"location": receiver.url}), 404, 200, 201]
    receiver.says = lambda received: answers.pop(0)
    first, second = write(account, b'{"n":1}', b'{"n":2}')
    deliver()
    assert [received.headers["webhook-id"] for received in receiver.got] == 6 * [first.webhook_id] + [second.webhook_id]
    tried = list(Attempt.objects.filter(delivery=first).order_by("pk").values_list("status", "excerpt"))
    assert [status for status, _ in tried] == [500, 429, None, 302, 404, 200]
    assert tried[0][1] == "Noted"
    assert "connection failed" in tried[2][1]
    assert WebhookEndpoint.objects.get().failing_since is None


def test_a_receiver_that_is_slow_is_given_up_for_now(
    account: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "TIMEOUT_S", 0.2)
    receiver.says = lambda received: time.sleep(0.6) or 204  # type: ignore[func-returns-value]
    write(account, BODY)
    deliver(until=Attempt.objects.exists)
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.excerpt) == (None, "No answer within 0 s.")
    assert attempt.ms < 600


def test_a_packed_answer_is_not_unpacked(account: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def says(received: Received) -> Answer:
        asked.append(received.headers["accept-encoding"])
        return 200, {"content-encoding": "gzip, gzip"}

    receiver.says = says
    monkeypatch.setattr(GZipDecoder, "decode", lambda decoder, data: pytest.fail("it was unpacked"))
    write(account, BODY)
    deliver()
    assert asked == ["identity"]
    assert list(Attempt.objects.values_list("status", "excerpt")) == [(200, "")]


def test_each_failure_waits_as_the_table_says_and_the_last_gives_up(account: Account) -> None:
    """The whole table, on the rows themselves: three days cannot be waited for."""
    write(account, b"1", b"2")
    waits: list[float] = []
    for _ in range(len(courier.SCHEDULE_S) + 1):
        letter = _claimed()
        assert letter.number == 1
        courier.record(letter=letter, lease="one", outcome=Outcome(timezone.now(), 3, 503, ""))
        lane = Lane.objects.get()
        assert lane.due_at is not None
        waits.append((lane.due_at - timezone.now()).total_seconds())
        courier.release(lease="one")
        Lane.objects.update(due_at=timezone.now())
    assert waits[-1] < 1  # the next delivery of the task goes on at once
    for wait, planned in zip(waits, courier.SCHEDULE_S, strict=False):
        assert planned - 1 <= wait <= 1.1 * planned
    assert Delivery.objects.get(number=1).state == "given_up"
    assert Attempt.objects.count() == 10
    assert _claimed().number == 2


def _claimed() -> Letter:
    [(lane_id, _)] = courier.claim(lease="one", most=5, busy={})
    letter = courier.next_letter(lane_id=lane_id, lease="one")
    assert letter is not None
    return letter


def test_a_receiver_may_ask_for_more_time_than_the_table_gives(account: Account, receiver: Receiver) -> None:
    receiver.says = lambda received: (503, {"retry-after": "3600"})
    write(account, BODY)
    deliver()
    due = Lane.objects.get().due_at
    assert due is not None
    assert 3590 < (due - timezone.now()).total_seconds() < 3970


def test_410_ends_it_and_a_new_address_gets_what_waited_and_what_came(account: Account, receiver: Receiver) -> None:
    receiver.says = lambda received: 410
    write(account, BODY)
    deliver(until=Attempt.objects.exists)
    assert WebhookEndpoint.objects.get().state == "gone"
    assert not outbox.has_webhook(account.pk)
    write(account, LATER)  # of a task that was begun before
    assert not courier.due(timezone.now() + timedelta(days=9)).exists()
    with receiving(Receiver()) as other:
        _, fresh = webhooks.set_address(account_id=account.pk, url=other.url)
        deliver()
        Webhook(fresh).verify(other.got[0].body, other.got[0].headers)
        assert [received.body for received in other.got] == [BODY, LATER]


def test_a_new_address_is_signed_for_with_its_own_secret_alone(account: Account, receiver: Receiver) -> None:
    """The former receiver can forge nothing, even while a secret that was just replaced would still sign."""
    webhooks.replace_secret(endpoint=WebhookEndpoint.objects.get())
    with receiving(Receiver()) as other:
        _, fresh = webhooks.set_address(account_id=account.pk, url=other.url)
        write(account, BODY)
        deliver()
        assert len(other.got[0].headers["webhook-signature"].split()) == 1
        Webhook(fresh).verify(other.got[0].body, other.got[0].headers)


def test_an_address_that_fails_for_a_day_is_paused_and_resumed_by_hand(account: Account, receiver: Receiver) -> None:
    receiver.says = lambda received: 500
    write(account, BODY)
    deliver(until=Attempt.objects.exists)
    assert WebhookEndpoint.objects.get().state == "active"
    WebhookEndpoint.objects.update(failing_since=timezone.now() - courier.FAILING)
    Lane.objects.update(due_at=timezone.now())
    deliver(until=lambda: Attempt.objects.count() == 2)
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.state == "failing"
    write(account, BODY, task="later")
    assert not courier.due(timezone.now() + timedelta(days=9)).exists()
    receiver.says = lambda received: 200
    webhooks.resume(endpoint=endpoint)
    deliver()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_an_address_that_was_resumed_has_a_day_again(account: Account, receiver: Receiver) -> None:
    receiver.says = lambda received: 500
    endpoint = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(state="failing", failing_since=timezone.now() - courier.FAILING)
    webhooks.resume(endpoint=endpoint)
    write(account, BODY)
    deliver(until=Attempt.objects.exists)
    assert WebhookEndpoint.objects.get().state == "active"


def test_a_pause_holds_back_what_a_courier_has_in_hand(account: Account) -> None:
    write(account, BODY)
    [(lane_id, _)] = courier.claim(lease="one", most=5, busy={})
    webhooks.pause(endpoint=WebhookEndpoint.objects.get())
    assert courier.next_letter(lane_id=lane_id, lease="one") is None
    lane = Lane.objects.get()
    assert (lane.lease, lane.due_at is None) == ("", False), "let go, and still to be sent"


def test_while_paused_messages_wait(account: Account, receiver: Receiver) -> None:
    endpoint = WebhookEndpoint.objects.get()
    webhooks.pause(endpoint=endpoint)
    write(account, BODY)
    assert courier.claim(lease="one", most=5, busy={}) == []
    webhooks.resume(endpoint=endpoint)
    deliver()
    assert len(receiver.got) == 1


@pytest.mark.usefixtures("quick")
def test_a_stuck_task_holds_up_no_other(account: Account, receiver: Receiver) -> None:
    receiver.says = lambda received: 500 if b"stuck" in received.body else 200
    write(account, b'"stuck"', b'"after it"', task="stuck")
    for n in range(12):
        write(account, b'"fine"', task=f"fine-{n}")
    deliver(until=lambda: Delivery.objects.filter(state="delivered").count() == 13)
    states = dict(Delivery.objects.filter(lane__task_id="stuck").values_list("number", "state"))
    assert states == {1: "given_up", 2: "delivered"}


def test_a_tasks_own_address_that_says_410_is_tried_no_more(account: Account, receiver: Receiver) -> None:
    """That is no word about the account's own."""
    receiver.says = lambda received: 410
    write(account, BODY, url=receiver.url)
    deliver()
    assert (Delivery.objects.get().state, Attempt.objects.count()) == ("given_up", 1)
    assert WebhookEndpoint.objects.get().state == "active"


def test_a_task_may_name_an_address_and_a_header_of_its_own(account: Account, receiver: Receiver) -> None:
    WebhookEndpoint.objects.all().delete()
    write(account, BODY, url=receiver.url + "?own=1", header=("X-My-Secret", "s3cret"))
    deliver()
    assert receiver.got[0].path == "/hook?own=1"
    assert receiver.got[0].headers["x-my-secret"] == "s3cret"
    assert "webhook-signature" not in receiver.got[0].headers


def test_of_this_servers_own_addresses_only_the_door_for_callbacks_is_reached(
    account: Account, receiver: Receiver, settings: Any
) -> None:
    settings.ALLOW_PRIVATE_URLS, settings.HOST, settings.PORT = [], "127.0.0.1", receiver.port
    here = f"http://127.0.0.1:{receiver.port}"
    door = f"{here}/hooks/a-secret_1/"
    write(account, BODY, task="door", url=door)
    write(account, BODY, task="header", url=door, header=("Authorization", "sk-mem-x"))
    others = ("/serve/api/v2/upload", "/hooks/../serve/", "/hooks/%2e%2e/serve/", "/hooks/a/b", "/hooks/a/?b=c", "")
    for number, path in enumerate(others):
        write(account, BODY, task=f"other-{number}", url=here + path)
    deliver(until=lambda: Attempt.objects.count() == 2 + len(others))
    assert [received.path for received in receiver.got] == ["/hooks/a-secret_1/"]
    refused = Attempt.objects.filter(status=None).values_list("excerpt", flat=True)
    assert all("MEMWEB_ALLOW_PRIVATE_URLS" in excerpt for excerpt in refused)


def test_two_couriers_share_the_work_and_never_a_task(account: Account, receiver: Receiver) -> None:
    for n in range(6):
        write(account, *(b'"%d"' % i for i in range(5)), task=f"task-{n}")

    async def both() -> None:
        ended = asyncio.Event()
        couriers = [Courier("one"), Courier("two")]
        tasks = [asyncio.create_task(one.run(ended)) for one in couriers]
        while await Delivery.objects.filter(state="waiting").aexists():
            await asyncio.sleep(0.02)
        ended.set()
        await asyncio.gather(*tasks)
        for one in couriers:
            await one.stop(5.0)

    asyncio.run(asyncio.wait_for(both(), 30))
    assert len(receiver.got) == 30  # nobody died, so nothing came twice
    by_task: dict[str, list[int]] = {}
    for delivery in Delivery.objects.order_by("attempts__at").select_related("lane"):
        by_task.setdefault(delivery.lane.task_id, []).append(delivery.number)
    assert all(numbers == [1, 2, 3, 4, 5] for numbers in by_task.values())


def test_what_a_killed_courier_held_is_taken_up_when_its_lease_is_over(account: Account, receiver: Receiver) -> None:
    write(account, BODY)
    assert courier.claim(lease="dead", most=5, busy={}) != []
    assert courier.claim(lease="one", most=5, busy={}) == []
    courier.renew(lease="dead", lane_ids=[Lane.objects.get().pk])
    Lane.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    deliver()
    assert len(receiver.got) == 1


def test_a_lane_whose_outcome_could_not_be_kept_is_taken_up_again(
    account: Account, receiver: Receiver, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LEASE", timedelta(seconds=0.5))
    keep, broken = courier.record, [OperationalError("the database restarts")]

    def keep_or_not(**given: Any) -> bool:
        if broken:
            raise broken.pop()
        return keep(**given)

    monkeypatch.setattr(courier, "record", keep_or_not)
    write(account, BODY)

    async def work() -> None:
        ended, at_work = asyncio.Event(), Courier("one")
        task = asyncio.create_task(at_work.run(ended))
        async with asyncio.timeout(20):
            while await Delivery.objects.filter(state="waiting").aexists():
                await at_work.renew()
                await asyncio.sleep(0.05)
        ended.set()
        await task
        await at_work.stop(5.0)

    asyncio.run(work())
    assert [received.number for received in receiver.got] == [1, 1]  # at least once


def test_a_courier_that_lost_its_lane_decides_nothing_but_a_success_counts(account: Account) -> None:
    write(account, BODY)
    letter = _claimed()
    Lane.objects.update(lease="two")
    assert not courier.record(letter=letter, lease="one", outcome=Outcome(timezone.now(), 3, 500, ""))
    assert Lane.objects.get().tries == 0
    assert not courier.record(letter=letter, lease="one", outcome=Outcome(timezone.now(), 3, 200, ""))
    assert Delivery.objects.get().state == "delivered"


def test_an_address_that_turned_private_is_not_posted_to(account: Account, receiver: Receiver, settings: Any) -> None:
    settings.ALLOW_PRIVATE_URLS = []
    write(account, BODY)
    deliver(until=Attempt.objects.exists)
    assert receiver.got == []
    assert "MEMWEB_ALLOW_PRIVATE_URLS" in Attempt.objects.get().excerpt


def test_a_removed_address_gives_up_what_waits(account: Account, receiver: Receiver) -> None:
    write(account, BODY)
    webhooks.remove(account_id=account.pk)
    assert write(account, BODY) == []
    assert list(Delivery.objects.values_list("state", flat=True)) == ["given_up"]
    webhooks.set_address(account_id=account.pk, url=receiver.url)
    webhooks.replay(delivery=Delivery.objects.get())
    deliver()
    assert [received.number for received in receiver.got] == [1]


def test_a_replay_has_the_id_and_number_it_had(account: Account, receiver: Receiver) -> None:
    first, _ = write(account, b'"1"', b'"2"')
    deliver()
    webhooks.replay(delivery=first)
    deliver()
    assert [received.number for received in receiver.got] == [1, 2, 1]
    assert receiver.got[2].headers["webhook-id"] == first.webhook_id
    assert Attempt.objects.filter(delivery=first).count() == 2


def test_what_is_a_month_old_is_forgotten_unless_it_waits(account: Account) -> None:
    write(account, BODY, BODY)
    write(account, BODY, task="done")
    Delivery.objects.filter(lane__task_id="done").update(state="delivered")
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    Lane.objects.update(created_at=timezone.now() - timedelta(days=31))
    Lane.objects.filter(task_id="done").update(due_at=None)
    assert webhooks.sweep() == 1
    assert list(Lane.objects.values_list("task_id", flat=True)) == ["t"]


def test_a_test_delivery_reads_as_a_callback_without_rows(account: Account, receiver: Receiver) -> None:
    webhooks.send_test(endpoint=WebhookEndpoint.objects.get())
    deliver()
    read = envelope.read_callback(receiver.got[0].body)
    assert isinstance(read, envelope.TaskRows)
    assert read.rows == ()
    assert read.task_id.startswith("test-")
