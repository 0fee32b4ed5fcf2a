"""A pulled stream posts the provider's words in order, and ends once: stopped, full, unpaid, cut off or over."""

from __future__ import annotations

import asyncio
import itertools
import json
import wave
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, transaction
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import conductor, courier, keys, ledger, outbox, streams, webhooks
from memweb.gateway.conductor import Conductor
from memweb.gateway.models import Account, ApiKey, Delivery, Lane, LedgerEntry, StreamTask
from memweb.gateway.places import places
from memweb.gateway.providers.line import Line, LineFailed, LineFull
from memweb.gateway.station import Station
from memweb.speech import envelope
from tests.gateway import sources

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 12
VERBATIM = '{"message_type": "partial_transcript",  "text": "second %d \\u00e9 \u00e9"}'


class Script:
    """A provider that says one message for each whole second it hears; keeps what it was given."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.commits = 0
        self.query: Mapping[str, list[str]] = {}
        self.opened = 0
        self.fails_after: int | None = None
        self.full = False
        self.told_ms = 0
        self._said: asyncio.Queue[str | None] = asyncio.Queue()

    async def open(self, provider: str, query: Mapping[str, list[str]], session: str) -> Line:
        if self.full:
            raise LineFull("Every place is taken.")
        self.query, self._said, self.told_ms = query, asyncio.Queue(), 0
        self.opened += 1
        return self

    async def feed(self, sound: bytes) -> None:
        before = len(self.heard) // 32_000
        self.heard += sound
        for second in range(before, len(self.heard) // 32_000):
            self._said.put_nowait(VERBATIM % second)
            if second == self.fails_after:
                self._said.put_nowait(None)

    async def commit(self) -> None:
        self.commits += 1

    async def finish(self) -> None:
        self._said.put_nowait('{"message_type":"last"}')
        self._said.put_nowait(None)

    async def close(self) -> None:
        pass

    async def messages(self) -> AsyncIterator[str]:
        while (said := await self._said.get()) is not None:
            yield said
            self.told_ms += 1000
        if self.fails_after is not None:
            raise LineFailed("The provider broke.")


@pytest.fixture
def account(settings: Any) -> Account:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    made = keys.account_of(user=User.objects.create_user("alice"))
    webhooks.set_address(account_id=made.pk, url="http://127.0.0.1:8099/hook")
    return made


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it comes, not in real time."""
    monkeypatch.setattr(conductor, "LEAD_MS", 10**9)
    monkeypatch.setattr(conductor, "LOOK_S", 0.02)
    monkeypatch.setattr(conductor, "BACK_OFF_S", (0.05,))
    monkeypatch.setattr(conductor, "NEVER_S", 0.3)
    monkeypatch.setattr(conductor, "GONE_S", 0.5)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples that count, so that every place in it is known."""
    path = tmp_path_factory.mktemp("sounds") / "sound.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(b"".join((at // 16).to_bytes(2, "little", signed=True) for at in range(SECONDS * 16_000)))
    return path


@pytest.fixture
def web(recording: Path) -> Iterator[str]:
    with sources.web_server(recording.parent, {}, {}) as url:
        yield url


def queue(account: Account, url: str, **more: Any) -> StreamTask:
    caller = keys.Caller(account.pk, account.user_id, None, True)
    return streams.start(caller=caller, body={"audio_url": url, "provider": "elevenlabs", **more})


def conduct(script: Script, until: Callable[[], bool], lease: str = "one") -> None:
    """Let a conductor pull until this holds."""

    async def work() -> None:
        ended, at_work = asyncio.Event(), Conductor(lease, lambda: None, script.open)
        task = asyncio.create_task(at_work.run(ended))
        try:
            async with asyncio.timeout(90):
                while not await database_sync_to_async(until)():
                    await asyncio.sleep(0.01)
        finally:
            ended.set()
            await task
            await at_work.stop()

    asyncio.run(work())


def over() -> bool:
    return not StreamTask.objects.exclude(state="ended").exists()


def told() -> list[dict[str, Any]]:
    """What the callbacks say, in order; each is the documented envelope."""
    found = []
    for delivery in Delivery.objects.order_by("number"):
        body = json.loads(bytes(delivery.body))
        assert set(body) == {"code", "message", "task_id", "data"}
        assert (body["code"], body["message"]) == (200, "SUCCESS")
        found.append(body["data"])
    return found


def test_the_providers_words_are_posted_verbatim_then_the_end_once(account: Account, web: str) -> None:
    script = Script()
    stream = queue(account, f"{web}/sound.wav", language_code="en", diarize=True)
    conduct(script, over)
    bodies = [bytes(delivery.body).decode() for delivery in Delivery.objects.order_by("number")]
    assert [VERBATIM % second in body for second, body in enumerate(bodies[:SECONDS])] == [True] * SECONDS
    messages = told()
    assert [message["status"] for message in messages] == [0] * (SECONDS + 1) + [-1]
    assert all(message["message"] is None for message in messages[:-1])
    assert messages[-2]["transcript"] == {"message_type": "last"}
    assert messages[-1] == {"status": -1, "message": "Stream ended by its source", "transcript": None}
    assert len(script.heard) == SECONDS * 32_000
    assert script.query == {
        "language_code": ["en"], "diarize": ["true"], "audio_format": ["pcm_16000"], "commit_strategy": ["vad"]
    }  # fmt: skip
    stream.refresh_from_db()
    assert (stream.state, stream.status, stream.audio_ms) == ("ended", -1, SECONDS * 1000)


def test_each_five_seconds_are_charged_once(account: Account, web: str) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal(1))
    stream = queue(account, f"{web}/sound.wav")
    conduct(Script(), over)
    entries = LedgerEntry.objects.filter(session=stream.task_id).order_by("pk")
    assert list(entries.values_list("units", flat=True)) == [1, 2, 3]
    account.refresh_from_db()
    assert Decimal(1) - account.balance == Decimal("0.001625")  # 15 s at 0.39 an hour


def test_an_empty_balance_ends_it_within_one_unit(account: Account, web: str) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal("0.0011"))  # two units, and nothing more
    queue(account, f"{web}/sound.wav")
    script = Script()
    conduct(script, over)
    assert [message["status"] for message in told()].count(402) == 1
    assert told()[-1]["status"] == 402
    assert 10 * 32_000 - conductor.PIECE < len(script.heard) <= 10 * 32_000
    account.refresh_from_db()
    assert account.balance is not None
    assert 0 <= account.balance < Decimal("0.0005")


def test_a_stop_is_obeyed_and_14_is_the_last_word(account: Account, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "LEAD_MS", 1000)
    stream = queue(account, f"{web}/sound.wav")

    def stopped() -> bool:
        if Delivery.objects.exists() and StreamTask.objects.filter(stop_asked_at=None, state="running").exists():
            streams.stop(caller=keys.Caller(account.pk, account.user_id, None, True), task_id=stream.task_id)
        return over()

    script = Script()
    conduct(script, stopped)
    statuses = [message["status"] for message in told()]
    assert statuses[-1] == 14
    assert statuses.count(14) == 1
    assert told()[-1]["message"] == "Stream stopped by user"
    assert len(script.heard) < SECONDS * 32_000


def test_a_full_machine_says_16(account: Account, web: str) -> None:
    script = Script()
    script.full = True
    queue(account, f"{web}/sound.wav")
    conduct(script, over)
    assert told() == [{"status": 16, "message": "Every place is taken.", "transcript": None}]
    assert not LedgerEntry.objects.exclude(kind="balance").exists()


def test_an_account_whose_places_are_taken_by_live_sessions_is_told_16(
    account: Account, web: str, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.MAX_STREAMS = tmp_path, 1
    queue(account, f"{web}/sound.wav")
    with places.taken(account.pk):
        conduct(Script(), over)
    assert [one["status"] for one in told()] == [16]
    assert "This account may have 1" in told()[0]["message"]


def test_a_provider_that_breaks_ends_it_after_its_last_words(account: Account, web: str) -> None:
    script = Script()
    script.fails_after = 2
    queue(account, f"{web}/sound.wav")
    conduct(script, over)
    assert [message["status"] for message in told()][:3] == [0, 0, 0]
    assert told()[-1] == {"status": -1, "message": "The provider broke.", "transcript": None}


@pytest.mark.parametrize("path", ["/missing.wav", "/page.html"])
def test_a_source_that_is_none_ends_with_the_reason(account: Account, web: str, recording: Path, path: str) -> None:
    (recording.parent / "page.html").write_text("<html>No media</html>")
    queue(account, web + path)
    conduct(Script(), over)
    assert [message["status"] for message in told()][-1] == -1
    assert told()[-1]["message"] != envelope.SOURCE_ENDED


def test_only_the_asked_part_of_a_recording_is_heard(account: Account, web: str, recording: Path) -> None:
    script = Script()
    queue(account, f"{web}/sound.wav", audio_start_from=3000, audio_end_at=7500)
    conduct(script, over)
    with wave.open(str(recording)) as sound:
        sound.setpos(3 * 16_000)
        assert bytes(script.heard) == sound.readframes(int(4.5 * 16_000))


def test_a_source_that_comes_back_goes_on_and_the_gap_is_told(
    account: Account, recording: Path, tmp_path: Path
) -> None:
    mp3 = sources.encoded(tmp_path / "sound.mp3", recording, "libmp3lame", "mp3").read_bytes()
    visits = itertools.count()

    def radio() -> Iterator[bytes]:
        if next(visits) < 2:
            yield mp3

    script = Script()
    with sources.web_server(tmp_path, {}, {"/radio": radio}) as url:
        queue(account, f"{url}/radio")
        conduct(script, over)
    remarks = [message["message"] for message in told()[:-1] if message["message"]]
    assert len(remarks) == 1
    assert "missing" in remarks[0]
    assert script.commits >= 1
    assert 2 * SECONDS - 1 < len(script.heard) / 32_000 < 2 * SECONDS + 1
    assert told()[-1]["status"] == -1
    assert "did not come back" in told()[-1]["message"]


def test_a_killed_holders_stream_is_taken_up_where_it_was(account: Account, web: str, recording: Path) -> None:
    """A recording goes on after the last words told; nothing is charged twice, and the dead one says nothing more."""
    stream = queue(account, f"{web}/sound.wav")
    [taken] = streams.claim(lease="dead", most=5)
    assert streams.claim(lease="one", most=5) == []
    assert streams.charge(stream_id=taken.pk, lease="dead", audio_ms=5000)
    assert streams.charge(stream_id=taken.pk, lease="dead", audio_ms=5100)
    assert streams.tell(stream_id=taken.pk, lease="dead", messages=[(None, '{"n":1}')], told_ms=4000)
    StreamTask.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    script = Script()
    conduct(script, over)
    with wave.open(str(recording)) as sound:
        sound.setpos(4 * 16_000)
        assert bytes(script.heard) == sound.readframes(8 * 16_000), "what it was sent and had not told is heard again"
    assert not streams.tell(stream_id=taken.pk, lease="dead", messages=[(None, '{"n":2}')], told_ms=9000)
    assert not streams.end(stream_id=taken.pk, lease="dead", status=streams.StreamStatus.FAILED, message="", audio_ms=0)
    entries = LedgerEntry.objects.filter(session=stream.task_id).order_by("pk")
    assert list(entries.values_list("units", flat=True)) == [1, 2, 3]
    assert [message["status"] for message in told()].count(-1) == 1


@pytest.fixture
def mp3(recording: Path, tmp_path: Path) -> bytes:
    return sources.encoded(tmp_path / "sound.mp3", recording, "libmp3lame", "mp3").read_bytes()


@pytest.fixture
def other_mp3(recording: Path, tmp_path: Path) -> bytes:
    """The same backwards."""
    with wave.open(str(recording)) as sound, wave.open(str(tmp_path / "back.wav"), "wb") as back:
        back.setparams(sound.getparams())
        back.writeframes(np.frombuffer(sound.readframes(sound.getnframes()), "<i2")[::-1].tobytes())
    return sources.encoded(tmp_path / "back.mp3", tmp_path / "back.wav", "libmp3lame", "mp3").read_bytes()


def test_what_does_not_say_that_it_is_live_is_heard_on_after_a_drop(
    account: Account, tmp_path: Path, mp3: bytes, other_mp3: bytes
) -> None:
    visits = iter([[mp3], [other_mp3, b""]])
    script = Script()
    with sources.web_server(tmp_path, {}, {}, {"/talk": lambda: iter(next(visits))}) as url:
        queue(account, f"{url}/talk")
        conduct(script, over)
    assert told()[-1]["message"] == "Stream ended by its source"
    assert ["missing" in message["message"] for message in told()[:-1] if message["message"]] == [True]
    assert 2 * SECONDS - 1 < len(script.heard) / 32_000 < 2 * SECONDS + 1


def test_a_recording_that_does_not_say_so_is_heard_and_charged_once(
    account: Account, tmp_path: Path, mp3: bytes
) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal(1))
    visits = iter([[mp3[: len(mp3) // 2]], [mp3[: len(mp3) * 3 // 4]], [mp3, b""]])
    script = Script()
    with sources.web_server(tmp_path, {}, {}, {"/talk": lambda: iter(next(visits))}) as url:
        stream = queue(account, f"{url}/talk")
        conduct(script, over)
    assert [message["message"] for message in told()] == [None] * (len(told()) - 1) + ["Stream ended by its source"]
    assert SECONDS - 1 < len(script.heard) / 32_000 < SECONDS + 1
    assert [entry.units for entry in LedgerEntry.objects.filter(session=stream.task_id).order_by("pk")] == [1, 2, 3]


@pytest.mark.parametrize("goes_on", [True, False], ids=["live", "a recording"])
def test_what_does_not_say_what_it_is_is_known_again_by_the_next_holder(
    account: Account, tmp_path: Path, mp3: bytes, other_mp3: bytes, goes_on: bool
) -> None:
    visits = iter([[mp3[: len(mp3) * 3 // 4]], [other_mp3 if goes_on else mp3, b""]])
    heard_before, script = Script(), Script()
    with sources.web_server(tmp_path, {}, {}, {"/talk": lambda: iter(next(visits))}) as url:
        queue(account, f"{url}/talk")
        with pytest.MonkeyPatch.context() as patient:
            patient.setattr(conductor, "BACK_OFF_S", (90,))
            conduct(heard_before, lambda: len(heard_before.heard) > 8 * 32_000)
        told_before, told_ms = len(told()), StreamTask.objects.get().told_ms
        conduct(script, over, lease="two")
    remarks = [message["message"] for message in told()[told_before:-1] if message["message"]]
    assert remarks == ([envelope.gap(None)] if goes_on else [])
    rest = SECONDS if goes_on else SECONDS - told_ms / 1000
    assert rest - 1 < len(script.heard) / 32_000 < rest + 1


def killed(stream: StreamTask, lease: str, told_ms: int) -> bool:
    """One more holder, who tells as far as this and dies; False once there is nothing to take up."""
    if not streams.claim(lease=lease, most=1):
        return False
    assert streams.tell(stream_id=stream.pk, lease=lease, messages=[(None, '{"n":1}')], told_ms=told_ms)
    StreamTask.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    return True


def test_deaths_of_holders_count_only_while_nothing_new_is_told(account: Account, web: str) -> None:
    stream = queue(account, f"{web}/sound.wav")
    for death in range(3 * streams.ATTEMPTS):  # of long, healthy streams, over days
        assert killed(stream, f"holder {death}", (death + 1) * 1000)
    deaths = 0
    while killed(stream, f"other {deaths}", 15_000):
        deaths += 1
    assert deaths == streams.ATTEMPTS - 1, "the last that came further was the first of these"
    assert told()[-1]["message"] == "What pulled this stream stopped again and again."


def test_a_stream_dropped_on_a_database_error_is_not_held_for_ever(
    account: Account, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own process goes on renewing what it pulls, and must leave out what it pulls no more."""
    queue(account, f"{web}/sound.wav")
    charge, broken, script = streams.charge, [OperationalError("the database restarts")], Script()

    def charge_or_not(**given: Any) -> bool | None:
        if broken:
            raise broken.pop()
        return charge(**given)

    monkeypatch.setattr(streams, "charge", charge_or_not)
    monkeypatch.setattr(streams, "LEASE", timedelta(seconds=1))

    async def work() -> None:
        ended, at_work = asyncio.Event(), Conductor("one", lambda: None, script.open)
        task = asyncio.create_task(at_work.run(ended))
        async with asyncio.timeout(60):
            while not await StreamTask.objects.filter(state="ended").aexists():
                await at_work.renew()
                await asyncio.sleep(0.05)
        ended.set()
        await task
        await at_work.stop()

    asyncio.run(work())
    assert broken == []
    assert [message["status"] for message in told()][-1] == -1  # heard to its end
    assert script.opened == 2


