"""A person and a program set the address, see every try, and send again what was theirs."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import courier, keys, outbox, webhooks
from memweb.gateway.models import Account, Attempt, Delivery, Lane, WebhookEndpoint

pytestmark = pytest.mark.django_db
AT = "/serve/api/v2/webhook"
HOOK = "http://127.0.0.1:8099/hook"


@pytest.fixture
def person(client: Client, settings: Any) -> User:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    user = User.objects.create_user("maya")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


@pytest.fixture
def account(person: User) -> Account:
    made = keys.account_of(user=person)
    webhooks.set_address(account_id=made.pk, url=HOOK)
    return made


@pytest.fixture
def program(person: User) -> Client:
    return Client(headers={"Authorization": keys.create_key(user=person, name="tests")[1]})


@transaction.atomic
def post(account: Account, body: bytes = b"{}", task: str = "t") -> Delivery:
    made = outbox.enqueue(account_id=account.pk, task_id=task, body=body)
    assert made is not None
    return made


def tried(delivery: Delivery, status: int | None, state: str = "waiting", excerpt: str = "") -> None:
    Attempt.objects.create(delivery=delivery, at=timezone.now(), ms=112, status=status, excerpt=excerpt)
    Delivery.objects.filter(pk=delivery.pk).update(state=state)


def test_an_address_is_set_and_its_secret_is_shown_once(client: Client, person: User) -> None:
    page = client.post("/settings/webhook/", {"url": HOOK}).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert re.search(r"<code id=\"secret\">(whsec_[^<]+)<", page.replace("&#x3D;", "="))
    assert endpoint.secret in page
    assert endpoint.secret not in client.get("/settings/webhook/").content.decode()
    assert endpoint.secret not in client.post("/settings/webhook/", {"url": HOOK}).content.decode()
    page = client.post("/settings/webhook/secret/").content.decode()
    endpoint.refresh_from_db()
    assert endpoint.secret in page
    assert endpoint.former_secret


@pytest.mark.parametrize(
    "url", ["", " ", "x", "ftp://127.0.0.1/", "http://10.0.0.1/", "http://u:p@/", "h" * 3000, "\0"]
)
def test_an_address_that_may_not_be_posted_to_is_refused_in_words(client: Client, person: User, url: str) -> None:
    answer = client.post("/settings/webhook/", {"url": url})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_pause_resume_test_and_removal(client: Client, account: Account) -> None:
    client.post("/settings/webhook/state/", {"state": "paused"})
    assert "Resume" in client.get("/settings/webhook/").content.decode()
    client.post("/settings/webhook/state/", {"state": "active"})
    assert WebhookEndpoint.objects.get().state == "active"
    assert client.post("/settings/webhook/trial/").headers["Location"].endswith("/deliveries/")
    assert Delivery.objects.get().lane.task_id.startswith("test-")
    client.post("/settings/webhook/removal/")
    assert not WebhookEndpoint.objects.exists()
    assert client.post("/settings/webhook/trial/").status_code == 404


@pytest.mark.parametrize("state", ["paused", "failing", "gone"])
def test_every_state_says_what_becomes_of_what_waits(client: Client, account: Account, state: str) -> None:
    WebhookEndpoint.objects.update(state=state)
    page = client.get("/settings/webhook/").content.decode()
    assert "waits" in page
    assert "Resume" in page


def test_deliveries_are_shown_with_every_try_and_in_these_words(client: Client, account: Account) -> None:
    tried(post(account, task="fine"), 200, "delivered", "<b>Noted</b>")
    late = post(account, task="late")
    tried(late, None, excerpt="No answer within 15 s.")
    tried(late, 503)
    Lane.objects.filter(task_id="late").update(due_at=timezone.now() + timedelta(minutes=4, seconds=30))
    tried(post(account, task="lost"), 500, "given_up")
    post(account, task="fresh")
    page = client.get("/settings/webhook/deliveries/").content.decode().replace("\xa0", " ")
    for words in ("Answered 200 in 112 ms", "Third try in 4 minutes, last got 503", "Given up after 1 try", "Waiting"):
        assert words in page
    assert "&lt;b&gt;Noted" in page
    assert "No answer within 15 s." in page
    assert "load delay:2s" in page
    assert "fine" not in client.get("/settings/webhook/deliveries/?state=waiting").content.decode().split("<main")[1]
    only = client.get("/settings/webhook/deliveries/?task=fine", headers={"HX-Request": "true"}).content.decode()
    assert "<main" not in only
    assert "late" not in only


@pytest.mark.parametrize("state", ["paused", "failing", "gone"])
def test_what_is_held_says_so_and_sending_it_now_promises_nothing(client: Client, account: Account, state: str) -> None:
    tried(post(account, task="late"), 503)
    fresh = post(account, task="fresh")
    WebhookEndpoint.objects.update(state=state)
    page = client.get("/settings/webhook/deliveries/").content.decode()
    assert "Waits until you resume, last got 503" in page
    assert page.count("Waits until you resume") == 2
    assert "try now" not in page
    assert "load delay:2s" not in page  # nothing will have changed
    said = client.post(f"/settings/webhook/deliveries/{fresh.pk}/replay/", follow=True).content.decode()
    assert "It waits until you resume" in said
    assert "It is sent again" not in said
    assert courier.claim(lease="x", most=9, busy={}) == []


def test_what_has_an_address_of_its_own_is_never_held(client: Client, account: Account) -> None:
    fresh = post(account, task="own")
    Lane.objects.update(url="https://own.example/")
    WebhookEndpoint.objects.update(state="paused")
    assert "Waits until you resume" not in client.get("/settings/webhook/deliveries/").content.decode()
    said = client.post(f"/settings/webhook/deliveries/{fresh.pk}/replay/", follow=True).content.decode()
    assert "It is sent again" in said


@pytest.mark.parametrize(
    "query", ["state=x", "task=%00", "before=x", "before=99999999999999999999", "task=" + "x" * 999]
)
def test_a_filter_that_makes_no_sense_harms_nothing(client: Client, account: Account, query: str) -> None:
    post(account)
    assert client.get(f"/settings/webhook/deliveries/?{query}").status_code == 200


def test_many_deliveries_are_shown_in_pages(client: Client, account: Account) -> None:
    for n in range(51):
        post(account, task=f"task-{n:02}")
    first = client.get("/settings/webhook/deliveries/").content.decode()
    assert "task-50" in first
    assert "task-00" not in first
    older = re.search(r'href="(\?state=[^"]*before=\d+)"', first)
    assert older is not None
    assert "task-00" in client.get("/settings/webhook/deliveries/" + older[1].replace("&amp;", "&")).content.decode()


def test_a_replay_is_due_at_once_and_somebody_elses_does_not_exist(client: Client, account: Account) -> None:
    delivery = post(account)
    tried(delivery, 500, "given_up")
    Lane.objects.update(due_at=None)
    assert client.post(f"/settings/webhook/deliveries/{delivery.pk}/replay/").status_code == 302
    assert len(courier.claim(lease="x", most=1, busy={})) == 1
    theo = User.objects.create_user("theo")
    foreign = Client()
    foreign.force_login(theo, backend="django.contrib.auth.backends.ModelBackend")
    assert foreign.post(f"/settings/webhook/deliveries/{delivery.pk}/replay/").status_code == 404
    assert b"no. 1" not in foreign.get("/settings/webhook/deliveries/").content


def data(answer: Any) -> Any:
    body = json.loads(answer.content)
    assert answer.status_code == 200, body
    assert (body["code"], body["msg"], body["success"], body["failed"]) == (200, "success", True, False)
    return body["data"]


def test_a_program_does_the_same_by_key(program: Client) -> None:
    assert data(program.get(AT)) is None
    made = data(program.put(AT, {"url": HOOK}, "application/json"))
    assert made["secret"] == WebhookEndpoint.objects.get().secret
    assert data(program.get(AT)) == {"url": HOOK, "state": "active", "failing_since": None, "secret": None}
    assert data(program.post(f"{AT}/secret"))["secret"] != made["secret"]
    assert data(program.post(f"{AT}/pause"))["state"] == "paused"
    assert data(program.post(f"{AT}/resume"))["state"] == "active"
    sent = data(program.post(f"{AT}/test"))
    assert (sent["number"], sent["state"], sent["attempts"]) == (1, "waiting", [])
    tried(Delivery.objects.get(), 500, "given_up", "Noted")
    [listed] = data(program.get(f"{AT}/deliveries?state=given_up&task_id={sent['task_id']}&limit=1"))
    assert listed["attempts"][0]["status"] == 500
    assert data(program.get(f"{AT}/deliveries?before={sent['id']}")) == []
    assert data(program.post(f"{AT}/deliveries/{sent['id']}/replay"))["state"] == "waiting"
    assert data(program.delete(AT)) is None
    assert data(program.get(AT)) is None


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"url": null}', '{"url": 7}', '{"url": "x"}', '{"url": "http://10.0.0.1/"}']
)
def test_a_program_is_refused_in_the_envelope(program: Client, body: str) -> None:
    answer = program.put(AT, body, "application/json")
    assert answer.status_code == 400
    assert json.loads(answer.content)["failed"] is True


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("post", "/secret"), ("post", "/pause"), ("post", "/resume"), ("post", "/test"),
        ("post", "/deliveries/1/replay"), ("post", "/deliveries/99999999999999999999/replay"),
        ("get", "/deliveries?limit=0"), ("get", "/deliveries?limit=x"), ("get", "/deliveries?state=lost"),
        ("get", "/deliveries?before=0"), ("get", "/deliveries?before=99999999999999999999"),
    ],
)  # fmt: skip
def test_what_is_not_there_or_makes_no_sense_is_400(program: Client, verb: str, path: str) -> None:
    assert getattr(program, verb)(AT + path).status_code == 400


def test_from_the_shell_the_secret_is_printed_alone(person: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("setwebhook", HOOK, user="maya")
    printed = capsys.readouterr().out
    assert printed == WebhookEndpoint.objects.get().secret + "\n"
    call_command("setwebhook", HOOK, user="maya")
    assert capsys.readouterr().out == printed
    call_command("setwebhook", none=True, user="maya")
    assert not WebhookEndpoint.objects.exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [([], {}, "--none"), ([HOOK], {"none": True}, "--none"), (["ftp://x/"], {}, "http"), ([HOOK], {"user": "x"}, "x")],
)
def test_the_shell_refuses_in_words(person: User, arguments: list[str], options: Any, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("setwebhook", *arguments, **({"user": "maya"} | options))
    assert not WebhookEndpoint.objects.exists()
