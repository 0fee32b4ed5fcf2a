"""Every write of the library has a name. Each is atomic; none starts outside work but by ringing for a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from memweb.speech import transcript as speech
from memweb.speech.text import clean, line
from transcripts import jobs, queries, search
from transcripts.editor import carrying
from transcripts.errors import NotYours, StillLive
from transcripts.models import Edit, Job, Mark, Message, Record, Segment, Speaker, Version
from transcripts.values import word_row

UNHEARD = "The last words were not heard."
# A session that was not heard for so long has nobody at its microphone.
ATTENDED = timedelta(seconds=30)


class MessageRow(NamedTuple):
    """A provider's message as it arrived; `sequence` counts from 0 within its connection."""

    record_id: uuid.UUID
    connection: int
    sequence: int
    offset_ms: int
    dialect: str
    arrived_at: datetime
    raw: str | bytes


class FinalRow(NamedTuple):
    """A final of one record's live version."""

    record_id: uuid.UUID
    segment: speech.Segment


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
        search.index_title(record_id=record.pk)
    return record


@transaction.atomic
def save_messages(messages: Iterable[MessageRow]) -> None:
    """Keep messages verbatim, in one statement. Those already kept are left as they are.

    Ten rows a second for each live session: a model instance for each would be the most expensive part of a session.
    """
    fields = [field for field in Message._meta.concrete_fields if not field.primary_key]  # in MessageRow's order
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table, marks = connection.ops.quote_name(Message._meta.db_table), ", ".join(["%s"] * len(fields))
    insert = f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    record = cache(partial(Record._meta.pk.get_db_prep_save, connection=connection))
    moment = connection.ops.adapt_datetimefield_value
    rows = [
        (record(record_id), number, sequence, offset_ms, dialect, moment(arrived_at), _verbatim(raw))
        for record_id, number, sequence, offset_ms, dialect, arrived_at, raw in messages
    ]
    with connection.cursor() as cursor:
        cursor.executemany(insert, rows)


def _verbatim(raw: str | bytes) -> bytes:
    return raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw


def save_final(*, record_id: uuid.UUID, segment: speech.Segment) -> Segment:
    """Put a final into the live version: a key seen before is replaced in place, save where a person wrote over it."""
    return save_finals([FinalRow(record_id, segment)])[0]


@transaction.atomic
def save_finals(finals: Sequence[FinalRow]) -> list[Segment]:
    """As `save_final`, for many at once, of any records, in their order; as many statements as for one."""
    live = Version.objects.live_of_each({final.record_id for final in finals})
    orders = dict(live.values())
    places = [(live[final.record_id][0], final.segment.key) for final in finals]
    rows = Segment.objects.locked_at(places)
    for (record_id, segment), place in zip(finals, places, strict=True):
        if place not in rows:
            orders[place[0]] += 1
            rows[place] = Segment(version_id=place[0], key=place[1], order=orders[place[0]])
        if not _written_over(rows[place]):
            _fill(rows[place], segment, record_id)
    Segment.objects.bulk_update([row for row in rows.values() if row.pk and not _written_over(row)], FILLED)
    Segment.objects.bulk_create([row for row in rows.values() if not row.pk])
    search.index_segments(segment_ids=[row.pk for row in rows.values()])
    return [rows[place] for place in places]


def _written_over(row: Segment) -> bool:
    return row.revision > 0


FILLED = ["start_ms", "end_ms", "text", "words", "channel", "language", "speaker"]


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
    if key in _voiced_by_hand(Edit.objects.filter(record_id=record_id, after__segments__has_key=key)):
        return
    row = _speaker(record_id, speaker) if speaker is not None else None
    segments = Segment.objects.filter(version__record_id=record_id, version__kind=Version.Kind.LIVE, key=key)
    segments.update(speaker=row)
    search.index_segments(segment_ids=segments.values_list("pk", flat=True))


@transaction.atomic
def merge_labels(*, record_id: uuid.UUID, gone: str, kept: str) -> None:
    """The provider found that two of its labels are one voice. A voice that a person named keeps that name."""
    speakers = Speaker.objects.filter(record_id=record_id)
    former = speakers.filter(label=clean(gone)[:64]).first()
    if former is None or gone == kept:
        return
    voice = _speaker(record_id, kept)
    if former.name and not voice.name:
        voice.name = former.name
        voice.save(update_fields=["name"])
    segments = Segment.objects.filter(version__record_id=record_id, version__kind=Version.Kind.LIVE, speaker=former)
    ids = list(segments.values_list("pk", flat=True))
    segments.update(speaker=voice)
    search.index_segments(segment_ids=ids)


