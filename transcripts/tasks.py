"""Doorbells of the task queue. Each body is one call; what must survive lives on Job."""

from __future__ import annotations

from django_tasks import task

from transcripts import jobs, recordings, second_pass
from transcripts.models import Job


@task(priority=50)
def ring_seal(job_id: int) -> None:
    jobs.run(job_id=job_id, work=recordings.seal)


@task()
def ring_second_pass(job_id: int) -> None:
    jobs.run(job_id=job_id, work=second_pass.make)


DOORBELLS = {Job.Kind.SEAL: ring_seal, Job.Kind.SECOND_PASS: ring_second_pass}
