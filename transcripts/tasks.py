"""Doorbells of the task queue. Each body is one call; what must survive lives on Job."""

from __future__ import annotations

from django_tasks import task

from transcripts import jobs, recordings
from transcripts.callbacks import applying
from transcripts.files import preparing
from transcripts.hearing import second_pass, speakers, transcription
from transcripts.models import Job


@task(priority=50)
def ring_seal(job_id: int) -> None:
    jobs.run(job_id=job_id, work=recordings.seal)


@task(queue_name="long")
def ring_second_pass(job_id: int) -> None:
    jobs.run(job_id=job_id, work=second_pass.make)


@task(priority=20)
def ring_callbacks() -> None:
    applying.apply_waiting()


@task(queue_name="files")
def ring_prepare(job_id: int) -> None:
    jobs.run(job_id=job_id, work=preparing.prepare)


@task(queue_name="files")
def ring_transcribe(job_id: int) -> None:
    jobs.run(job_id=job_id, work=transcription.transcribe)


@task(queue_name="files")
def ring_speakers(job_id: int) -> None:
    jobs.run(job_id=job_id, work=speakers.tell)


@task(queue_name="files")
def ring_let_go(job_id: int) -> None:
    transcription.let_go_of(job_id=job_id)


DOORBELLS = {
    Job.Kind.SEAL: ring_seal,
    Job.Kind.SECOND_PASS: ring_second_pass,
    Job.Kind.PREPARE: ring_prepare,
    Job.Kind.TRANSCRIBE: ring_transcribe,
    Job.Kind.SPEAKERS: ring_speakers,
}
