"""The transcription endpoints and their callbacks: real speech, the real engine, real rows."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from memweb import stopping
from memweb.accounts.models import User
from memweb.engines.errors import EngineFailed, EngineMissing, UnreadableAudio
from memweb.gateway import assets, keys, ledger, outbox, recognise, tasks, undertakings
from memweb.gateway.doors import Refused
from memweb.gateway.models import Account, Asset, Delivery, LedgerEntry, Task, WebhookEndpoint
from memweb.gateway.waiting import Room
from memweb.media import decode
from memweb.speech import envelope
from memweb.speech.dialects import batch
from memweb.speech.dialects.orders import Order
from memweb.speech.recognition import Hints, Recognised
from memweb.speech.transcript import Segment, Transcript, Word
from memweb.speech.voices import Turn
from memweb.upstream.address import internal_key
from tests.gateway import media
from tests.gateway.test_assets_are_kept_for_their_account import data
from tests.gateway.test_the_api_refuses_in_its_envelope import AT, refused

pytestmark = pytest.mark.django_db
CALLS = ("sync-generate-audio", "async-generate-audio", "sync-generate-speaker", "async-generate-speaker")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.ASSET_DIR = tmp_path / "assets"


@pytest.fixture
def owner() -> Account:
    return keys.account_of(user=User.objects.create_user("owner"))


@pytest.fixture
def client(owner: Account) -> Client:
    return Client(headers={"Authorization": keys.create_key(user=owner.user, name="tests")[1]})


@pytest.fixture
def hooked(owner: Account) -> WebhookEndpoint:
    """The owner's webhook."""
    return WebhookEndpoint.objects.create(account=owner, url="https://receiver.example/hook", secret="whsec_eA==")


def kept(account: Account, body: bytes, name: str = "a.wav") -> Asset:
    with assets.Incoming(10**9) as incoming:
        incoming.write(body)
        return assets.store(account_id=account.pk, name=name, incoming=incoming)


