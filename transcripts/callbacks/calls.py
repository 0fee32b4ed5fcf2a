"""What a gateway calls back with, brought to the job that awaits it."""

from __future__ import annotations

from transcripts import jobs
from transcripts.errors import LibraryError
from transcripts.files.options import PYANNOTE, WHISPER
from transcripts.hearing import speakers, transcription
from transcripts.hearing.transcription import Outcome
from transcripts.models import Job


def called_back(*, job: Job, raw: bytes) -> bool:
    """Take the outcome of a job's task, whole as it was posted. False where the job no longer awaits it.

    A refusal, and what cannot be read, becomes the job's reason.
    """
    if job.status != Job.Status.AWAITING:
        return False
    try:
        if job.kind == Job.Kind.SPEAKERS:
            speakers.keep(job_id=job.pk, outcome=Outcome(raw, PYANNOTE))
        else:
            transcription.keep(job_id=job.pk, outcome=Outcome(raw, WHISPER))
        transcription.let_go_later(job)
    except LibraryError as error:
        jobs.refuse_awaited(job_id=job.pk, reason=str(error))
    return True