@transaction.atomic
def note_model(*, record_id: uuid.UUID, model: str) -> None:
    """Say which engine or provider model makes the live text. Where several did, after one another, all are named."""
    for version in Version.objects.live_of(record_id).select_for_update():
        known = version.model.split(", ") if version.model else []
        if clean(model) not in known:
            version.model = ", ".join([*known, clean(model)])[:100]
            version.save(update_fields=["model"])


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
    search.index_segments(segment_ids=[row.pk])
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
def add_mark(*, record_id: uuid.UUID, at_ms: int, note: str = "", is_gap: bool = False) -> Mark:
    """Mark a moment. The same moment twice is one mark."""
    fields = {"note": clean(note)[:500], "is_gap": is_gap}
    return Mark.objects.get_or_create(record_id=record_id, at_ms=at_ms, defaults=fields)[0]


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
        search.index_title(record_id=record.pk)
    return record


@transaction.atomic
@transaction.atomic
def attend(lengths: Mapping[uuid.UUID, int]) -> None:
    """These live sessions are being heard; so many milliseconds long is each by now. A length never shrinks.

    One statement for all: ten are attended each second where fifty speak.
    """
    table = connection.ops.quote_name(Record._meta.db_table)
    heard = connection.ops.adapt_datetimefield_value(timezone.now())
    key = partial(Record._meta.pk.get_db_prep_save, connection=connection)
    update = (
        f"UPDATE {table} SET last_heard_at = %s,"  # noqa: S608
        " duration_ms = CASE WHEN duration_ms < %s THEN %s ELSE duration_ms END WHERE id = %s"
    )
    with connection.cursor() as cursor:
        cursor.executemany(update, [(heard, length, length, key(record_id)) for record_id, length in lengths.items()])


@transaction.atomic
def begin_finishing(*, record_id: uuid.UUID) -> None:
    """No more audio will come; the last words may. Only a live record can begin to finish."""
    Record.objects.filter(pk=record_id, status=Record.Status.LIVE).update(status=Record.Status.FINISHING)


@transaction.atomic
def finish(
    *, record_id: uuid.UUID, duration_ms: int | None = None, ended_at: datetime | None = None, unheard: str = ""
) -> Record:
    """All that was heard is here: seal the recording, then (if the person wants one) make the second pass.

    `unheard` says, in the words of the function of that name, that sound was left without words: then the second pass
    is made in any case.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    record.status, record.status_reason = Record.Status.FINISHING, ""
    record.ended_at = ended_at or timezone.now()
    record.duration_ms = max(record.duration_ms, duration_ms or 0)
    record.save(update_fields=["status", "status_reason", "ended_at", "duration_ms", "updated_at"])
    job = jobs.enqueue(record_id=record_id, kind=Job.Kind.SEAL)
    if job.options.get("unheard", "") != unheard:  # one that was left from before the recording went on
        Job.objects.filter(pk=job.pk).update(options={"unheard": unheard})
    return record


def unheard(cause: str) -> str:
    """What a record says of itself while its text lacks words of the recording; `cause` is a sentence, or empty."""
    rest = "The recording is whole: transcribe it again to have all of it."
    return " ".join(filter(None, [UNHEARD, cause[:300], rest]))


@transaction.atomic
def reopen(*, record_id: uuid.UUID) -> Record:
    """Go on with a record: it is live again and shows its live text. Commit this before touching its spool.

    Corrections of the text shown so far are made in the live text too: nothing that was corrected is hidden by it.
    Sealing checks for this under the same row's lock before it drops a spool, so no frame can fall between.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    record.status, record.status_reason, record.ended_at = Record.Status.LIVE, "", None
    record.last_heard_at = timezone.now()
    shown, live = record.current_version, Version.objects.live_of(record_id).latest("number")
    record.current_version = live
    record.save()
    if shown is not None and shown != live and queries.is_edited(record_id):
        carrying.carry_over(source=shown, target=live)
    if shown != live:
        search.index_record(record_id=record_id)
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
        row = Segment(version=version, key=segment.key, order=order, opens=segment.opens)
        _fill(row, segment, record_id)
        rows.append(row)
    Segment.objects.bulk_create(rows, batch_size=500)
    return version


