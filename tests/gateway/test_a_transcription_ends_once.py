"""A transcription in the background is taken by one worker, outlives its death and ends once, with one bill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from memweb import stopping
from memweb.accounts.models import User
from memweb.gateway import deeds, guard, keys, outbox, transcribing
from memweb.gateway.guard import TooMuch
from memweb.gateway.models import Account, Delivery, LedgerEntry, Transcription, WebhookEndpoint
from memweb.gateway.providers import rest
from memweb.gateway.transcribing import Outcome
from memweb.stopping import LetGo
from tests.provider_simulator import KEY, Provider, Scripted

pytestmark = pytest.mark.django_db
DONE = Outcome({"text": "Hi."}, audio_ms=7_000)


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def account() -> Account:
    return keys.account_of(user=User.objects.create_user("alice"))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Which bells rang, for whom."""
    heard: list[tuple[str, int]] = []
    for name in ("ring", "watch"):
        monkeypatch.setattr(transcribing, name, _Bell(name, heard))
    return heard


class _Bell:
    def __init__(self, name: str, heard: list[tuple[str, int]]) -> None:
        self.name, self.heard = name, heard

    def using(self, **options: Any) -> _Bell:
        assert options["run_after"] > timezone.now()
        return self

    def enqueue(self, pk: int) -> None:
        self.heard.append((self.name, pk))


def begun(account: Account, provider: str = "assemblyai", **values: Any) -> Transcription:
    given = {"audio_url": "https://example.org/a.mp3", "asked": {}} | values
    return transcribing.begin(account_id=account.pk, provider=provider, **given)


def does(outcome: Outcome | Exception) -> Callable[[Transcription, Callable[[], None]], Outcome]:
    def work(taken: Transcription, beat: Callable[[], None]) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return work


def charged() -> list[tuple[str, str, int]]:
    return list(LedgerEntry.objects.filter(kind="file").values_list("session", "provider", "units"))


def test_the_end_is_kept_charged_and_told_once(account: Account, rung: Any) -> None:
    asked = {
        "webhook_url": "https://example.org/hook",
        "webhook_auth_header_name": "X-Secret",
        "webhook_auth_header_value": "open",
    }
    one = begun(account, asked=asked)
    transcribing.run(one.pk, does(DONE))
    transcribing.run(one.pk, does(Outcome({"text": "Again."}, audio_ms=9_000)))
    one.refresh_from_db()
    assert (one.state, one.result, one.leased_until) == ("completed", {"text": "Hi."}, None)
    assert charged() == [(one.transcription_id, "assemblyai", 7)]
    [delivery] = Delivery.objects.select_related("lane")
    assert json.loads(bytes(delivery.body)) == {"transcript_id": one.transcription_id, "status": "completed"}
    lane = delivery.lane
    assert (lane.url, lane.header_name, lane.header_value) == ("https://example.org/hook", "X-Secret", "open")


def test_the_end_is_kept_charged_and_told_together_or_not_at_all(
    account: Account, rung: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**given: Any) -> None:
        raise OperationalError("database is locked")

    one = begun(account, asked={"webhook_url": "https://example.org/hook"})
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue", broken)
        with pytest.raises(OperationalError):
            transcribing.run(one.pk, does(DONE))
    one.refresh_from_db()
    assert (one.state, one.result, charged()) == ("processing", None, [])
    Transcription.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    transcribing.run(one.pk, does(DONE))
    assert (len(charged()), Delivery.objects.count()) == (1, 1)


def test_elevenlabs_tells_the_accounts_webhook(account: Account, rung: Any) -> None:
    WebhookEndpoint.objects.create(account=account, url="https://example.org/all", secret="whsec_eA==")
    asked = {"webhook": ["true"], "webhook_metadata": ['{"id": 7}']}
    one, other = begun(account, "elevenlabs", asked=asked), begun(account, "elevenlabs", asked={"webhook": ["true"]})
    transcribing.run(one.pk, does(DONE))
    transcribing.run(other.pk, does(Outcome(error="No sound.")))
    first, second = (json.loads(bytes(one.body)) for one in Delivery.objects.order_by("pk"))
    assert first["type"] == second["type"] == "speech_to_text_transcription"
    assert first["data"] == {
        "request_id": one.transcription_id, "transcription": {"text": "Hi."}, "webhook_metadata": {"id": 7},
    }  # fmt: skip
    assert second["data"] == {"request_id": other.transcription_id, "transcription": None, "error": "No sound."}


