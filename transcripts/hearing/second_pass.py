"""The second pass: a sealed recording heard again by the stronger engine, as a version of its own.

The live text can be read all the while, and stays. The new version is shown by itself only while nobody has changed
what was said; else it waits beside. Where the same engine heard all of it live there is none: a second reading of its
own is as often worse as better.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from memweb.engines import errors as engines
from memweb.speech import transcript as speech
from transcripts import jobs, queries, services
from transcripts.editor import carrying
from transcripts.errors import LibraryError, Useless
from transcripts.jobs import Lease
from transcripts.models import Record, Recording, Version
from transcripts.recordings import audio_path


def make(lease: Lease) -> None:
    """The work of a second-pass job. Raises LibraryError with a sentence; the live text then stays as it is."""
    recording = Recording.objects.select_related("record").filter(record_id=lease.record_id).first()
    if recording is None or (_engine() == _live_engine(recording) and not _lacks_words(recording.record)):
        _leave(lease)
        return
    _keep(lease, recording, _hear(lease, recording))


def _engine() -> str:
    from memweb.engines import batch

    try:
        return batch.engine_name()
    except engines.EngineMissing as error:
        raise Useless(str(error)) from error


def _lacks_words(record: Record) -> bool:
    return record.status_reason.startswith(services.UNHEARD)


def _live_engine(recording: Recording) -> str:
    return Version.objects.live_of(recording.record_id).latest("number").model


def _hear(lease: Lease, recording: Recording) -> Sequence[speech.Segment]:
    from memweb.engines import batch  # heavy, and wanted by the worker only

    try:
        return list(
            batch.transcribe(audio_path(recording), language=recording.record.language or None, progress=lease.progress)
        )
    except engines.EngineError as error:
        raise LibraryError(str(error)) from error


@transaction.atomic
def _leave(lease: Lease) -> None:
    jobs.complete(job=jobs.hold(job_id=lease.job_id, holder=lease.holder))


@transaction.atomic
def _keep(lease: Lease, heard: Recording, segments: Sequence[speech.Segment]) -> None:
    record = Record.objects.select_for_update(of=("self",)).get(pk=lease.record_id)
    job = jobs.hold(job_id=lease.job_id, holder=lease.holder)
    if record.status == Record.Status.LIVE:  # finishing asks for the next pass
        jobs.complete(job=job)
        return
    if not Recording.objects.filter(record=record, pcm_sha256=heard.pcm_sha256).exists():
        jobs.again(job=job)
        return
    version = services.add_version(
        record_id=record.pk,
        kind=Version.Kind.SECOND_PASS,
        model=_engine(),
        language=next((s.language for s in segments if s.language), None) or record.language,
        segments=segments,
    )
    if segments and not queries.is_edited(record.pk):
        services.show_version(record_id=record.pk, number=version.number)
    elif segments and record.current_version is not None:
        carrying.carry_over(source=record.current_version, target=version)
    jobs.complete(job=job)