@transaction.atomic
def show_version(*, record_id: uuid.UUID, number: int) -> Version:
    """Make this reading the one shown. Raises Version.DoesNotExist.

    What was not dictated is in the language of what is shown. A dictation goes on in the one it was asked for in.
    """
    version = Version.objects.get(record_id=record_id, number=number)
    if version.kind != Version.Kind.LIVE:  # made of the whole recording, where it is younger than its end
        lacking = Record.objects.filter(pk=record_id, status_reason__startswith=UNHEARD)
        lacking.filter(ended_at__lt=version.created_at).update(status_reason="")
    Record.objects.filter(pk=record_id).update(current_version=version, updated_at=timezone.now())
    if version.language:
        heard = Record.objects.filter(pk=record_id).exclude(source=Record.Source.DICTATION)
        heard.update(language=version.language)
    search.index_record(record_id=record_id)
    return version


@transaction.atomic
def become_ready(*, record_id: uuid.UUID, reason: str | None = None) -> None:
    """Its text is there, and can be read; `reason` is something the person should know of it, beside what is told."""
    told = {} if reason is None else {"status_reason": reason}
    now = timezone.now()
    waiting = Record.objects.filter(pk=record_id, status__in=[Record.Status.FINISHING, Record.Status.FAILED])
    waiting.update(status=Record.Status.READY, ended_at=now, updated_at=now, **told)


@transaction.atomic
def transcribe_again(*, record_id: uuid.UUID, options: Mapping[str, Any]) -> Job:
    """Have the recording heard once more, as these options say. What can be read now stays, and so do corrections."""
    Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    return jobs.enqueue(record_id=record_id, kind=Job.Kind.TRANSCRIBE, options=options)


def keep_result(*, record_id: uuid.UUID, dialect: str, raw: bytes, of: int | None = None) -> None:
    """Keep a finished result verbatim, as a connection of its own; `of`: with that of the result it tells more of."""
    place = of or queries.next_connection(record_id)
    message = MessageRow(
        record_id=record_id,
        connection=place,
        sequence=queries.next_sequence(record_id, place),
        offset_ms=0,
        dialect=f"batch:{dialect}",
        arrived_at=timezone.now(),
        raw=raw,
    )
    save_messages([message])


@transaction.atomic
def set_speakers(*, version: Version, speakers: Mapping[str, str]) -> None:
    """Say who speaks in these segments, by key; those a person assigned are left alone."""
    own = _voiced_by_hand(Edit.objects.filter(version=version))
    by_label: dict[str, list[str]] = {}
    for key in speakers.keys() - own:
        by_label.setdefault(speakers[key], []).append(key)
    for label, keys in sorted(by_label.items()):
        version.segments.filter(key__in=keys).update(speaker=_speaker(version.record_id, label))
    search.index_segments(segment_ids=version.segments.filter(key__in=list(speakers)).values_list("pk", flat=True))


def _voiced_by_hand(edits: QuerySet[Edit]) -> set[str]:
    """Keys of segments that a person gave a voice, also by joining them to a paragraph that has one."""
    own: set[str] = set()
    for edit in edits.filter(kind__in=[Edit.Kind.SPEAKER, Edit.Kind.CARRIED, Edit.Kind.MERGED]):
        told = {key: fields for key, fields in edit.after.get("segments", {}).items() if fields and "speaker" in fields}
        own |= {key for key, fields in told.items() if fields["speaker"] or edit.kind != Edit.Kind.MERGED}
    return own


@transaction.atomic
def bin_record(*, record_id: uuid.UUID) -> None:
    """Put a record into the bin. Nothing of it is removed. Raises StillLive while somebody speaks it."""
    heard_since = timezone.now() - ATTENDED
    if Record.objects.filter(pk=record_id, status=Record.Status.LIVE, last_heard_at__gt=heard_since).exists():
        raise StillLive("This is being recorded. Finish it first; then it can go to the bin.")
    Record.objects.filter(pk=record_id, deleted_at=None).update(deleted_at=timezone.now())
    search.forget_record(record_id=record_id)


@transaction.atomic
def restore_record(*, record_id: uuid.UUID) -> None:
    """Take a record out of the bin."""
    Record.objects.filter(pk=record_id).update(deleted_at=None, updated_at=timezone.now())
    search.index_record(record_id=record_id)
