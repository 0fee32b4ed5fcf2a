"""The receiver: what is answered with 200 is in the database, byte for byte; nothing else is, and nothing fails."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from memweb.accounts.models import User
from tests.transcripts import making
from tests.transcripts.posting import SIGNING_SECRET, request, signed
from transcripts import webhooks, writer
from transcripts.callbacks import hooks, letters
from transcripts.callbacks.inbox import Callback, Hook

pytestmark = pytest.mark.django_db(transaction=True)
BODY = b'{"code":200,"message":"SUCCESS","task_id":"t","data":{"status":0,"message":null,"transcript":{}}}'


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    writer.close()


@pytest.fixture
def path(alice: User) -> str:
    return hooks.path_of(alice)


async def kept() -> list[Callback]:
    return await sync_to_async(lambda: list(Callback.objects.all()))()


async def test_a_callback_is_stored_as_it_came(path: str, alice: User) -> None:
    answer = await request(path, BODY, headers={"Content-Type": "application/json", "Cookie": "private", "X-Odd": "1"})
    (callback,) = await kept()
    assert answer.status == 200
    assert bytes(callback.raw) == BODY
    assert callback.digest == hashlib.sha256(BODY).hexdigest()
    assert callback.owner_id == alice.pk
    assert callback.headers == {"content-type": "application/json"}
    assert callback.state == Callback.State.STORED
    assert abs(callback.arrived_at.timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"\xff\xfe\xfd", b'{"task_id":"\\ud800\\u0000"}', b"[" * 50_000, b"x" * 300_000],
    ids=["empty", "nul", "no text", "surrogate", "deep", "long"],
)
async def test_whatever_the_body_holds_is_kept_verbatim(path: str, body: bytes) -> None:
    assert (await request(path, body)).status == 200
    assert [bytes(callback.raw) for callback in await kept()] == [body]


async def test_a_wrong_secret_is_nothing_whatever_else_is_wrong(path: str) -> None:
    other = "/hooks/" + "x" * 43 + "/"
    for method in ("POST", "GET", "DELETE"):
        assert (await request(other, BODY, method=method)).status == 404
    for odd in ("/hooks/", "/hooks/short/", path + "more", "/hooks/" + "\u00e9" * 20 + "/"):
        assert (await request(odd, BODY)).status == 404
    assert not await kept()


async def test_only_posting_is_allowed(path: str) -> None:
    answer = await request(path, method="GET")
    assert answer.status == 405
    assert answer.headers[b"allow"] == b"POST"
    assert not await kept()


async def test_what_is_too_long_is_refused_before_or_while_it_is_read(path: str, settings: Any) -> None:
    settings.CALLBACK_LIMIT = 100_000
    assert (await request(path, b"", headers={"Content-Length": "100001"})).status == 413
    assert (await request(path, b"x" * 100_001)).status == 413
    assert (await request(path, b"x" * 100_000)).status == 200
    assert len(await kept()) == 1


async def test_a_delivery_that_comes_again_is_counted_and_kept_once(path: str) -> None:
    for _ in range(3):
        assert (await request(path, BODY, headers={"webhook-id": "msg_1"})).status == 200
    (callback,) = await kept()
    assert callback.repeats == 2


async def test_equal_bodies_of_different_deliveries_are_different_callbacks(path: str) -> None:
    posts = [request(path, BODY, headers={"webhook-id": f"msg_{n}", "memweb-sequence": str(n)}) for n in range(20)]
    assert {answer.status for answer in await asyncio.gather(*posts)} == {200}
    assert sorted(callback.sequence or 0 for callback in await kept()) == list(range(20))


async def test_callbacks_without_an_id_are_all_kept(path: str) -> None:
    await asyncio.gather(*(request(path, BODY) for _ in range(5)))
    assert len(await kept()) == 5


async def test_the_same_id_of_another_person_is_another_delivery(path: str, bob: User) -> None:
    other = await sync_to_async(hooks.path_of)(bob)
    for one in (path, other):
        await request(one, BODY, headers={"webhook-id": "msg_1"})
    assert len(await kept()) == 2


@pytest.mark.parametrize("sequence", ["", "-1", "1.5", "x", "9" * 30, "\u0661"])
async def test_a_sequence_that_is_none_is_left_out(path: str, sequence: str) -> None:
    headers = {"memweb-sequence": sequence.encode("utf-8").decode("latin-1")}
    assert (await request(path, BODY, headers=headers)).status == 200
    assert [callback.sequence for callback in await kept()] == [None]


# --- signatures ------------------------------------------------------------------------------------------


async def test_a_right_signature_is_noted_and_a_wrong_one_refused(path: str, settings: Any) -> None:
    settings.WEBHOOK_SECRETS = ["whsec_" + "b" * 40, SIGNING_SECRET]
    headers = signed(BODY, name="msg_1", at=int(time.time()))
    assert (await request(path, BODY, headers=headers)).status == 200
    assert (await request(path, BODY + b" ", headers=headers)).status == 401
    assert (await request(path, BODY, headers={**headers, "webhook-id": "msg_2"})).status == 401
    assert (await request(path, BODY, headers=signed(BODY, name="msg_3", at=int(time.time()) - 400))).status == 401
    assert (await request(path, BODY, headers={**headers, "webhook-timestamp": "soon"})).status == 401
    assert [callback.signed for callback in await kept()] == [True]


async def test_wrong_signatures_are_counted_in_few_writes(
    path: str, settings: Any, monkeypatch: pytest.MonkeyPatch, alice: User, client: Client
) -> None:
    settings.WEBHOOK_SECRETS = [SIGNING_SECRET]
    monkeypatch.setattr(webhooks, "NOTE_SECONDS", 0.5)
    noted: list[int] = []
    note = letters.note_refused

    def counted(refused: dict[str, tuple[int, datetime]]) -> None:
        noted.extend(count for count, _ in refused.values())
        note(refused)

    monkeypatch.setattr(letters, "note_refused", counted)
    began = timezone.now()
    for number in range(5):
        headers = signed(b"another", name=f"msg_{number}", at=int(time.time()))
        assert (await request(path, BODY, headers=headers)).status == 401
    assert (await request("/hooks/" + "x" * 43 + "/", BODY, headers=headers)).status == 404
    async with asyncio.timeout(10):
        while sum(noted) < 5:
            await asyncio.sleep(0.05)
    await asyncio.to_thread(writer.close)
    assert len(noted) <= 2
    hook = await Hook.objects.aget(user=alice)
    assert hook.refused == 5
    assert hook.refused_at is not None
    assert hook.refused_at >= began
    assert not await kept()
    await client.aforce_login(alice)
    shown = (await sync_to_async(client.get)("/settings/callbacks/")).content.decode()
    assert "Refused: 5, the last" in shown
    await sync_to_async(hooks.replace)(user=alice)
    assert "Refused:" not in (await sync_to_async(client.get)("/settings/callbacks/")).content.decode()


async def test_what_the_reference_library_signs_is_right(path: str, settings: Any) -> None:
    from datetime import UTC, datetime

    settings.WEBHOOK_SECRETS = [SIGNING_SECRET]
    now = datetime.now(UTC)
    made = Webhook(SIGNING_SECRET).sign("msg_1", now, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v2,x {made}",
    }
    assert (await request(path, BODY, headers=headers)).status == 200
    assert [callback.signed for callback in await kept()] == [True]


async def test_an_unsigned_callback_is_taken_by_its_secret_alone(path: str, settings: Any) -> None:
    settings.WEBHOOK_SECRETS = [SIGNING_SECRET]
    assert (await request(path, BODY)).status == 200
    assert [callback.signed for callback in await kept()] == [False]


async def test_a_signature_nobody_can_check_is_no_hindrance(path: str) -> None:
    assert (await request(path, BODY, headers=signed(BODY, name="msg_1", at=1))).status == 200
    assert [callback.signed for callback in await kept()] == [False]


# --- trouble ---------------------------------------------------------------------------------------------


async def test_many_at_once_share_a_few_commits(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    store = letters.store

    def counting(posted: Any) -> list[bool]:
        groups.append(len(posted))
        return store(posted)

    monkeypatch.setattr(letters, "store", counting)
    answers = await asyncio.gather(*(request(path, BODY) for _ in range(300)))
    assert {answer.status for answer in answers} == {200}
    assert len(await kept()) == sum(groups) == 300
    assert len(groups) <= 30


async def test_a_database_that_is_away_is_a_503_and_nothing_is_kept_twice(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "COMMIT_SECONDS", 0.3)
    store, away = letters.store, True

    def failing(posted: Any) -> list[bool]:
        if away:
            raise OperationalError("database is locked")
        return store(posted)

    monkeypatch.setattr(letters, "store", failing)
    answer = await request(path, BODY)
    assert answer.status == 503
    assert answer.headers[b"retry-after"] == b"5"
    away = False
    assert (await request(path, BODY)).status == 200  # the sender's retry
    assert len(await kept()) == 1


async def test_a_writer_that_gave_up_is_a_503(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.1)

    def away(posted: Any) -> list[bool]:
        raise OperationalError("gone")

    monkeypatch.setattr(letters, "store", away)
    assert (await request(path, BODY)).status == 503


async def test_more_than_memory_should_hold_is_a_503(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_HELD", 1000)
    answers = await asyncio.gather(*(request(path, b"x" * 400) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 200, 503, 503, 503]
    assert len(await kept()) == 2


async def test_a_sender_that_goes_away_or_dawdles_leaves_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BODY_SECONDS", 0.1)
    sent: list[dict[str, Any]] = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def dawdles() -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": []}
    await webhooks.application(scope, gone, send)
    assert not sent
    await webhooks.application(scope, dawdles, send)
    assert sent[0]["status"] == 408
    assert not await kept()


# --- the address -----------------------------------------------------------------------------------------


def test_the_secret_is_nowhere_in_the_clear(path: str) -> None:
    secret = path.split("/")[2]
    hook = Hook.objects.get()
    assert secret.encode() not in bytes(hook.sealed)
    assert secret not in hook.digest


def test_the_address_stays_until_it_is_replaced(alice: User, path: str) -> None:
    assert hooks.path_of(alice) == path
    hooks.replace(user=alice)
    assert hooks.path_of(alice) != path


async def test_a_replaced_address_is_unknown_at_once(alice: User, path: str) -> None:
    assert (await request(path, BODY)).status == 200
    await sync_to_async(hooks.replace)(user=alice)
    assert (await request(path, BODY)).status == 404
    assert (await request(await sync_to_async(hooks.path_of)(alice), BODY)).status == 200


async def test_nobody_posts_for_a_person_who_was_shut_out(alice: User, path: str) -> None:
    await sync_to_async(User.objects.filter(pk=alice.pk).update)(is_active=False)
    assert (await request(path, BODY)).status == 404


def test_the_address_is_printed_for_scripts(alice: User, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("hookurl", user="alice")
    assert capsys.readouterr().out == f"http://localhost:8000{path}\n"
    call_command("hookurl", user="alice", new=True)
    assert (
        capsys.readouterr().out == f"http://localhost:8000{hooks.path_of(alice)}\n" != f"http://localhost:8000{path}\n"
    )
    call_command("hookurl")
    assert capsys.readouterr().out.startswith("http://localhost:8000/hooks/")
    with pytest.raises(CommandError, match="alice"):
        call_command("hookurl", user="nobody")


def test_a_changed_secret_key_makes_a_new_address(alice: User, path: str, settings: Any) -> None:
    settings.SECRET_KEY = "another " * 10
    assert hooks.path_of(alice) != path
    assert making.person("carol")