@pytest.fixture
def asset(owner: Account, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """6.78 s, kept without being looked at, which other tests see to."""
    with monkeypatch.context() as patch:
        patch.setattr(assets.Incoming, "look", lambda incoming: 6780)
        return kept(owner, media.wav(6.78))


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that reads the contract's own example, for tests of everything around it."""

    def found(path: Path, order: Order, progress: Any = None) -> Recognised:
        assert path.exists()
        if progress:
            progress(50)
        voices = ("0", "1") if order.speakers else (None, None)
        times = ((0, 2980, "Hello, how are you today?"), (2980, 6780, "I'm doing well, thank you."))
        segments = tuple(
            Segment(
                str(n),
                start,
                end,
                text,
                (Word(text, start, end, (0.9, None)[n], voices[n], estimated=n == 1),),
                voices[n],
            )
            for n, (start, end, text) in enumerate(times)
        )
        return Recognised(Transcript(segments, "en", 6780), heard_ms=6780)

    monkeypatch.setattr(undertakings, "recognise", found)
    turns = (Turn(0, 2980, "7"), Turn(2980, 6780, "2"))
    monkeypatch.setattr(undertakings, "turns_of", lambda path, progress=None, most=None: (turns, 6780))


def ask(client: Client, name: str, **body: Any) -> Any:
    return client.post(f"{AT}/transcriptions/{name}", body, "application/json")


# --- the examples of the contract -------------------------------------------------------------------


@pytest.mark.usefixtures("hooked")
@pytest.mark.parametrize("language", ["pt", ""])
def test_a_language_is_heard_as_asked_at_once_and_later(
    language: str, client: Client, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def found(path: Path, order: Order, progress: Any = None) -> Recognised:
        asked.append(order.hints.language)
        return Recognised(Transcript((), None, 6780), heard_ms=6780)

    monkeypatch.setattr(undertakings, "recognise", found)
    for name in ("sync-generate-audio", "async-generate-audio"):
        assert ask(client, name, asset_id=asset.asset_id, language=language).status_code == 200
    undertakings.KINDS["audio"].work(Task.objects.get(), lambda percent: None)
    assert asked == [language or None] * 2


@pytest.mark.usefixtures("two_lines")
def test_the_synchronous_answer_is_the_documented_one(client: Client, asset: Asset) -> None:
    answer = ask(client, "sync-generate-audio", asset_id=asset.asset_id, model="whisper-1", speaker=False)
    assert answer.json() == {
        "code": 200,
        "msg": "success",
        "data": {
            "model": "whisper-1",
            "items": [
                {"text": "Hello, how are you today?", "start_time": 0.0, "end_time": 2.98},
                {"text": "I'm doing well, thank you.", "start_time": 2.98, "end_time": 6.78},
            ],
        },
        "failed": False,
        "success": True,
    }
    again = data(ask(client, "sync-generate-audio", asset_id=asset.asset_id, speaker=True))
    assert [item["speaker"] for item in again["items"]] == ["SPEAKER_00", "SPEAKER_01"]


@pytest.mark.usefixtures("two_lines")
def test_the_app_itself_is_told_the_language_and_the_words_as_well(owner: Account, asset: Asset) -> None:
    app = Client(headers={"Authorization": internal_key(owner.user_id)})
    found = data(ask(app, "sync-generate-audio", asset_id=asset.asset_id))
    assert (found["language"], len(found["items"])) == ("en", 2)
    assert [item["words"] for item in found["items"]] == [
        [{"text": "Hello, how are you today?", "start": 0.0, "end": 2.98, "confidence": 0.9}],
        [{"text": "I'm doing well, thank you.", "start": 2.98, "end": 6.78, "estimated": True}],
    ]
    assert "language" not in data(ask(app, "sync-generate-speaker", asset_id=asset.asset_id))
    task_id = data(ask(app, "async-generate-audio", asset_id=asset.asset_id))["task_id"]
    tasks.run(pk=Task.objects.get(task_id=task_id).pk)
    assert data(app.get(f"{AT}/tasks/{task_id}"))["callback"]["data"] == found


@pytest.mark.usefixtures("two_lines", "hooked")
def test_who_is_not_the_app_is_told_no_words_at_once_later_or_called(client: Client, asset: Asset) -> None:
    """The contract's rows have a fixed shape, and clients of strict types fall over another key."""
    at_once = data(ask(client, "sync-generate-audio", asset_id=asset.asset_id))
    task_id = data(ask(client, "async-generate-audio", asset_id=asset.asset_id))["task_id"]
    tasks.run(pk=Task.objects.get(task_id=task_id).pk)
    later = data(client.get(f"{AT}/tasks/{task_id}"))["callback"]["data"]
    assert later == at_once | {"language": "en"}
    assert {name for item in later["items"] for name in item} == {"text", "start_time", "end_time"}
    assert b"words" not in bytes(Delivery.objects.get().body)


@pytest.mark.usefixtures("two_lines")
def test_speakers_are_rows_of_start_and_end(client: Client, asset: Asset) -> None:
    assert data(ask(client, "sync-generate-speaker", asset_id=asset.asset_id)) == {
        "model": "pyannote",
        "items": [
            {"start": 0.0, "end": 2.98, "speaker": "SPEAKER_00"},
            {"start": 2.98, "end": 6.78, "speaker": "SPEAKER_01"},
        ],
    }


@pytest.mark.usefixtures("hooked")
@pytest.mark.parametrize("speakers", [0, 3])
def test_as_many_voices_are_told_apart_as_was_asked_at_once_and_later(
    speakers: int, client: Client, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def found(pieces: Any, done: Any = None, most: int | None = None) -> tuple[Turn, ...]:
        asked.append(most)
        return tuple(Turn(1000 * number, 1000 * number + 900 - number, str(number)) for number in range(5))

    monkeypatch.setattr("memweb.engines.speakers.turns", found)
    at_once = data(ask(client, "sync-generate-speaker", asset_id=asset.asset_id, speakers=speakers))
    assert len({item["speaker"] for item in at_once["items"]}) == (speakers or 5)
    data(ask(client, "async-generate-speaker", asset_id=asset.asset_id, speakers=speakers))
    undertakings.KINDS["speaker"].work(Task.objects.get(), lambda percent: None)
    assert asked == [speakers or None] * 2
    assert "speakers" in refused(ask(client, "sync-generate-speaker", asset_id=asset.asset_id, speakers=-1), 400)


@pytest.mark.usefixtures("two_lines", "hooked")
@pytest.mark.parametrize(
    ("name", "options", "rows", "model"),
    [
        (
            "async-generate-audio",
            {"speaker": False},
            [
                {"text": "Hello, how are you today?", "start_time": 0.0, "end_time": 2.98, "speaker": None},
                {"text": "I'm doing well, thank you.", "start_time": 2.98, "end_time": 6.78, "speaker": None},
            ],
            "whisper-1",
        ),
        (
            "async-generate-speaker",
            {},
            [
                {"start": 0.0, "end": 2.98, "speaker": "SPEAKER_00"},
                {"start": 2.98, "end": 6.78, "speaker": "SPEAKER_01"},
            ],
            "pyannote",
        ),
    ],
)
def test_the_callback_is_the_documented_one(
    client: Client, asset: Asset, name: str, options: dict[str, Any], rows: list[Any], model: str
) -> None:
    task_id = data(ask(client, name, asset_id=asset.asset_id, **options))["task_id"]
    assert re.fullmatch("[0-9a-f]{32}", task_id)
    tasks.run(pk=Task.objects.get(task_id=task_id).pk)
    delivery = Delivery.objects.get(lane__task_id=task_id)
    assert json.loads(bytes(delivery.body)) == {
        "code": 200,
        "message": "SUCCESS",
        "task_id": task_id,
        "data": {"data": {"data": rows, "usage_metadata": {"duration": 6.78, "model": model}}},
    }
    task = Task.objects.get(task_id=task_id)
    assert (task.status, task.progress, task.result["model"]) == ("done", 100, model)


PUBLISHED = {
    "code": 200,
    "msg": "success",
    "data": {
        "language_code": "en",
        "language_probability": 0.98,
        "text": "Hello, how are you today? I'm doing well, thank you.",
        "words": [
            {"text": "Hello,", "start": 0.0, "end": 0.52, "type": "word", "speaker_id": "speaker_0"},
            {"text": " ", "start": 0.52, "end": 0.52, "type": "spacing"},
            {"text": "how", "start": 0.52, "end": 0.78, "type": "word", "speaker_id": "speaker_0"},
        ],
    },
    "failed": False,
    "success": True,
}  # fmt: skip
"""The page's answer, which shows the first words only."""


def has(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is there, as it is; lists may go on, and objects may say more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(name in found and has(found[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        return len(found) >= len(wanted) and all(map(has, found, wanted))
    return bool(found == wanted)


def test_the_published_example_of_elevenlabs_is_answered_as_published(
    client: Client, asset: Asset, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Order] = []

    def found(path: Path, order: Order, progress: Any = None, heard: Any = None) -> Recognised:
        asked.append(order)
        one, other = ("7", "2") if order.speakers else (None, None)
        times = (("Hello,", 0, 520), ("how", 520, 780), ("are", 780, 900), ("you", 900, 1100), ("today?", 1100, 1600))
        first = tuple(Word(*time, speaker=one) for time in times)
        texts = ("I'm", "doing", "well,", "thank", "you.")
        second = tuple(Word(text, 3000 + 300 * at, 3200 + 300 * at, speaker=other) for at, text in enumerate(texts))
        segments = tuple(
            Segment(str(n), words[0].start_ms, words[-1].end_ms, " ".join(word.text for word in words), words)
            for n, words in enumerate((first, second))
        )
        return Recognised(Transcript(segments, "en", 6780), language_confidence=0.98, heard_ms=6780)

    monkeypatch.setattr(recognise, "recognise", found)
    answer = ask(
        client, "speech-to-text", provider="elevenlabs", asset_id=asset.asset_id, model_id="scribe_v2",
        language_code="en", diarize=True, timestamps_granularity="word", num_speakers=2,
    )  # fmt: skip
    body = answer.json()
    assert has(body, PUBLISHED), body
    assert {word.get("speaker_id") for word in body["data"]["words"] if word["type"] == "word"} == {
        "speaker_0",
        "speaker_1",
    }
    assert not has(body | {"msg": "ok"}, PUBLISHED)
    [order] = asked
    assert (order.hints.language, order.speakers, order.most_speakers) == ("en", True, 2)
    entry = LedgerEntry.objects.get(account=owner)
    assert (entry.provider, entry.units) == ("elevenlabs", 7)  # by the second, at 0.39 an hour
    plain = data(ask(client, "speech-to-text", asset_id=asset.asset_id))
    assert not any("speaker_id" in word for word in plain["words"])


# --- bad input --------------------------------------------------------------------------------------


def test_async_without_a_webhook_is_refused_in_the_contracts_words(client: Client, asset: Asset) -> None:
    for name in ("async-generate-audio", "async-generate-speaker"):
        assert (
            refused(ask(client, name, asset_id=asset.asset_id), 400)
            == "An async request requires at least one webhook."
        )
    assert not Task.objects.exists()


@pytest.mark.usefixtures("hooked")
@pytest.mark.parametrize("name", CALLS)
def test_what_is_wrong_with_an_asset_is_told_in_the_contracts_words(client: Client, asset: Asset, name: str) -> None:
    other = keys.account_of(user=User.objects.create_user("other"))
    stranger = Asset.objects.create(account=other, asset_id="re_111111111111111111", name="a", status="SUCCESS")
    waiting = assets.expect(account_id=asset.account_id, name="a.mp3")
    assert refused(ask(client, name), 400) == "asset_id cannot be null or empty"
    assert refused(ask(client, name, asset_id=""), 400) == "asset_id cannot be null or empty"
    assert refused(ask(client, name, asset_id=None), 400) == "asset_id cannot be null or empty"
    for unknown in ("re_660727003963174912", "x", "💩", stranger.asset_id, waiting.asset_id):
        assert refused(ask(client, name, asset_id=unknown), 400) == "Request has exceeded the limit."
    for wrong in (5, [], {}, True, "x" * 65, "\x00", "\ud800"):
        assert "asset_id" in refused(ask(client, name, asset_id=wrong), 400)
    assert not Task.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.usefixtures("hooked", "two_lines")
@pytest.mark.parametrize("name", CALLS[:2])
@pytest.mark.parametrize("wrong", [{"model": "whisper-2"}, {"model": 1}, {"speaker": "x"}, {"speaker": []}])
def test_a_wrong_option_is_named(client: Client, asset: Asset, name: str, wrong: dict[str, Any]) -> None:
    said = refused(ask(client, name, asset_id=asset.asset_id, **wrong), 400)
    assert next(iter(wrong)) in said


@pytest.mark.parametrize("name", CALLS)
def test_wrong_requests_meet_the_same_door_everywhere(client: Client, name: str) -> None:
    path = f"{AT}/transcriptions/{name}"
    assert refused(Client().post(path, {"asset_id": "x"}, "application/json"), 401) == "Unauthorized"
    refused(client.get(path), 405)
    refused(client.post(path, "{", "application/json"), 400)
    refused(client.post(path, b"x", "text/plain"), 415)
    refused(client.post(path, {"asset_id": "x" * 3_000_000}, "application/json"), 413)


def test_a_revoked_key_opens_nothing(client: Client, asset: Asset, owner: Account) -> None:
    for key in owner.keys.all():
        keys.revoke_key(key=key)
    refused(ask(client, "sync-generate-audio", asset_id=asset.asset_id), 401)


def test_a_picture_and_a_broken_file_say_what_they_lack(client: Client, owner: Account) -> None:
    picture = kept(owner, b"\x89PNG\r\n\x1a\n" + bytes(99), "a.png")
    for name in ("sync-generate-audio", "sync-generate-speaker"):
        assert "picture" in refused(ask(client, name, asset_id=picture.asset_id), 400)
    assert not LedgerEntry.objects.exists()


def test_an_engine_that_is_missing_or_breaks_says_so(
    client: Client, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a status of the server's own, for clients take one of theirs as final."""
    for error, status in (
        (EngineMissing("No speech engine is installed."), 503),
        (EngineFailed("The speech engine stopped."), 500),
        (UnreadableAudio("The audio cannot be decoded."), 400),
    ):
        fails(monkeypatch, error)
        monkeypatch.setattr(undertakings, "turns_of", undertakings.recognise)
        for name in ("sync-generate-audio", "sync-generate-speaker"):
            assert refused(ask(client, name, asset_id=asset.asset_id), status) == str(error)
    fails(monkeypatch, FileNotFoundError("/a/path/nobody/is/told"))
    assert refused(ask(client, "sync-generate-audio", asset_id=asset.asset_id), 400) == undertakings.DELETED
    assert not LedgerEntry.objects.exists()


def test_too_many_at_once_are_told_to_come_again() -> None:
    room = Room(at_work=1, waiting=0)
    with room.served(), pytest.raises(Refused) as full, room.served():
        pass
    assert (full.value.status, full.value.retry_after) == (429, 15)
    with room.served():
        pass


# --- money ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("two_lines", "hooked")
@pytest.mark.parametrize(
    ("name", "options", "price"),
    [
        ("generate-audio", {}, "0.007"),
        ("generate-audio", {"speaker": True}, "0.014"),
        ("generate-speaker", {}, "0.007"),
    ],
)
def test_a_file_is_charged_by_the_second(
    client: Client, asset: Asset, owner: Account, name: str, options: dict[str, Any], price: str
) -> None:
    data(ask(client, f"sync-{name}", asset_id=asset.asset_id, **options))
    task_id = data(ask(client, f"async-{name}", asset_id=asset.asset_id, **options))["task_id"]
    tasks.run(pk=Task.objects.get().pk)
    tasks.run(pk=Task.objects.get().pk)  # a doorbell may ring twice
    assert [entry.amount for entry in LedgerEntry.objects.filter(account=owner)] == [Decimal(price)] * 2
    assert LedgerEntry.objects.filter(session=task_id).count() == 1


@pytest.mark.usefixtures("two_lines", "hooked")
@pytest.mark.parametrize("name", CALLS)
def test_without_the_balance_nothing_is_begun(client: Client, asset: Asset, owner: Account, name: str) -> None:
    ledger.set_balance(account_id=owner.pk, balance=Decimal("0.005"))
    entries = LedgerEntry.objects.count()
    refused(ask(client, name, asset_id=asset.asset_id), 402)
    assert LedgerEntry.objects.count() == entries
    assert not Task.objects.exists()


@pytest.mark.usefixtures("two_lines", "hooked")
@pytest.mark.parametrize("when", ["sync", "async"])
def test_a_balance_for_the_words_alone_is_none_for_the_speakers(
    client: Client, asset: Asset, owner: Account, when: str
) -> None:
    ledger.set_balance(account_id=owner.pk, balance=Decimal("0.010"))
    refused(ask(client, f"{when}-generate-audio", asset_id=asset.asset_id, speaker=True), 402)
    data(ask(client, f"{when}-generate-audio", asset_id=asset.asset_id))


@pytest.mark.usefixtures("two_lines", "hooked")
@pytest.mark.parametrize(("name", "options"), [("audio", {"speaker": True}), ("speaker", {})])
def test_tasks_that_were_begun_at_once_do_not_overdraw_the_balance(
    client: Client, asset: Asset, owner: Account, name: str, options: dict[str, Any]
) -> None:
    """Each could be paid for when it was asked for; the last ones no longer can when their turn comes."""
    price = ledger.file_price(provider="whisper-1", audio_ms=6780, speaker=name == "audio")
    ledger.set_balance(account_id=owner.pk, balance=2 * price)
    asked = [data(ask(client, f"async-generate-{name}", asset_id=asset.asset_id, **options)) for _ in range(4)]
    for task in Task.objects.order_by("pk"):
        tasks.run(pk=task.pk)
    owner.refresh_from_db()
    assert owner.balance == 0
    assert list(Task.objects.order_by("pk").values_list("status", flat=True)) == ["done"] * 2 + ["failed"] * 2
    last = envelope.read_callback(bytes(Delivery.objects.get(lane__task_id=asked[3]["task_id"]).body))
    assert last == envelope.TaskFailed(asked[3]["task_id"], 402, undertakings.NO_BALANCE)


# --- a task's life ----------------------------------------------------------------------------------


@pytest.fixture
def task(asset: Asset, hooked: WebhookEndpoint) -> Task:
    return tasks.create(account_id=asset.account_id, asset=asset, kind="audio", options={"speaker": False})


@pytest.mark.usefixtures("two_lines")
def test_two_workers_never_have_one_task(task: Task) -> None:
    assert tasks.take(pk=task.pk, holder="one")
    assert tasks.take(pk=task.pk, holder="two") is None
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert tasks.take(pk=task.pk, holder="two")
    with pytest.raises(tasks.LeaseLost):
        tasks.complete(pk=task.pk, holder="one", outcome=tasks.Outcome({}, b"{}", "whisper-1", 1000))
    assert not Delivery.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.usefixtures("two_lines")
def test_a_result_is_charged_and_told_together_or_not_at_all(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**given: Any) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue", broken)
        with pytest.raises(RuntimeError):
            tasks.run(pk=task.pk)
    assert not LedgerEntry.objects.exists()
    assert Task.objects.get().status == "queued"
    Task.objects.update(due_at=timezone.now())
    tasks.run(pk=task.pk)
    assert (LedgerEntry.objects.count(), Delivery.objects.count()) == (1, 1)


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(undertakings, "recognise", broken)


def told() -> envelope.Callback:
    return envelope.read_callback(bytes(Delivery.objects.get().body))


def test_a_failure_is_tried_again_and_then_told(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, EngineFailed("The speech engine stopped."))
    for attempt in range(1, tasks.ATTEMPTS + 1):
        assert not Delivery.objects.exists()
        Task.objects.update(due_at=timezone.now())
        tasks.run(pk=task.pk)
        assert Task.objects.get().attempts == attempt
    assert told() == envelope.TaskFailed(task.task_id, 500, "The speech engine stopped.")
    assert Task.objects.get().status == "failed"
    assert not LedgerEntry.objects.exists()


def test_what_can_come_to_nothing_is_told_at_once(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, decode.NotMedia("The file is damaged."))
    tasks.run(pk=task.pk)
    assert told() == envelope.TaskFailed(task.task_id, 500, "The file is damaged.")


def test_a_task_whose_asset_was_deleted_says_so(task: Task, asset: Asset) -> None:
    assets.delete(asset=asset)
    tasks.run(pk=task.pk)
    assert told() == envelope.TaskFailed(task.task_id, 500, undertakings.DELETED)


def test_a_worker_that_dies_again_and_again_is_told_too(task: Task) -> None:
    for _ in range(tasks.ATTEMPTS):
        assert tasks.take(pk=task.pk, holder=str(uuid.uuid4()))
        Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert tasks.take(pk=task.pk, holder="last") is None
    assert told() == envelope.TaskFailed(task.task_id, 500, tasks.GAVE_OUT)


@pytest.mark.usefixtures("two_lines")
def test_what_a_killed_worker_had_is_rung_for(task: Task) -> None:
    from django_tasks_db.models import DBTaskResult

    assert tasks.reap() == 0
    tasks.take(pk=task.pk, holder="one")
    assert tasks.reap() == 0
    Task.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    rung = DBTaskResult.objects.count()
    assert tasks.reap() == 1
    assert DBTaskResult.objects.count() == rung + 1
    assert DBTaskResult.objects.filter(queue_name="long").count() == rung + 1


def test_a_lease_that_was_lost_ends_the_work(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RENEW_EVERY_S", 0.01)
    monkeypatch.setattr(tasks, "renew", lambda **given: False)
    ended = []

    def long_work(path: Path, order: Order, progress: Callable[[int], None]) -> Any:
        for _ in range(2000):
            try:
                progress(10)
            except tasks.LeaseLost:
                ended.append(1)
                raise
            import time

            time.sleep(0.005)

    monkeypatch.setattr(undertakings, "recognise", long_work)
    tasks.run(pk=task.pk)
    assert ended == [1]
    assert not Delivery.objects.exists()


def test_a_lease_is_renewed_again_after_the_database_was_away(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RENEW_EVERY_S", 0.01)
    renew, broken, renewed = tasks.renew, [OperationalError("the database restarts")], threading.Event()

    def renew_or_not(**given: Any) -> bool:
        if broken:
            raise broken.pop()
        renewed.set()
        return renew(**given)

    monkeypatch.setattr(tasks, "renew", renew_or_not)
    seen: list[bool] = []

    def long_work(path: Path, order: Order, progress: Callable[[int], None]) -> Any:
        seen.append(renewed.wait(20))
        raise tasks.Useless("This file has no sound.")

    monkeypatch.setattr(undertakings, "recognise", long_work)
    tasks.run(pk=task.pk)
    assert (broken, seen) == ([], [True])


def test_the_first_per_cent_is_told_at_once(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RENEW_EVERY_S", 60.0)
    told = []

    def work(path: Path, order: Order, progress: Callable[[int], None]) -> Any:
        for percent in (0, 3, 4):
            progress(percent)
            told.append(Task.objects.get().progress)
        return Recognised(Transcript((), "en", 6780), heard_ms=6780)

    monkeypatch.setattr(undertakings, "recognise", work)
    tasks.run(pk=task.pk)
    assert told == [0, 3, 3]


def test_a_worker_that_is_to_end_puts_its_task_back_for_the_next_one(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long_work(path: Path, order: Order, progress: Callable[[int], None]) -> Any:
        progress(10)
        monkeypatch.setattr(stopping.stopping, "is_set", lambda: True)
        progress(11)
        raise AssertionError("it went on")

    monkeypatch.setattr(undertakings, "recognise", long_work)
    tasks.run(pk=task.pk)
    found = Task.objects.get()
    assert (found.status, found.attempts, found.lease_until) == ("queued", 0, None)
    assert not Delivery.objects.exists()
    assert tasks.take(pk=task.pk, holder="next"), "it is due at once"


def test_who_does_not_look_loses_the_task_all_the_same(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(path: Path, order: Order, progress: Callable[[int], None]) -> Any:
        tasks.put_back_all()
        return Recognised(Transcript((), "en", 6780), heard_ms=6780)

    monkeypatch.setattr(undertakings, "recognise", deaf)
    tasks.run(pk=task.pk)
    assert Task.objects.get().status == "queued"
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(("speakers", "told"), [(False, [0, 50, 99]), (True, [0, 25, 49, 50, 75, 99])])
def test_the_parts_of_a_reading_count_as_long_as_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speakers: bool, told: list[int]
) -> None:
    """Voices take as long as words."""

    def parts(progress: Any, shown: tuple[int, ...]) -> None:
        for percent in shown:
            progress(percent)

    def read(sound: Any, order: Order, channel: Any, found: Any, progress: Any, heard: Any) -> None:
        parts(progress, (0, 50, 99))

    def turns(sound: Any, order: Order, progress: Any) -> tuple[Turn, ...]:
        parts(progress, (0, 50, 99))
        return ()

    monkeypatch.setattr(recognise, "_read", read)
    monkeypatch.setattr(recognise, "_turns", turns)
    shown: list[int] = []
    recognise.recognise(tmp_path / "x", Order(raw=True, speakers=speakers), shown.append)
    assert shown == told


# --- real speech ------------------------------------------------------------------------------------


@pytest.mark.speech
def test_real_speech_in_a_video_becomes_real_words(tmp_path: Path, two_cities: bytes, owner: Account) -> None:
    """7 s of speech in an MP4: words, language, times; then a part of it, then bare PCM."""
    import numpy as np

    samples = np.frombuffer(two_cities[: 7 * 32_000], "<i2").reshape(1, -1)
    path = media.made(tmp_path / "speech.mp4", samples, rate=16_000)
    found = undertakings.text_of(kept(owner, path.read_bytes(), "speech.mp4"), speaker=True)
    said = " ".join(item["text"] for item in found.items).lower()
    assert "best of times" in said
    assert "worst of times" in said
    assert {item["speaker"] for item in found.items} == {"SPEAKER_00"}
    assert abs(found.audio_ms - 7000) < 200
    times = [(item["start_time"], item["end_time"]) for item in found.items]
    assert times == sorted(times)
    assert all(0 <= start < end <= 7.2 for start, end in times)
    bare = tmp_path / "bare.pcm"
    bare.write_bytes(two_cities[: 7 * 32_000])
    order = Order(hints=Hints("en"), raw=True, start_ms=2000, end_ms=5000)
    part = recognise.recognise(bare, order)
    assert (part.heard_ms, part.transcript.duration_ms, part.transcript.language) == (3000, 7000, "en")
    assert part.transcript.segments
    assert all(2000 <= one.start_ms < one.end_ms <= 5200 for one in part.transcript.segments)
    payload = {"items": found.items}
    assert batch.read("whisper-1", payload).transcript.text.lower().startswith(said[:20])
