"""From a whole upload to a record that can be read and heard, at a hosted gateway as documented."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from memweb.accounts.models import User
from memweb.speech import transcript as speech
from memweb.speech.transcript import Transcript
from memweb.upstream.http import TaskState
from tests import media_files
from tests.gateway_stand_in import Fault, StandIn
from tests.transcripts import making
from tests.transcripts.making import line
from transcripts import jobs, search, services, tasks, uploads
from transcripts.callbacks import calls
from transcripts.errors import LibraryError
from transcripts.files import asked, importing, preparing, queue
from transcripts.hearing import speakers, transcription
from transcripts.hearing.refold import refold
from transcripts.jobs import Lease
from transcripts.models import Edit, Job, Message, Record, Recording, Segment, Upload, Version
from transcripts.recordings import audio_path
from transcripts.shown import wording

# Leases are renewed by a thread of their own, which no transaction of the test may hold up.
pytestmark = pytest.mark.django_db(transaction=True)
WORK: dict[str, Callable[[Lease], None]] = {
    Job.Kind.PREPARE: preparing.prepare,
    Job.Kind.TRANSCRIBE: transcription.transcribe,
    Job.Kind.SPEAKERS: speakers.tell,
}


@pytest.fixture
def hosted(settings: Any) -> Iterator[StandIn]:
    with StandIn() as stand_in:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = stand_in.url, stand_in.key
        yield stand_in


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return media_files.make(tmp_path / "tape 1.mp3", media_files.tone(5))


def send(owner: User, path: Path, **options: Any) -> Upload:
    upload = uploads.begin(owner_id=owner.pk, name=path.name, size=path.stat().st_size, options=options)
    uploads.append(upload_id=upload.pk, offset=0, pieces=[path.read_bytes()])
    return uploads.take(upload_id=upload.pk)


def work(*kinds: str) -> None:
    """Do what waits, of these kinds or all, until nothing does or it has failed."""
    for _ in range(9):
        waiting = Job.objects.filter(status=Job.Status.QUEUED, due_at__lte=timezone.now(), kind__in=kinds or list(WORK))
        job = waiting.order_by("id").first()
        if job is None:
            return
        jobs.run(job_id=job.pk, work=WORK[job.kind])


def job_of(kind: str) -> Job:
    return Job.objects.filter(kind=kind).latest("id")


def state(record: Record) -> wording.State:
    record.refresh_from_db()
    return wording.state_of(record, record.jobs.order_by("id"), edited=False, now=timezone.now())


def text(record: Record) -> list[str]:
    record.refresh_from_db()
    assert record.current_version is not None
    return [row.text for row in record.current_version.segments.shown()]


def test_a_file_is_read_heard_and_kept(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    assert (state(record).words, state(record).can_cancel) == ("Queued", True)
    work()
    record.refresh_from_db()
    assert (record.title, record.status, state(record).words) == ("tape 1", Record.Status.READY, "Ready")
    assert text(record) == ["It was the best of times.", "It was the worst of times."]
    recording = Recording.objects.get(record=record)
    assert 4.8 < recording.samples / 16_000 < 5.3
    assert len(recording.peaks) == -(-recording.samples // 1600)
    assert record.duration_ms == recording.samples * 1000 // 16_000
    (name, sound) = hosted.asked[0].body["file"]
    assert hosted.assets == {}, "the gateway was not told to forget it"
    assert name.endswith(".flac")
    assert sound == audio_path(recording).read_bytes()
    assert not uploads.path_of(Upload.objects.get().pk).exists()


def test_the_answer_is_kept_as_it_came(hosted: StandIn, alice: User, tape: Path) -> None:
    send(alice, tape)
    work()
    message = Message.objects.get()
    assert message.dialect == "batch:whisper-1"
    answer = json.loads(bytes(message.raw))
    assert (answer["msg"], answer["data"]["model"]) == ("success", "whisper-1")


@pytest.mark.parametrize(("provider", "words"), [("elevenlabs", 10), ("assemblyai", 10)])
def test_a_provider_hears_with_words_and_speakers(
    hosted: StandIn, alice: User, tape: Path, provider: str, words: int
) -> None:
    more = {"tag_audio_events": False} if provider == "elevenlabs" else {"auto_chapters": True}
    record = send(alice, tape, provider=provider, language="en", speakers=2, more=more).record
    work()
    assert record is not None
    rows = list(Segment.objects.filter(version__record=record).select_related("speaker"))
    assert sum(len(row.words) for row in rows) >= words
    assert len({row.speaker_id for row in rows}) == 2
    asked = hosted.asked[-2].body
    assert asked["provider"] == provider
    assert asked.items() >= more.items()
    assert asked.get("num_speakers", asked.get("speakers_expected")) == 2
    assert not Job.objects.filter(kind=Job.Kind.SPEAKERS).exists()


def test_text_can_be_read_before_speakers_are_told(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape, speakers=0).record
    assert record is not None
    work(Job.Kind.PREPARE, Job.Kind.TRANSCRIBE)
    record.refresh_from_db()
    assert (record.status, len(text(record))) == (Record.Status.READY, 2)
    assert state(record).words == "Telling speakers apart"
    work()
    assert [str(row.speaker) for row in Segment.objects.select_related("speaker")] == ["SPEAKER_00", "SPEAKER_01"]
    assert hosted.paths().count("POST /upload") == 1


def test_speakers_are_those_of_the_text_they_were_asked_for(hosted: StandIn, alice: User, tape: Path) -> None:
    """Whatever comes into the record before they are told: captions of another tool, or what another provider heard."""
    record = send(alice, tape, speakers=0).record
    assert record is not None
    hosted.faults.append(Fault("/sync-generate-speaker", 402))
    work()
    failed = state(record).retries
    importing.as_version(record=record, name="a.srt", transcript=Transcript((line("0", 0, "Brought in."),)))
    services.transcribe_again(record_id=record.pk, options={"provider": "elevenlabs", "speakers": 2})
    work()
    jobs.retry(record_id=record.pk, job_id=failed)
    work()

    def voices() -> list[list[str | None]]:
        rows = [version.segments.shown() for version in record.versions.all()]
        return [[row.speaker.label if row.speaker else None for row in shown] for shown in rows]

    heard, brought, again = voices()
    assert (heard, brought) == (["SPEAKER_00", "SPEAKER_01"], [None])
    assert not {*heard} & {*again}
    assert refold(record_id=record.pk) == 0, "folded again they are another's"
    assert voices() == [heard, brought, again]


def test_a_failed_speaker_pass_harms_nothing_and_is_retried_alone(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape, speakers=0).record
    assert record is not None
    hosted.faults.append(Fault("/sync-generate-speaker", 402))
    work()
    assert (state(record).words, state(record).can_retry, len(text(record))) == ("Ready", True, 2)
    assert state(record).reason.startswith("Speakers are not told apart. The gateway's balance is used up.")
    before = len(hosted.asked)
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    work()
    assert [path.split("/")[0] for path in hosted.paths()[before:]] == ["POST ", "DELETE "]
    assert hosted.paths()[before] == "POST /transcriptions/sync-generate-speaker"
    assert Segment.objects.filter(speaker=None).count() == 0


def test_retry_starts_over_what_the_page_names_and_nothing_that_was_stopped_since(
    hosted: StandIn, alice: User, tape: Path, client: Client
) -> None:
    """A speaker pass failed; another transcription, which costs, was asked for and stopped."""
    record = send(alice, tape, speakers=0).record
    assert record is not None
    hosted.faults.append(Fault("/sync-generate-speaker", 402))
    work()
    services.transcribe_again(record_id=record.pk, options={"provider": "elevenlabs"})
    jobs.cancel(record_id=record.pk)
    assert state(record).reason.startswith("Speakers are not told apart. ")
    client.force_login(alice)
    assert client.post(f"/transcripts/{record.pk}/retry/").status_code == 302
    assert [job.kind for job in Job.objects.pending()] == [Job.Kind.SPEAKERS]
    work()
    assert (state(record).reason, state(record).retries) == ("", None)
    assert client.post(f"/transcripts/{record.pk}/retry/").status_code == 302
    assert not Job.objects.pending().exists(), "what was stopped was begun by a Retry that nobody saw"


def test_a_retry_does_not_hand_the_recording_over_again(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    hosted.faults.append(Fault("/sync-generate-audio", 402))
    work()
    found = state(record)
    assert (found.words, found.can_retry) == ("Failed while transcribing", True)
    assert found.reason == "The gateway's balance is used up. Top it up, then retry."
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    assert state(record).words == "Queued"
    work()
    assert (hosted.paths().count("POST /upload"), text(record)[0]) == (1, "It was the best of times.")


def test_a_gateway_that_forgot_the_recording_is_given_it_again(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    hosted.faults.append(Fault("/sync-generate-audio", 402))
    work()
    hosted.assets.clear()
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    work()
    assert (hosted.paths().count("POST /upload"), state(record).words) == (2, "Ready")


def test_trouble_that_passes_is_tried_again_by_itself(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    hosted.faults.extend([Fault("/upload", 0), Fault("/sync-generate-audio", 503)])
    said: list[str] = []
    for _ in range(3):
        work()
        said.append(state(record).reason)
        assert state(record).is_calm is bool(said[-1])
        Job.objects.filter(status=Job.Status.QUEUED).update(due_at=timezone.now())
    assert state(record).words == "Ready"
    away, full, _ = said
    assert away == f"The gateway does not answer. {jobs.AGAIN}"
    assert full == f"The gateway is at capacity. {jobs.AGAIN}"


def test_what_was_given_up_promises_no_further_try(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    hosted.faults.extend([Fault("/upload", 503)] * jobs.ATTEMPTS)
    for _ in range(jobs.ATTEMPTS):
        work()
        Job.objects.filter(status=Job.Status.QUEUED).update(due_at=timezone.now())
    assert (state(record).reason, state(record).can_retry) == ("The gateway is at capacity.", True)
    assert not state(record).is_calm


def test_a_long_recording_is_called_back_about(
    hosted: StandIn, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(transcription, "SHORT_MS", 1000)
    hosted.webhook = hosted.url + "/storage/callback"
    record = send(alice, tape, speakers=0).record
    assert record is not None
    work()
    job = job_of(Job.Kind.TRANSCRIBE)
    assert (job.status, len(job.task_id), state(record).words) == (Job.Status.AWAITING, 32, "Transcribing")
    assert (state(record).reason, state(record).is_calm) == (wording.CALLS_BACK, True)
    rows = [{"start_time": 0.0, "end_time": 2.0, "text": "Called back.", "speaker": None}]
    callback = _callback(job.task_id, rows)
    assert Job.objects.awaiting(hosted.url, job.task_id).get() == job
    assert calls.called_back(job=job, raw=callback)
    let_go()
    assert len(hosted.assets) == 1, "its speakers are still to be told"
    assert text(record) == ["Called back."]
    job.refresh_from_db()
    assert not calls.called_back(job=job, raw=callback)
    assert bytes(Message.objects.get().raw) == callback
    work()
    job = job_of(Job.Kind.SPEAKERS)
    assert job.status == Job.Status.AWAITING
    assert calls.called_back(job=job, raw=_callback(job.task_id, [{"start": 0.0, "end": 2.0, "speaker": "SPEAKER_00"}]))
    assert state(record).words == "Ready"
    assert str(Segment.objects.select_related("speaker").get().speaker) == "SPEAKER_00"
    settings.GATEWAY_URL = f"{hosted.url}/another"
    let_go()
    assert "DELETE" not in " ".join(hosted.paths()), "a gateway was told of another's recording"
    settings.GATEWAY_URL = hosted.url
    let_go()
    assert hosted.assets == {}, "the gateway was not told to forget it"
    record.delete()
    let_go()


def let_go() -> None:
    """What the worker does once a callback was applied."""
    for rung in DBTaskResult.objects.filter(task_path="transcripts.tasks.ring_let_go"):
        tasks.ring_let_go.call(*rung.args_kwargs["args"])


def _callback(task_id: str, rows: list[dict[str, Any]]) -> bytes:
    inner = {"data": rows, "usage_metadata": {"duration": 2.0, "model": "whisper-1"}}
    return json.dumps({"code": 200, "message": "SUCCESS", "task_id": task_id, "data": {"data": inner}}).encode()


def test_a_call_that_tells_of_a_failure_is_the_reason(
    hosted: StandIn, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "SHORT_MS", 1000)
    hosted.webhook = hosted.url + "/storage/callback"
    record = send(alice, tape).record
    assert record is not None
    work()
    job = job_of(Job.Kind.TRANSCRIBE)
    failed = json.dumps({"code": "500", "message": "No speech model", "task_id": job.task_id, "data": None}).encode()
    assert calls.called_back(job=job, raw=failed)
    assert state(record).reason == "The gateway could not do this. It says: No speech model"


def test_a_call_that_never_comes_is_told_and_waited_for_the_next_time(
    hosted: StandIn, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "SHORT_MS", 1000)
    hosted.webhook = hosted.url + "/storage/callback"
    record = send(alice, tape).record
    assert record is not None
    work()
    Job.objects.filter(status=Job.Status.AWAITING).update(due_at=timezone.now() - timedelta(seconds=1))
    jobs.reap()
    assert state(record).reason == jobs.UNCALLED
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    work()
    assert hosted.paths()[-2] == "POST /transcriptions/sync-generate-audio"
    assert state(record).words == "Ready"


def test_without_a_webhook_a_long_recording_is_waited_for(
    hosted: StandIn, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "SHORT_MS", 1000)
    record = send(alice, tape).record
    assert record is not None
    work()
    assert [path for path in hosted.paths() if "generate" in path] == [
        "POST /transcriptions/async-generate-audio",
        "POST /transcriptions/sync-generate-audio",
    ]
    assert state(record).words == "Ready"


def test_what_is_no_recording_is_told_and_leaves_nothing(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    upload = send(alice, media_files.archive(tmp_path / "minutes.mp3"))
    work()
    upload.refresh_from_db()
    assert upload.status == Upload.Status.REFUSED
    assert upload.reason.startswith("This is no recording. memweb reads WAV, MP3")
    assert not Record.objects.exists()
    assert not Job.objects.exists()
    assert not uploads.path_of(upload.pk).exists()


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "a.wav", media_files.tone(10))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    upload = send(alice, path)
    work()
    assert upload.record is not None
    assert state(upload.record).reason == "The file is cut off or damaged after 0:04. What comes before is here."
    assert uploads.path_of(upload.pk).exists()


def test_silence_becomes_a_record_that_says_so(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    hosted.ear = lambda sound: []
    record = send(alice, media_files.silence(tmp_path / "a.wav", 3), speakers=0).record
    work()
    assert record is not None
    assert (state(record).words, state(record).reason) == ("Ready", transcription.NO_WORDS)


def test_the_same_file_again_is_known(hosted: StandIn, alice: User, bob: User, tape: Path) -> None:
    record = send(alice, tape).record
    work()
    again = send(alice, tape.rename(tape.with_name("another name.mp3")))
    work()
    again.refresh_from_db()
    assert (again.status, again.duplicate_of, again.record) == (Upload.Status.DUPLICATE, record, None)
    assert Record.objects.count() == 1
    theirs = send(bob, tape.with_name("another name.mp3"))
    work()
    theirs.refresh_from_db()
    assert theirs.status == Upload.Status.TAKEN


def test_the_same_file_is_taken_again_where_that_is_asked_or_the_other_lies_in_the_bin(
    hosted: StandIn, alice: User, tape: Path
) -> None:
    send(alice, tape)
    work()
    again = send(alice, tape, again=True)
    work()
    again.refresh_from_db()
    assert again.status == Upload.Status.TAKEN
    for record in Record.objects.all():
        services.bin_record(record_id=record.pk)
    late = send(alice, tape)
    work()
    late.refresh_from_db()
    assert (late.status, Record.objects.count()) == (Upload.Status.TAKEN, 3)


@pytest.mark.parametrize("end", ["refused", "duplicate"])
def test_a_record_that_has_text_by_now_outlives_the_file_it_was_made_for(alice: User, tape: Path, end: str) -> None:
    """A worker that was thought dead comes to another end than the one that took over."""
    upload = send(alice, tape)
    record = upload.record
    assert record is not None
    services.add_version(
        record_id=record.pk, kind=Version.Kind.IMPORTED, model="", language="", segments=[line("0", 0, "Kept.")]
    )
    if end == "refused":
        uploads.refuse(upload_id=upload.pk, reason="No recording.")
    else:
        uploads.hold_duplicate(upload_id=upload.pk, sha256="", record=making.dictation(alice, "The other."))
    assert Segment.objects.get(version__record=record).text == "Kept."


def test_what_leaves_the_list_can_still_be_retried(hosted: StandIn, alice: User, tape: Path) -> None:
    """The list forgets it, not what is to be read: an hour later the file that was uploaded is there."""
    upload = send(alice, tape)
    record = upload.record
    assert record is not None
    jobs.cancel(record_id=record.pk)
    uploads.remove(upload=upload)
    os.utime(uploads.path_of(upload.pk), (0, 0))
    uploads.sweep()
    assert queue.rows_of(alice, timezone.now()) == []
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    work()
    assert state(record).words == "Ready"


def test_a_file_that_left_the_list_is_known_when_it_comes_again(hosted: StandIn, alice: User, tape: Path) -> None:
    first = send(alice, tape)
    work()
    uploads.remove(upload=first)
    again = send(alice, tape)
    work()
    again.refresh_from_db()
    assert (again.status, again.duplicate_of) == (Upload.Status.DUPLICATE, first.record)
    assert hosted.paths().count("POST /upload") == 1


def test_of_the_same_file_twice_at_once_one_is_transcribed(
    hosted: StandIn, alice: User, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are read to their end before either is looked for: then one is the first all the same."""
    both, read = threading.Barrier(2, timeout=30), preparing._digest

    def together(lease: Lease, path: Path) -> str:
        sha256 = read(lease, path)
        both.wait()
        return sha256

    monkeypatch.setattr(preparing, "_digest", together)
    ids = [send(alice, tape).pk for _ in range(2)]
    threads = [threading.Thread(target=in_a_thread, args=(job.pk,)) for job in Job.objects.all()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Upload.objects.filter(pk__in=ids)
    assert sorted(upload.status for upload in found) == [Upload.Status.DUPLICATE, Upload.Status.TAKEN]
    assert found.get(status="duplicate").duplicate_of == found.get(status="taken").record == Record.objects.get()


def in_a_thread(job_id: int) -> None:
    try:
        jobs.run(job_id=job_id, work=preparing.prepare)
    finally:
        connection.close()


def cut_film(folder: Path) -> bytes:
    """What a phone leaves that ran out of power while filming: its index would have come last."""
    return b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(5000)


def spoilt_flac(folder: Path) -> bytes:
    """Its head is right, and nothing behind it."""
    whole = media_files.make(folder / "whole.flac", media_files.tone(2.0)).read_bytes()
    return whole[:64] + bytes(5000)


@pytest.mark.parametrize("content", [cut_film, spoilt_flac])
def test_a_damaged_recording_is_called_that_and_what_to_do_is_said(
    hosted: StandIn, alice: User, tmp_path: Path, content: Callable[[Path], bytes]
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content(tmp_path))
    upload = send(alice, path)
    work()
    upload.refresh_from_db()
    row = queue.row_of(upload, timezone.now(), asked.gateway_of(alice))
    assert (row.state.words, row.state.look) == ("Damaged", "bad")
    assert row.state.reason.startswith("The file is damaged")
    assert "If it plays elsewhere, save it there as WAV or MP3" in row.state.reason


def test_text_is_not_a_damaged_recording(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes("\ufeffMinutes of the meeting".encode("utf-16-le") * 99)
    upload = send(alice, path)
    work()
    upload.refresh_from_db()
    row = queue.row_of(upload, timezone.now(), asked.gateway_of(alice))
    assert row.state.words == "Not a recording"
    assert row.state.reason.startswith("This is no recording.")


def test_what_is_no_recording_is_none_twice(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    path = media_files.archive(tmp_path / "minutes.mp3")
    first, second = send(alice, path), send(alice, path)
    assert first.record is not None
    uploads.hold_duplicate(upload_id=second.pk, sha256="0" * 64, record=first.record)
    work()
    second.refresh_from_db()
    assert second.status == Upload.Status.REFUSED
    assert second.reason.startswith("This is no recording.")


def test_transcribed_again_it_gets_a_version_and_keeps_what_was_corrected(
    hosted: StandIn, alice: User, tape: Path
) -> None:
    record = send(alice, tape).record
    assert record is not None
    work()
    hosted.ear = lambda sound: [{"text": "Better words.", "start_time": 0.0, "end_time": 2.0}]
    services.transcribe_again(record_id=record.pk, options={})
    work()
    assert text(record) == ["Better words."]
    assert [version.kind for version in record.versions.all()] == [Version.Kind.TRANSCRIBED, Version.Kind.RETRANSCRIBED]
    Edit.objects.create(record=record, kind=Edit.Kind.TEXT, segment_key="0")
    hosted.ear = lambda sound: [{"text": "Other words.", "start_time": 0.0, "end_time": 2.0}]
    services.transcribe_again(record_id=record.pk, options={})
    work()
    assert (text(record), record.versions.count()) == (["Better words."], 3)


def test_a_job_that_is_stopped_stays_stopped_and_can_be_taken_up(hosted: StandIn, alice: User, tape: Path) -> None:
    record = send(alice, tape).record
    assert record is not None
    work(Job.Kind.PREPARE)
    job = jobs.take(job_id=job_of(Job.Kind.TRANSCRIBE).pk, holder="one")
    assert job is not None
    jobs.renew(job_id=job.pk, holder="one", progress=18)
    assert jobs.cancel(record_id=record.pk)
    assert not jobs.cancel(record_id=record.pk)
    assert not jobs.renew(job_id=job.pk, holder="one", progress=50)
    found = state(record)
    assert (found.words, found.can_retry) == ("Stopped at 18 %", True)
    assert found.reason == "You stopped this. The recording is kept."
    assert (found.look, found.is_calm) == ("stopped", True), "nobody is warned of what they did"
    jobs.retry(record_id=record.pk, job_id=state(record).retries)
    work()
    assert state(record).words == "Ready"


def test_a_task_that_another_worker_begins_again_is_told_as_that(hosted: StandIn, alice: User, tape: Path) -> None:
    """Waiting while nobody is at it, and the time left is reckoned from the new beginning."""
    record = send(alice, tape).record
    assert record is not None
    work(Job.Kind.PREPARE)
    job = jobs.take(job_id=job_of(Job.Kind.TRANSCRIBE).pk, holder="one")
    assert job is not None
    lease = Lease(job)
    lease.note(asset_id="re_1", task_id="t")

    def told(status: str, done_ms: int) -> str:
        transcription._tell(lease, job, TaskState(status, done_ms, 5000, 0, "", None))
        return state(record).words

    assert (told("queued", 0), job.begun_at) == ("Queued", None)
    assert told("running", 2000) == "Transcribing 40 %"
    first = job.begun_at
    assert told("running", 2500) == "Transcribing 50 %"
    assert job.begun_at == first
    assert (told("queued", 2500), job.begun_at) == ("Queued", None)
    assert told("running", 0) == "Transcribing"
    second = job.begun_at
    assert told("running", 500) == "Transcribing 10 %"
    assert first is not None
    assert second is not None
    assert first < second == job.begun_at
    assert told("running", 0) == "Transcribing"
    assert second < job.begun_at


def test_who_waits_is_told_how_many_come_first(hosted: StandIn, alice: User, tmp_path: Path) -> None:
    records = []
    for number in range(3):
        path = media_files.make(tmp_path / f"{number}.wav", media_files.tone(1 + number))
        records.append(send(alice, path).record)
    work(Job.Kind.PREPARE)
    assert [state(record).words for record in records if record] == ["Queued", "Queued, 1 ahead", "Queued, 2 ahead"]


def test_a_record_that_lost_its_file_says_what_to_do(hosted: StandIn, alice: User, tape: Path) -> None:
    upload = send(alice, tape)
    uploads.path_of(upload.pk).unlink()
    work()
    assert upload.record is not None
    assert (state(upload.record).words, state(upload.record).reason) == ("Failed while reading", preparing.GONE)


def test_a_speaker_is_who_is_heard_most() -> None:
    said = [line("0", 0, "one two three"), line("1", 1000, "four five"), line("2", 9000, "six")]
    turns = [speech.Segment(str(i), start, end, "", speaker=name) for i, (start, end, name) in enumerate(
        [(0, 300, "A"), (300, 1000, "B"), (900, 1700, "A")])]  # fmt: skip
    assert speakers.assign(said, turns) == {"0": "B", "1": "A"}


def test_an_odd_answer_is_refused_in_words() -> None:
    with pytest.raises(LibraryError, match="It says: no"):
        transcription.payload_of(transcription.Outcome(b'{"code":"0400","msg":"no"}', "whisper-1"))


def test_a_language_that_was_found_is_the_records(hosted: StandIn, alice: User, tape: Path) -> None:
    """As ElevenLabs tells it, and as the built-in gateway's Whisper does."""
    told = send(alice, tape, provider="elevenlabs").record
    work()
    assert told is not None
    told.refresh_from_db()
    assert told.language == "en"
    payload = {"model": "whisper-1", "items": [{"text": "Dos.", "start_time": 0.0, "end_time": 1.0}], "language": "es"}
    answer = transcription.Outcome(json.dumps({"code": 200, "msg": "success", "data": payload}).encode(), "whisper-1")
    again = services.transcribe_again(record_id=told.pk, options={})
    held = jobs.take(job_id=again.pk, holder="one")
    assert held is not None
    transcription.keep(job_id=held.pk, outcome=answer, holder="one")
    told.refresh_from_db()
    assert (told.language, state(told).words) == ("es", "Ready")
    shown = Record.objects.visible_to(alice)
    assert list(search.restrict(search.parse("lang:es"), shown, owner_id=alice.pk)) == [told]
    assert not search.restrict(search.parse("lang:en"), shown, owner_id=alice.pk)
    assert len(search.find(search.parse("dos lang:es"), owner_id=alice.pk).groups) == 1


def test_a_dictation_goes_on_in_the_language_it_was_asked_for_in(alice: User) -> None:
    record = making.dictation(alice, "Uno.")
    Record.objects.update(language="")
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="base", language="es", segments=[line("0", 0, "Uno.")]
    )
    services.show_version(record_id=record.pk, number=version.number)
    record.refresh_from_db()
    assert record.language == ""