def test_whoever_pulls_keeps_hold_of_its_streams_and_its_lanes(
    account: Account, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that ran out under a living holder would have one stream pulled twice."""
    queue(account, f"{web}/sound.wav")
    with transaction.atomic():
        outbox.enqueue(account_id=account.pk, task_id="t", body=b"{}")

    def leases() -> list[Any]:
        return [row.leased_until for model in (StreamTask, Lane) for row in model.objects.all()]

    async def work() -> None:
        station = Station()
        [stream] = await database_sync_to_async(streams.claim)(lease=station.lease, most=1)
        [(lane_id, _)] = await database_sync_to_async(courier.claim)(lease=station.lease, most=1, busy={})
        late = timezone.now() - timedelta(seconds=1)
        await StreamTask.objects.aupdate(leased_until=late)
        await Lane.objects.aupdate(leased_until=late)
        with monkeypatch.context() as in_hand:
            in_hand.setattr(station.conductor, "_runs", {stream.pk: None})
            in_hand.setattr(station.courier, "_carrying", {lane_id: None})
            renewing = asyncio.create_task(station._renew())
            async with asyncio.timeout(30):
                while min(await database_sync_to_async(leases)()) <= timezone.now():
                    await asyncio.sleep(0.01)
            station.ended.set()
            await renewing
        await station.courier.stop(0)

    asyncio.run(work())
    assert streams.claim(lease="two", most=1) == []


def test_nobody_renews_what_another_holds_or_what_has_ended(account: Account, web: str) -> None:
    queue(account, f"{web}/sound.wav")
    [taken] = streams.claim(lease="one", most=1)
    late = timezone.now() - timedelta(seconds=1)
    StreamTask.objects.update(leased_until=late)
    streams.renew(lease="two", stream_ids=[taken.pk])
    assert StreamTask.objects.get().leased_until == late
    assert streams.end(stream_id=taken.pk, lease="one", status=streams.StreamStatus.FAILED, message="", audio_ms=0)
    streams.renew(lease="one", stream_ids=[taken.pk])
    assert StreamTask.objects.get().leased_until is None


def test_the_asked_part_is_the_same_for_whoever_takes_it_up(account: Account, web: str, recording: Path) -> None:
    queue(account, f"{web}/sound.wav", audio_start_from=3000, audio_end_at=7500)
    [taken] = streams.claim(lease="dead", most=1)
    assert streams.charge(stream_id=taken.pk, lease="dead", audio_ms=2500)
    assert streams.tell(stream_id=taken.pk, lease="dead", messages=[(None, '{"n":1}')], told_ms=2000)
    StreamTask.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    script = Script()
    conduct(script, over)
    with wave.open(str(recording)) as sound:
        sound.setpos(5 * 16_000)
        assert bytes(script.heard) == sound.readframes(int(2.5 * 16_000))


def test_a_live_source_that_another_takes_up_is_told_with_its_gap(
    account: Account, recording: Path, tmp_path: Path
) -> None:
    """What was said meanwhile is gone: nothing is skipped, and nobody can tell how much is missing."""
    mp3 = sources.encoded(tmp_path / "sound.mp3", recording, "libmp3lame", "mp3").read_bytes()
    visits = itertools.count()

    def radio() -> Iterator[bytes]:
        if not next(visits):
            yield mp3

    script = Script()
    with sources.web_server(tmp_path, {}, {"/radio": radio}) as url:
        queue(account, f"{url}/radio")
        [taken] = streams.claim(lease="dead", most=1)
        assert streams.charge(stream_id=taken.pk, lease="dead", audio_ms=5000)
        assert streams.tell(stream_id=taken.pk, lease="dead", messages=[(None, '{"n":1}')], told_ms=4000)
        StreamTask.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        conduct(script, over)
    assert [message["message"] for message in told()[1:-1] if message["message"]] == [envelope.gap(None)]
    assert SECONDS - 1 < len(script.heard) / 32_000 < SECONDS + 1


def test_a_polite_end_lets_go_and_costs_no_attempt(account: Account, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "LEAD_MS", 1000)
    queue(account, f"{web}/sound.wav")
    conduct(Script(), Delivery.objects.exists)
    stream = StreamTask.objects.get()
    assert (stream.state, stream.lease, stream.attempts) == ("running", "", 0)
    said = len(told()) - 1  # one for each second, and the last one
    assert said * 1000 <= stream.audio_ms < said * 1000 + 1000 == stream.told_ms
    assert streams.claim(lease="two", most=1) == [stream]


def test_a_stream_that_kills_whoever_pulls_it_is_ended(account: Account, web: str) -> None:
    queue(account, f"{web}/sound.wav")
    for _ in range(streams.ATTEMPTS):
        assert len(streams.claim(lease="dead", most=1)) == 1
        StreamTask.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert streams.claim(lease="one", most=1) == []
    assert [message["status"] for message in told()] == [-1]


def test_a_revoked_key_ends_its_streams(account: Account, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "LEAD_MS", 1000)
    key, _ = keys.create_key(user=account.user, name="one")
    caller = keys.Caller(account.pk, account.user_id, key.pk, True)
    streams.start(caller=caller, body={"audio_url": f"{web}/sound.wav", "provider": "elevenlabs"})

    def revoked() -> bool:
        if Delivery.objects.exists():
            keys.revoke_key(key=ApiKey.objects.get())
        return over()

    conduct(Script(), revoked)
    assert told()[-1] == {"status": -1, "message": "The key is no longer valid.", "transcript": None}


@pytest.mark.parametrize("barred", ["streams_allowed", "is_active"])
def test_an_account_that_may_stream_no_more_ends_its_streams(
    account: Account, web: str, monkeypatch: pytest.MonkeyPatch, barred: str
) -> None:
    monkeypatch.setattr(conductor, "LEAD_MS", 1000)
    queue(account, f"{web}/sound.wav")

    def ended() -> bool:
        if Delivery.objects.exists():
            (User if barred == "is_active" else Account).objects.update(**{barred: False})
        return over()

    conduct(Script(), ended)
    assert told()[-1] == {"status": -1, "message": "The key is no longer valid.", "transcript": None}
