"""A recording is sealed only when it reads back the same, and a kill at any moment costs nothing but time."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from django.conf import settings
from django.db import connection

from memweb.accounts.models import User
from memweb.dictation.rebuild import keep_count, open_spool
from memweb.speech import frames
from tests.running import ROOT
from tests.transcripts import making
from transcripts import jobs, recordings, services
from transcripts.models import Job, Record, Recording

pytestmark = pytest.mark.django_db(transaction=True)


def seal_job(record: Record) -> Job:
    services.finish(record_id=record.pk)
    return Job.objects.get(record=record, kind=Job.Kind.SEAL, status__in=["queued", "running"])


def sealed(record: Record) -> Job:
    job = seal_job(record)
    jobs.run(job_id=job.pk, work=recordings.seal)
    job.refresh_from_db()
    return job


def decoded(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in container.decode(audio=0))


def test_what_was_recorded_is_what_the_flac_holds_and_only_then_is_the_spool_gone(alice: User) -> None:
    record, pcm = making.dictation(alice, "hello", finished=False), making.sound(23.45)
    spool = making.spool(record, pcm)
    assert sealed(record).status == Job.Status.DONE
    record.refresh_from_db()
    recording = Recording.objects.get(record=record)
    assert decoded(recordings.audio_path(recording)) == pcm
    assert recording.pcm_sha256 == hashlib.sha256(pcm).hexdigest()
    assert (recording.samples, record.duration_ms) == (len(pcm) // 2, 23_450)
    assert record.status == Record.Status.READY
    assert not spool.exists()
    assert [path.suffix for path in Path(settings.AUDIO_DIR).iterdir()] == [".flac"]


def test_peaks_are_the_loudest_sample_of_each_tenth_of_a_second() -> None:
    pcm = making.sound(1.05)
    peaks = recordings.peaks_of(pcm)
    assert len(peaks) == 11
    second = np.abs(np.frombuffer(pcm, "<i2")[1600:3200].astype(int)).max()
    assert peaks[1] == min(second >> 7, 255)


def test_peaks_do_not_shift_over_a_long_recording(alice: User) -> None:
    record, pcm = making.dictation(alice, finished=False), making.sound(31)
    making.spool(record, pcm)
    sealed(record)
    assert bytes(Recording.objects.get(record=record).peaks) == recordings.peaks_of(pcm)


def test_a_file_that_does_not_read_back_the_same_is_thrown_away_and_the_spool_stays(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = making.dictation(alice, finished=False)
    spool = making.spool(record, making.sound(3))
    silence = recordings.frame_of(bytes(2 * 16_000 * 3))
    monkeypatch.setattr(recordings, "frame_of", lambda pcm: silence)
    job = sealed(record)
    assert (job.status, job.reason) == (Job.Status.QUEUED, recordings.UNREADABLE)
    assert spool.exists()
    assert not Recording.objects.filter(record=record).exists()
    assert list(Path(settings.AUDIO_DIR).iterdir()) == []


def test_a_torn_last_frame_is_left_out(alice: User) -> None:
    record, pcm = making.dictation(alice, finished=False), making.sound(1)
    spool = making.spool(record, pcm)
    spool.write_bytes(spool.read_bytes() + making.spool_bytes(making.sound(0.1))[:700])
    assert sealed(record).status == Job.Status.DONE
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == pcm
    assert not spool.exists()


def test_damage_in_the_middle_is_said_and_nothing_is_thrown_away(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    spool = making.spool(record, making.sound(30))
    whole = bytearray(spool.read_bytes())
    whole[100 * 3232 : 100 * 3232 + 2] = b"??"
    spool.write_bytes(whole)
    job = sealed(record)
    assert job.reason == recordings.BROKEN
    assert spool.read_bytes() == whole


def test_a_recording_without_a_sample_is_ready_with_nothing_to_play(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    assert sealed(record).status == Job.Status.DONE
    record.refresh_from_db()
    assert record.status == Record.Status.READY
    assert not Recording.objects.filter(record=record).exists()
    assert not Job.objects.filter(record=record, kind=Job.Kind.SECOND_PASS).exists()


def test_a_record_reopened_while_it_is_sealed_keeps_its_spool(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record = making.dictation(alice, finished=False)
    first, more = making.sound(3), making.sound(2, seed=2)
    spool = making.spool(record, first)
    keep = recordings._keep

    def reopened_meanwhile(*args: object) -> None:
        keep(*args)  # type: ignore[arg-type]
        services.reopen(record_id=record.pk)
        with spool.open("ab") as file:
            file.write(making.spool_bytes(more, first=len(first) // 2))

    with monkeypatch.context() as patch:
        patch.setattr(recordings, "_keep", reopened_meanwhile)
        sealed(record)
    record.refresh_from_db()
    assert record.status == Record.Status.LIVE
    assert spool.exists()
    assert sealed(record).status == Job.Status.DONE
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == first + more


def test_frames_that_came_during_the_seal_are_sealed_too(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record = making.dictation(alice, finished=False)
    first, more = making.sound(3), making.sound(2, seed=2)
    spool = making.spool(record, first)
    keep = recordings._keep

    def finished_again_meanwhile(*args: object) -> None:
        keep(*args)  # type: ignore[arg-type]
        services.reopen(record_id=record.pk)
        with spool.open("ab") as file:
            file.write(making.spool_bytes(more, first=len(first) // 2))
        services.finish(record_id=record.pk)

    with monkeypatch.context() as patch:
        patch.setattr(recordings, "_keep", finished_again_meanwhile)
        job = sealed(record)
    assert job.status == Job.Status.QUEUED
    assert spool.exists()
    jobs.run(job_id=job.pk, work=recordings.seal)
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == first + more
    assert not spool.exists()


def test_a_spool_that_forgot_the_beginning_replaces_nothing(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    pcm = making.sound(5)
    making.spool(record, pcm)
    sealed(record)
    services.reopen(record_id=record.pk)
    spool = making.spool(record, making.sound(9, seed=7))
    job = sealed(record)
    assert job.reason == recordings.SHRUNK
    assert spool.exists()
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == pcm


def test_a_sealed_recording_that_goes_on_is_sealed_again_as_one(alice: User) -> None:
    """Through the spool dictation makes anew from the file."""
    record = making.dictation(alice, finished=False)
    first, more = making.sound(3.21), making.sound(2, seed=2)
    making.spool(record, first)
    keep_count(record.pk, 33)
    sealed(record)
    services.reopen(record_id=record.pk)
    spool = open_spool(record.pk)
    assert spool.next == 33
    spool.close()
    with spool.path.open("ab") as file:
        for at in range(0, len(more), 3200):
            part = more[at : at + 3200]
            file.write(frames.build(frames.FrameHeader(33 + at // 3200, len(part) // 2), part))
    assert sealed(record).status == Job.Status.DONE
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == first + more
    assert not spool.path.exists()


KILLED = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from pathlib import Path
settings.SPOOL_DIR, settings.AUDIO_DIR = Path(sys.argv[1]), Path(sys.argv[2])
from transcripts import jobs, recordings
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
def after(name, owner=recordings):
    real = getattr(owner, name)
    def then_die(*args, **kwargs):
        real(*args, **kwargs)
        die()
    setattr(owner, name, then_die)
{arrange}
jobs.run(job_id=int(sys.argv[3]), work=recordings.seal)
"""
MOMENTS = {
    "while the file is written": "recordings._digest = die",
    "when the file is in place, before its row": "recordings._keep = die",
    "when the row is kept, before the spool goes": "after('_keep')",
    "when the spool is gone, before the job is done": "after('unlink', recordings.Path)",
}


