"""Every write of the library has a name. Each is atomic; none starts outside work but by ringing for a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict

from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Greatest
from django.utils import timezone

from memweb.speech import transcript as speech
from memweb.speech.text import clean, line
from transcripts import jobs
from transcripts.errors import NotYours, StillLive
from transcripts.models import Edit, Job, Mark, Message, Record, Segment, Speaker, Version
from transcripts.values import word_row

# A session that was not heard for so long has nobody at its microphone.
ATTENDED = timedelta(seconds=30)


class MessageRow(TypedDict):
    """A provider's message as it arrived; `sequence` counts from 0 within its connection."""

    record_id: uuid.UUID
    connection: int
    sequence: int
    offset_ms: int
    dialect: str
    arrived_at: datetime
    raw: str | bytes


@transaction.atomic
def open_record(
    *,
    id: uuid.UUID,
    owner_id: int,
    title: str = "",
    language: str = "",
    provider: str = "",
    gateway: str = "",
    started_at: datetime,
) -> Record:
    """The dictation of this id with its live version, made unless it is there. Raises NotYours."""
    record, made = Record.objects.get_or_create(
        id=id,
        defaults={
            "owner_id": owner_id,
            "title": line(title)[:300],
            "language": clean(language)[:16],
            "provider": clean(provider)[:32],
            "gateway": clean(gateway)[:200],
            "started_at": started_at,
            "last_heard_at": timezone.now(),
        },
    )
    if record.owner_id != owner_id or record.deleted_at is not None:
        raise NotYours(str(id))
    if made:
        record.current_version = Version.objects.create(
            record=record, number=1, kind=Version.Kind.LIVE, language=record.language
        )
        record.save(update_fields=["current_version"])
    return record


def save_message(
    *,
    record_id: uuid.UUID,
    connection: int,
    sequence: int,
    offset_ms: int,
    dialect: str,
    arrived_at: datetime,
    raw: str | bytes,
) -> None:
    """Keep one message verbatim. The same place again changes nothing."""
    save_messages(
        messages=[
            MessageRow(
                record_id=record_id,
                connection=connection,
                sequence=sequence,
                offset_ms=offset_ms,
                dialect=dialect,
                arrived_at=arrived_at,
                raw=raw,
            )
        ]
    )


@transaction.atomic
def save_messages(messages: Iterable[MessageRow]) -> None:
    """Keep messages verbatim, in one statement. Those already kept are left as they are.

    Ten rows a second for each live session: a model instance for each would be the most expensive part of a session.
    """
    fields = [field for field in Message._meta.concrete_fields if not field.primary_key]
    name = connection.ops.quote_name
    columns, marks = ", ".join(name(str(field.column)) for field in fields), ", ".join(["%s"] * len(fields))
    insert = f"INSERT INTO {name(Message._meta.db_table)} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    rows = []
    for message in messages:
        values = {**message, "raw": _verbatim(message["raw"])}
        rows.append([field.get_db_prep_save(values[field.attname], connection) for field in fields])
    with connection.cursor() as cursor:
        cursor.executemany(insert, rows)


def _verbatim(raw: str | bytes) -> bytes:
    return raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw


@transaction.atomic
def save_final(*, record_id: uuid.UUID, segment: speech.Segment) -> Segment:
    """Put a final into the live version: a key seen before is replaced in place, save where a person wrote over it."""
    version = Version.objects.live_of(record_id).latest("number")
    row = Segment.objects.filter(version=version, key=segment.key).first()
    if row is None:
        last = Segment.objects.filter(version=version).aggregate(last=Max("order"))["last"]
        row = Segment(version=version, key=segment.key, order=0 if last is None else last + 1)
    elif _written_over(row):
        return row
    _fill(row, segment, record_id)
    row.save()
    return row


def _written_over(row: Segment) -> bool:
    written = [Edit.Kind.TEXT, Edit.Kind.SPLIT, Edit.Kind.MERGED]
    return Edit.objects.filter(version_id=row.version_id, segment_key=row.key, kind__in=written).exists()


def _fill(row: Segment, value: speech.Segment, record_id: uuid.UUID) -> None:
    row.start_ms, row.end_ms = value.start_ms, value.end_ms
    row.text = clean(value.text)
    row.words = [word_row(word) for word in value.words]
    row.channel = value.channel
    row.language = clean(value.language or "")[:16]
    row.speaker = _speaker(record_id, value.speaker) if value.speaker is not None else None


def _speaker(record_id: uuid.UUID, label: str) -> Speaker:
    return Speaker.objects.get_or_create(record_id=record_id, label=clean(label)[:64])[0]


@transaction.atomic
def revise_speaker(*, record_id: uuid.UUID, key: str, speaker: str | None) -> None:
    """A later word from the provider on who spoke. An unknown key, or one a person assigned, is left alone."""
    if Edit.objects.filter(record_id=record_id, segment_key=key, kind=Edit.Kind.SPEAKER).exists():
        return
    row = _speaker(record_id, speaker) if speaker is not None else None
    Segment.objects.filter(version__record_id=record_id, version__kind=Version.Kind.LIVE, key=key).update(speaker=row)


@transaction.atomic
def note_model(*, record_id: uuid.UUID, model: str) -> None:
    """Say which engine or provider model makes the live text."""
    Version.objects.live_of(record_id).update(model=clean(model)[:100])


