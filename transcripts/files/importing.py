"""Transcripts made elsewhere: captions, text, or memweb's own JSON, as a record or as a version of one."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from memweb.speech import transcript as speech
from memweb.speech.formats import FORMATS, Unreadable
from transcripts import queries, search, services
from transcripts.editor import carrying, marking
from transcripts.errors import Refused
from transcripts.models import Record, Version
from transcripts.uploads import named, title_of

READABLE = tuple(extension for extension, form in FORMATS.items() if form.read is not None)
LARGEST = 20 * 10**6
"""Bytes: a day of speech as JSON with word times is half of it."""


def is_transcript(name: str) -> bool:
    """Whether a file's name says that it is a transcript and no recording."""
    return name.rpartition(".")[2].lower() in READABLE


def read(*, name: str, data: bytes) -> speech.Transcript:
    """What a file says. Raises Refused with a sentence."""
    form = FORMATS.get(name.rpartition(".")[2].lower())
    if form is None or form.read is None:
        raise Refused(f"memweb reads transcripts as {', '.join(READABLE)}.")
    if len(data) > LARGEST:
        raise Refused(f"A transcript may have {LARGEST // 10**6} MB.")
    try:
        transcript = form.read(data)
    except Unreadable as error:
        raise Refused(str(error)) from error
    if not transcript.segments:
        raise Refused("There are no words in this file.")
    return transcript


@transaction.atomic
def as_record(*, owner_id: int, name: str, transcript: speech.Transcript) -> Record:
    """A record of its own, without a recording."""
    record = Record.objects.create(
        owner_id=owner_id,
        title=title_of(named(name)),
        source=Record.Source.IMPORT,
        status=Record.Status.READY,
        language=(transcript.language or "")[:16],
        started_at=timezone.now(),
        duration_ms=_length(transcript),
    )
    _add(record.pk, name, transcript)
    search.index_record(record_id=record.pk)
    record.refresh_from_db()
    return record


@transaction.atomic
def fill(*, record_id: uuid.UUID, name: str, transcript: speech.Transcript) -> None:
    """Give an empty record, made for a file, what the file says."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    record.source, record.status, record.status_reason = Record.Source.IMPORT, Record.Status.READY, ""
    record.language, record.duration_ms = (transcript.language or "")[:16], _length(transcript)
    record.save()
    _add(record_id, name, transcript)
    search.index_record(record_id=record_id)


@transaction.atomic
def as_version(*, record: Record, name: str, transcript: speech.Transcript) -> Version:
    """One more reading of a record. Shown, unless what is shown was corrected: then corrections are carried over."""
    edited = queries.is_edited(record.pk)
    version = _add(record.pk, name, transcript, shown=not edited)
    if edited and record.current_version is not None:
        carrying.carry_over(source=record.current_version, target=version)
    return version


def _add(record_id: uuid.UUID, name: str, transcript: speech.Transcript, *, shown: bool = True) -> Version:
    version = services.add_version(
        record_id=record_id,
        kind=Version.Kind.IMPORTED,
        model=named(name)[:100],
        language=transcript.language or "",
        segments=transcript.segments,
    )
    if shown:
        services.show_version(record_id=record_id, number=version.number)
    left = marking.bring_in(record_id=record_id, marks=transcript.marks)
    if left:
        reason = f"{left:,} marks of the file are left out: a record can have {marking.MOST:,}."
        Record.objects.filter(pk=record_id).update(status_reason=reason)
    return version


def _length(transcript: speech.Transcript) -> int:
    return max([transcript.duration_ms or 0, *(segment.end_ms for segment in transcript.segments)])