def child(arrange: str, job: Job) -> int:
    """Run the seal in a process of its own on the test's database; its return code."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        host, port = database["HOST"] or "127.0.0.1", database["PORT"] or 5432
        url = f"postgres://{database['USER']}@{host}:{port}/{database['NAME']}"
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(arrange=arrange), settings.SPOOL_DIR, settings.AUDIO_DIR, str(job.pk)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "memweb.settings"},
        capture_output=True,
        timeout=120,
    )
    return done.returncode


@pytest.mark.process
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(moment: str, alice: User) -> None:
    """... the recording is whole at every moment, and the next worker brings the job to its end."""
    record, pcm = making.dictation(alice, finished=False), making.sound(12)
    spool = making.spool(record, pcm)
    before = spool.read_bytes()
    job = seal_job(record)
    assert child(MOMENTS[moment], job) == -signal.SIGKILL

    recording = Recording.objects.filter(record=record).first()
    if spool.exists():
        assert spool.read_bytes() == before
    else:
        assert recording is not None
        assert decoded(recordings.audio_path(recording)) == pcm

    making.let_the_lease_run_out(job)
    jobs.run(job_id=job.pk, work=recordings.seal)
    job.refresh_from_db()
    record.refresh_from_db()
    assert (job.status, job.attempts, record.status) == (Job.Status.DONE, 2, Record.Status.READY)
    assert decoded(recordings.audio_path(Recording.objects.get(record=record))) == pcm
    assert not spool.exists()