def take_back(*, record_id: uuid.UUID, key: str, user_id: int | None) -> bool:
    """Hide a phrase of the live text; the journal keeps it. False where there is nothing to take back."""
    return _set_removed(record_id, key, user_id, removed=True)


def put_back(*, record_id: uuid.UUID, key: str, user_id: int | None) -> bool:
    """Show a phrase that was taken back. False where there is none."""
    return _set_removed(record_id, key, user_id, removed=False)


@transaction.atomic
def _set_removed(record_id: uuid.UUID, key: str, user_id: int | None, *, removed: bool) -> bool:
    version = Version.objects.live_of(record_id).latest("number")
    row = Segment.objects.select_for_update().filter(version=version, key=key, removed=not removed).first()
    if row is None:
        return False
    row.removed = removed
    row.save(update_fields=["removed"])
    state = {"text": row.text, "start_ms": row.start_ms, "end_ms": row.end_ms}
    Edit.objects.create(
        record_id=record_id,
        version=version,
        segment_key=key,
        user_id=user_id,
        kind=Edit.Kind.REMOVED if removed else Edit.Kind.RESTORED,
        before={**state, "removed": not removed},
        after={**state, "removed": removed},
    )
    return True


@transaction.atomic
def add_mark(*, record_id: uuid.UUID, at_ms: int, note: str = "") -> Mark:
    """Mark a moment. The same moment twice is one mark."""
    return Mark.objects.get_or_create(record_id=record_id, at_ms=at_ms, defaults={"note": clean(note)[:500]})[0]


@transaction.atomic
def rename(*, record_id: uuid.UUID, title: str, user_id: int | None) -> Record:
    """Give a record its title; empty is allowed and shows as its date. The journal keeps the former."""
    record = Record.objects.select_for_update().get(pk=record_id)
    title = line(title)[:300]
    if title != record.title:
        Edit.objects.create(
            record=record,
            user_id=user_id,
            kind=Edit.Kind.TITLE,
            before={"title": record.title},
            after={"title": title},
        )
        record.title = title
        record.save(update_fields=["title", "updated_at"])
    return record


@transaction.atomic
def attend(*, record_id: uuid.UUID, duration_ms: int) -> None:
    """A live session is being heard; so long is it by now. A length never shrinks."""
    Record.objects.filter(pk=record_id).update(
        last_heard_at=timezone.now(), duration_ms=Greatest(F("duration_ms"), duration_ms)
    )


@transaction.atomic
def begin_finishing(*, record_id: uuid.UUID) -> None:
    """No more audio will come; the last words may. Only a live record can begin to finish."""
    Record.objects.filter(pk=record_id, status=Record.Status.LIVE).update(status=Record.Status.FINISHING)


@transaction.atomic
def finish(*, record_id: uuid.UUID, duration_ms: int | None = None, ended_at: datetime | None = None) -> Record:
    """Everything said is here: seal the recording, then (if the person wants one) make the second pass."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    record.status, record.status_reason = Record.Status.FINISHING, ""
    record.ended_at = ended_at or timezone.now()
    record.duration_ms = max(record.duration_ms, duration_ms or 0)
    record.save(update_fields=["status", "status_reason", "ended_at", "duration_ms", "updated_at"])
    jobs.enqueue(record_id=record_id, kind=Job.Kind.SEAL)
    return record


@transaction.atomic
def reopen(*, record_id: uuid.UUID) -> Record:
    """Go on with a record: it is live again and shows its live text. Commit this before touching its spool.

    Sealing checks for this under the same row's lock before it drops a spool, so no frame can fall between.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    record.status, record.status_reason, record.ended_at = Record.Status.LIVE, "", None
    record.last_heard_at = timezone.now()
    record.current_version = Version.objects.live_of(record_id).latest("number")
    record.save()
    return record


@transaction.atomic
def add_version(
    *, record_id: uuid.UUID, kind: str, model: str, language: str, segments: Iterable[speech.Segment]
) -> Version:
    """Keep one more reading of a record, whole. It is not shown by itself."""
    version = Version.objects.create(
        record_id=record_id,
        number=Version.objects.next_number(record_id),
        kind=kind,
        model=clean(model)[:100],
        language=clean(language)[:16],
    )
    rows = []
    for order, segment in enumerate(segments):
        row = Segment(version=version, key=segment.key, order=order)
        _fill(row, segment, record_id)
        rows.append(row)
    Segment.objects.bulk_create(rows, batch_size=500)
    return version


@transaction.atomic
def show_version(*, record_id: uuid.UUID, number: int) -> Version:
    """Make this reading the one shown. Raises Version.DoesNotExist."""
    version = Version.objects.get(record_id=record_id, number=number)
    Record.objects.filter(pk=record_id).update(current_version=version, updated_at=timezone.now())
    return version


@transaction.atomic
def bin_record(*, record_id: uuid.UUID) -> None:
    """Put a record into the bin. Nothing of it is removed. Raises StillLive while somebody speaks it."""
    heard_since = timezone.now() - ATTENDED
    if Record.objects.filter(pk=record_id, status=Record.Status.LIVE, last_heard_at__gt=heard_since).exists():
        raise StillLive("This is being recorded. Finish it first; then it can go to the bin.")
    Record.objects.filter(pk=record_id, deleted_at=None).update(deleted_at=timezone.now())


@transaction.atomic
def restore_record(*, record_id: uuid.UUID) -> None:
    """Take a record out of the bin."""
    Record.objects.filter(pk=record_id).update(deleted_at=None, updated_at=timezone.now())
