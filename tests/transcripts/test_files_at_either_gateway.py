"""One suite, two gateways: a hosted one as documented, and the one built in with its engine, in processes of its own.

What only one of them can be made to do (faults of the hosted one, its callbacks) is asked of that one alone, in
`test_a_file_becomes_a_record`.
"""

from __future__ import annotations

import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from memweb.accounts.models import User
from memweb.upstream.address import gateway_for
from memweb.upstream.http import Client
from tests import media_files, running
from tests.gateway_stand_in import Row, StandIn
from tests.running import RunningServer
from tests.transcripts.test_a_file_becomes_a_record import job_of, send, state, text, work
from tests.waiting import until
from transcripts import jobs, search
from transcripts.hearing import transcription
from transcripts.hearing.refold import refold
from transcripts.models import Job, Message, Record, Recording, Segment

pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.speech, pytest.mark.timeout(600),
]  # fmt: skip
SECONDS = 7
PHRASES = ("best of times", "worst of times")


@dataclass(frozen=True)
class At:
    """The gateway of a test."""

    built_in: bool
    owner_id: int
    """By which number it knows the person."""


def said(sound: bytes) -> list[Row]:
    """What the hosted gateway hears: the words, unless the recording holds next to nothing."""
    if len(sound) < 10_000:
        return []
    return [
        {"text": "It was the best of times.", "start_time": 0.5, "end_time": 2.5},
        {"text": "It was the worst of times.", "start_time": 2.5, "end_time": 4.5},
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A whole memweb: its gateway is the one built in, for the app in this process."""
    with RunningServer(tmp_path_factory.mktemp("built-in"), worker=True) as started:
        yield started


@pytest.fixture(params=["hosted", "built_in"])
def gateway(request: pytest.FixtureRequest, settings: Any) -> Iterator[At]:
    if request.param == "hosted":
        with StandIn(ear=said, seconds=1.0, code="0000") as stand_in:
            settings.GATEWAY_URL, settings.GATEWAY_KEY = stand_in.url, stand_in.key
            yield At(built_in=False, owner_id=7)
        return
    server = request.getfixturevalue("server")
    settings.HOST, settings.PORT, settings.SECRET_KEY = "127.0.0.1", server.port, running.SECRET_KEY
    yield At(built_in=True, owner_id=int(server.ask("print(User.objects.get(username='owner').pk)")))


@pytest.fixture
def alice(gateway: At, transactional_db: None) -> User:
    return User.objects.create(pk=gateway.owner_id, username="alice")


@pytest.fixture
def tape(tmp_path: Path, wheel_speech: dict[str, Path]) -> Path:
    path = tmp_path / "two cities.wav"
    with wave.open(str(wheel_speech["two_cities"])) as whole, wave.open(str(path), "wb") as cut:
        cut.setparams(whole.getparams())
        cut.writeframes(whole.readframes(SECONDS * whole.getframerate()))
    return path


def heard(record: Record) -> list[str]:
    """Which of the phrases the shown text has."""
    words = " ".join(text(record)).lower()
    return [phrase for phrase in PHRASES if phrase in words]


def asset_is_there(owner: User, asset_id: str) -> bool:
    with Client(gateway_for(user_id=owner.pk)) as client:
        try:
            return bool(client.metadata(asset_id))
        except Exception:  # each says in its own way that there is none
            return False


def test_a_file_is_read_heard_and_kept(gateway: At, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    work()
    record.refresh_from_db()
    assert (record.title, record.status, state(record).words) == ("two cities", Record.Status.READY, "Ready")
    assert heard(record) == list(PHRASES)
    assert abs(Recording.objects.get(record=record).samples / 16_000 - SECONDS) < 0.1
    job = job_of(Job.Kind.TRANSCRIBE)
    assert (job.progress, job.gateway == "", job.begun_at is not None) == (100, gateway.built_in, True)
    assert not asset_is_there(alice, job.asset_id), "the gateway was not told to forget it"
    message = Message.objects.get()
    assert (message.dialect, b'"whisper-1"' in bytes(message.raw)) == ("batch:whisper-1", True)
    found = search.find(search.parse('"worst of times"'), owner_id=alice.pk)
    assert [group.record_id for group in found.groups] == [record.pk]
    assert record.language == ("en" if gateway.built_in else "")  # the hosted one's Whisper does not tell it
    named = search.restrict(search.parse("lang:en"), Record.objects.visible_to(alice), owner_id=alice.pk)
    assert named.exists() == gateway.built_in


@pytest.mark.parametrize("waited", [False, True])
def test_words_have_times_and_confidences_where_this_machine_heard_them(
    gateway: At, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch, waited: bool
) -> None:
    """As a task and on an open line; the hosted gateway's rows have none. Folded again, it is the same."""
    if waited:
        monkeypatch.setattr(Client, "task", lambda client, task_id: None)
    record = send(alice, tape).record
    assert record is not None
    work()
    lines = [(row.start_ms, row.end_ms, row.text, row.words) for row in Segment.objects.order_by("order")]
    assert lines
    for start_ms, end_ms, said, words in lines:
        assert " ".join(word[0] for word in words) == (said if gateway.built_in else "")
        times = [start_ms, *(at for word in words for at in word[1:3]), end_ms]
        assert times == sorted(times)
        assert all(0 < word[3] <= 1 and not word[4] for word in words)
    assert len({word[3] for _, _, _, words in lines for word in words}) > 5 or not gateway.built_in
    assert refold(record_id=record.pk) == 0
    Segment.objects.update(text="spoiled", words=[])
    assert refold(record_id=record.pk) == len(lines)
    assert lines == [(row.start_ms, row.end_ms, row.text, row.words) for row in Segment.objects.order_by("order")]


def test_a_provider_is_asked_by_its_own_name(gateway: At, alice: User, tape: Path) -> None:
    """At the gateway built in the machine's engine answers for it, in its shape: with words, and with the language."""
    record = send(alice, tape, provider="elevenlabs").record
    assert record is not None
    work()
    assert heard(record) == list(PHRASES)
    record.refresh_from_db()
    assert record.language == "en"
    assert sum(len(row.words) for row in Segment.objects.filter(version__record=record)) >= 10


def test_text_can_be_read_before_speakers_are_told(gateway: At, alice: User, tape: Path) -> None:
    record = send(alice, tape, speakers=0).record
    assert record is not None
    work(Job.Kind.PREPARE, Job.Kind.TRANSCRIBE)
    record.refresh_from_db()
    assert (record.status, heard(record)) == (Record.Status.READY, list(PHRASES))
    assert not Segment.objects.exclude(speaker=None).exists()
    work()
    assert state(record).words == "Ready"
    assert set(Segment.objects.values_list("speaker__label", flat=True)) >= {"SPEAKER_00"}
    assert not asset_is_there(alice, job_of(Job.Kind.SPEAKERS).asset_id)


def test_silence_becomes_a_record_that_says_so(gateway: At, alice: User, tmp_path: Path) -> None:
    record = send(alice, media_files.silence(tmp_path / "a.wav", 3)).record
    work()
    assert record is not None
    assert (state(record).words, state(record).reason) == ("Ready", transcription.NO_WORDS)


def test_one_that_is_stopped_on_its_way_keeps_nothing_and_can_be_taken_up(gateway: At, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    work(Job.Kind.PREPARE)

    def at_work() -> None:
        work()
        connection.close()

    worker = threading.Thread(target=at_work)
    worker.start()
    until(lambda: job_of(Job.Kind.TRANSCRIBE).asset_id)
    assert jobs.cancel(record_id=record.pk)
    worker.join(30)
    assert not worker.is_alive()
    found = state(record)
    assert (found.words.split(" at ")[0], found.can_retry, record.versions.count()) == ("Stopped", True, 0)
    jobs.retry(record_id=record.pk, job_id=found.retries)
    work()
    assert (state(record).words, heard(record)) == ("Ready", list(PHRASES))


def test_a_gateway_that_does_not_know_the_recording_is_given_it(gateway: At, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    work(Job.Kind.PREPARE)
    Job.objects.filter(kind=Job.Kind.TRANSCRIBE).update(asset_id="re_1", gateway=gateway_for(user_id=alice.pk).address)
    work()
    assert job_of(Job.Kind.TRANSCRIBE).asset_id != "re_1"
    assert heard(record) == list(PHRASES)