def test_a_callback_that_cannot_be_written_undoes_no_end(
    account: Account, rung: Any, caplog: pytest.LogCaptureFixture
) -> None:
    WebhookEndpoint.objects.create(account=account, url="https://example.org/all", secret="whsec_eA==")
    one = begun(account, "elevenlabs", asked={"webhook": ["true"], "webhook_metadata": ['{"a":1}', ""]})
    transcribing.run(one.pk, does(DONE))
    one.refresh_from_db()
    assert (one.state, one.leased_until, charged()) == ("completed", None, [(one.transcription_id, "elevenlabs", 7)])
    assert not Delivery.objects.exists()
    assert "callback could not be written" in caplog.text


def test_a_failure_costs_nothing(account: Account, rung: Any) -> None:
    one = begun(account)
    transcribing.run(one.pk, does(Outcome(error="It is not sound.")))
    one.refresh_from_db()
    assert (one.state, one.error, charged()) == ("error", "It is not sound.", [])
    assert not Delivery.objects.exists()


def test_what_nobody_expected_ends_it_in_words(account: Account, rung: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = begun(account)
    transcribing.run(one.pk, does(ZeroDivisionError("secret words")))
    one.refresh_from_db()
    assert (one.state, one.error) == ("error", transcribing.UNEXPECTED)
    assert one.transcription_id in caplog.text


def test_a_worker_that_is_to_end_rings_for_the_next_one(account: Account, rung: list[tuple[str, int]]) -> None:
    one = begun(account)
    rung.clear()
    transcribing.run(one.pk, does(LetGo()))
    one.refresh_from_db()
    assert (one.state, one.attempts, one.leased_until, rung) == ("queued", 0, None, [("ring", one.pk)])
    transcribing.run(one.pk, does(DONE))
    one.refresh_from_db()
    assert one.state == "completed"


def test_who_beats_while_the_process_ends_lets_go(account: Account, rung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = begun(account)

    def work(taken: Transcription, beat: Callable[[], None]) -> Outcome:
        beat()
        monkeypatch.setattr(stopping.stopping, "is_set", lambda: True)
        beat()
        return DONE

    transcribing.run(one.pk, work)
    one.refresh_from_db()
    assert one.state == "queued"


def test_two_bells_are_one_work(account: Account, rung: Any) -> None:
    one = begun(account)

    def work(taken: Transcription, beat: Callable[[], None]) -> Outcome:
        transcribing.run(one.pk, does(AssertionError("a second worker has it")))
        return DONE

    transcribing.run(one.pk, work)
    one.refresh_from_db()
    assert (one.state, one.attempts) == ("completed", 1)


def test_a_killed_workers_is_taken_up_by_another_and_its_own_end_is_void(account: Account, rung: Any) -> None:
    one = begun(account)

    def killed(taken: Transcription, beat: Callable[[], None]) -> Outcome:
        Transcription.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        transcribing.run(one.pk, does(Outcome({"text": "By another."}, audio_ms=5_000)))
        return DONE

    transcribing.run(one.pk, killed)
    one.refresh_from_db()
    assert (one.result, one.attempts, len(charged())) == ({"text": "By another."}, 2, 1)


def test_a_download_keeps_the_lease(account: Account, rung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribing, "RENEW", timedelta(0))
    one = begun(account)

    def fetch(url: str, into: Any, *, beat: Callable[[], None], **most: Any) -> None:
        before = Transcription.objects.get().leased_until
        beat()
        after = Transcription.objects.get().leased_until
        assert before is not None
        assert after is not None
        assert after > before
        raise TooMuch("It is seen.")

    monkeypatch.setattr(guard, "fetch", fetch)
    transcribing.run(one.pk, deeds.work)
    one.refresh_from_db()
    assert one.error == "It is seen."


def test_a_lost_lease_stops_the_work(account: Account, rung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribing, "RENEW", timedelta(0))
    one = begun(account)
    leases: list[Any] = []

    def work(taken: Transcription, beat: Callable[[], None]) -> Outcome:
        leases.append(taken.leased_until)
        beat()
        leases.append(Transcription.objects.get().leased_until)
        Transcription.objects.update(lease="another's")
        beat()
        raise AssertionError("it went on")

    transcribing.run(one.pk, work)
    one.refresh_from_db()
    assert leases[1] > leases[0]
    assert (one.state, one.lease) == ("processing", "another's")


def test_what_kills_its_workers_is_given_up(account: Account, rung: Any) -> None:
    one = begun(account)
    Transcription.objects.update(
        state="processing", attempts=transcribing.ATTEMPTS, leased_until=timezone.now() - timedelta(seconds=1)
    )
    transcribing.run(one.pk, does(AssertionError("taken once more")))
    one.refresh_from_db()
    assert (one.state, one.error) == ("error", transcribing.GAVE_OUT)


def test_the_reaper_rings_for_what_nobody_hears(account: Account, rung: list[tuple[str, int]]) -> None:
    old = timezone.now() - timedelta(minutes=5)
    unheard, left, remote, fresh, held, done = (begun(account) for _ in range(6))
    change = Transcription.objects.filter
    change(pk=unheard.pk).update(created_at=old)
    change(pk=left.pk).update(state="processing", leased_until=old)
    change(pk=remote.pk).update(state="processing", leased_until=old, remote=True)
    change(pk=held.pk).update(state="processing", leased_until=timezone.now() + timedelta(minutes=1))
    change(pk=done.pk).update(state="completed", created_at=old)
    transcribing.reap()
    assert sorted(rung) == sorted([("ring", unheard.pk), ("ring", left.pk), ("watch", remote.pk)])
    assert fresh.pk not in {pk for _, pk in rung}


# What the real provider has


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with Provider() as running:
        settings.ASSEMBLYAI_API_KEY = settings.ELEVENLABS_API_KEY = KEY
        settings.ASSEMBLYAI_URL = settings.ELEVENLABS_URL = running.url
        yield running


def test_the_real_providers_is_watched_for_the_bill(
    account: Account, rung: list[tuple[str, int]], provider: Provider
) -> None:
    upstream = rest.bound("assemblyai")
    assert upstream is not None
    id = json.loads(rest.passed(upstream, "POST", "/v2/transcript", body=b'{"audio_url": "https://a.org"}').body)["id"]
    one = begun(account, remote_id=id)
    transcribing.run(one.pk, deeds.work)
    one.refresh_from_db()
    assert (one.state, rung) == ("processing", [("watch", one.pk)])
    Transcription.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    transcribing.run(one.pk, deeds.work)
    one.refresh_from_db()
    assert (one.state, one.result, charged()) == ("completed", None, [(id, "assemblyai", 7)])


@pytest.mark.parametrize("scripted", [
    Scripted(429, b""), Scripted(500, b""), Scripted(503, b""), Scripted(504, b""), Scripted(0), Scripted(401, b""),
    Scripted(200, b"{}", after_s=1.0),
])  # fmt: skip
def test_a_provider_that_is_away_for_a_while_is_asked_again(
    account: Account, rung: Any, provider: Provider, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client may have the words all the same, and is to be charged for them."""
    assert timedelta(seconds=rest.ASKED_S) < transcribing.LEASE
    monkeypatch.setattr(rest, "ASKED_S", 0.5)
    provider.waits = 0
    upstream = rest.bound("assemblyai")
    assert upstream is not None
    id = json.loads(rest.passed(upstream, "POST", "/v2/transcript", body=b'{"audio_url": "https://a.org"}').body)["id"]
    one = begun(account, remote_id=id)
    provider.script.append(scripted)
    transcribing.run(one.pk, deeds.work)
    one.refresh_from_db()
    assert (one.state, one.error, rung) == ("processing", "", [("watch", one.pk)])
    Transcription.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    transcribing.run(one.pk, deeds.work)
    one.refresh_from_db()
    assert (one.state, charged()) == ("completed", [(id, "assemblyai", 7)])


def test_a_watch_ends(account: Account, rung: Any, provider: Provider, settings: Settings) -> None:
    provider.waits = 99
    upstream = rest.bound("assemblyai")
    assert upstream is not None
    id = json.loads(rest.passed(upstream, "POST", "/v2/transcript", body=b'{"audio_url": "https://a.org"}').body)["id"]
    late = begun(account, remote_id=id)
    Transcription.objects.update(created_at=timezone.now() - timedelta(hours=5))
    transcribing.run(late.pk, deeds.work)
    late.refresh_from_db()
    assert "has not finished" in late.error
    provider.script.append(Scripted(500, b""))
    broken = begun(account, remote_id="0" * 32)
    Transcription.objects.update(created_at=timezone.now() - timedelta(hours=5))
    transcribing.run(broken.pk, deeds.work)
    broken.refresh_from_db()
    assert "failed with status 500" in broken.error
    unknown = begun(account, remote_id="2" * 32)
    transcribing.run(unknown.pk, deeds.work)
    unknown.refresh_from_db()
    assert "Not found" in unknown.error
    settings.ASSEMBLYAI_API_KEY = ""
    unbound = begun(account, remote_id="1" * 32)
    transcribing.run(unbound.pk, deeds.work)
    unbound.refresh_from_db()
    assert "key is not set" in unbound.error
    assert charged() == []
