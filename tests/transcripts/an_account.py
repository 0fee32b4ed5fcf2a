"""An account with something of everything, and its rows told so that two databases can be compared."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import models
from django.utils import timezone

from memweb.accounts import services as accounts
from memweb.accounts.models import User
from memweb.speech import envelope
from memweb.speech import transcript as speech
from tests.transcripts import making, posting
from transcripts import jobs, recordings, services, shelving, streams
from transcripts.callbacks import applying
from transcripts.editor import carrying, editing
from transcripts.models import Edit, Job, Record, Recording, Tag, Upload, Version
from transcripts.recordings import audio_path
from transcripts.services import MessageRow
from transcripts.uploads import path_of

HOSTILE = "<script>alert(1)</script> \u202eevil\u202c \u200b\u2067 ‘’ 東京 ไทย e\u0301 \U0001f600 " + "x" * 10_000
BEGAN = datetime(2025, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)


def fill(owner: User) -> None:
    """Every model and every field of the library holds something that would be missed."""
    _talk(owner)
    _sealed(owner, seconds=1.3)
    shelving.bin_records(owner_id=owner.pk, ids=[making.dictation(owner, "Let go of this.", title=HOSTILE[:300]).pk])
    archived = making.dictation(owner, HOSTILE, title="Archived")
    shelving.archive(owner_id=owner.pk, ids=[archived.pk], archived=True)
    _failed(owner)
    _live(owner)
    _stream(owner)
    _damaged_file(owner)
    _letters(owner)
    Tag.objects.create(owner=owner, name="of nothing")
    accounts.save_preferences(
        user=owner, provider="elevenlabs", language="pt", even_loudness=False, remove_noise=True, cancel_echo=True,
        pause_after=10, single_keys=False, second_pass=False, file_options={"language": "pt", "diarize": True},
        export_options={"format": "srt"},
        gateway_url="https://gateway.example", gateway_key=b"sealed-secret",
    )  # fmt: skip
    _let_time_pass(owner)


def _let_time_pass(owner: User) -> None:
    """Times that nobody could have made anew by accident."""
    for number, record in enumerate(Record.objects.filter(owner=owner).order_by("started_at", "pk")):
        made = BEGAN + timedelta(days=number, microseconds=number + 1)
        Record.objects.filter(pk=record.pk).update(created_at=made, updated_at=made + timedelta(hours=5))
        Version.objects.filter(record=record).update(created_at=made + timedelta(minutes=1))
        Edit.objects.filter(record=record).update(made_at=made + timedelta(minutes=2))
        Recording.objects.filter(record=record).update(sealed_at=made + timedelta(minutes=3))
        Job.objects.filter(record=record).update(created_at=made + timedelta(minutes=4))


def _talk(owner: User) -> Record:
    """Versions, speakers, edits of every kind, marks, tags, provider's messages."""
    record = making.dictation(owner, "The last ferry leaves at six.", "And nobody sees it go.", title="Ferry")
    said = [
        making.line("a", 0, "The last ferry leaves at six tonight", speaker="A"),
        making.line("b", 4000, "and nobody sees it go anyway", speaker="B"),
        making.line("c", 9000, f"they say {HOSTILE}", speaker="A"),
        speech.Segment("d", 12_000, 13_000, "laughs", (speech.Word("laughs", 12_000, 13_000, 0.5, "B", "audio_event"),),
                       "B", channel=1, language="pt"),
    ]  # fmt: skip
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="whisper", language="en", segments=said
    )
    services.show_version(record_id=record.pk, number=version.number)
    me = owner.pk
    editing.rewrite(version=version, keys=["a"], revisions=[0], text="The first ferry leaves at seven", user_id=me)
    editing.split(version=version, keys=["b"], revisions=[0], at=11, user_id=me)
    editing.remove(version=version, keys=["d"], revisions=[0], user_id=me)
    editing.undo(version=version, user_id=me)
    editing.assign(version=version, keys=["c"], revisions=[0], name="Maya \u202eyaM", user_id=me)
    editing.rename_speaker(speaker=record.speakers.get(label="A"), name="Dr Osei", user_id=me)
    editing.remove(version=version, keys=["d"], revisions=[2], user_id=me)
    services.rename(record_id=record.pk, title="Ferry <b>notes</b>", user_id=me)
    again = services.add_version(
        record_id=record.pk, kind=Version.Kind.RETRANSCRIBED, model="other", language="en",
        segments=[making.line("z", 0, "Something else altogether was said here")],
    )  # fmt: skip
    carrying.carry_over(source=version, target=again)
    assert Version.objects.get(pk=again.pk).unplaced
    for at, note in ((1500, "<b>here</b>"), (7000, "")):
        services.add_mark(record_id=record.pk, at_ms=at, note=note)
    shelving.tag(owner_id=owner.pk, ids=[record.pk], name="Radio")
    shelving.tag(owner_id=owner.pk, ids=[record.pk], name="東京 notes")
    shelving.pin(owner_id=owner.pk, ids=[record.pk], pinned=True)
    raws: list[str | bytes] = ['{"text": "six"}', b"\xff\x00\xfe not text", "\ud800 alone", "NUL \x00 within", ""]
    services.save_messages(
        MessageRow(record.pk, 1 + number // 3, number, 250, "elevenlabs", BEGAN + timedelta(seconds=number), raw)
        for number, raw in enumerate(raws)
    )
    Record.objects.filter(pk=record.pk).update(
        gateway="https://gateway.example", provider="elevenlabs", status_reason="It says: <i>so</i>"
    )
    return record


def _sealed(owner: User, *, seconds: float) -> Record:
    """A recording, sealed as the worker does it."""
    record = making.dictation(owner, "With its sound.", title="Sound", finished=False)
    making.spool(record, making.sound(seconds))
    services.finish(record_id=record.pk)
    jobs.run(job_id=Job.objects.get(record=record, kind=Job.Kind.SEAL).pk, work=recordings.seal)
    Job.objects.filter(record=record, kind=Job.Kind.SECOND_PASS).update(
        status=Job.Status.CANCELLED, reason="You stopped this.", ended_at=timezone.now()
    )
    return record


def _failed(owner: User) -> None:
    """Its sealing failed: the sound is in the spool alone."""
    record = making.dictation(owner, "Could not be sealed.", title="Failed", finished=False)
    making.spool(record, making.sound(0.5, seed=2))
    services.finish(record_id=record.pk)
    taken = jobs.take(job_id=Job.objects.get(record=record).pk, holder="test")
    assert taken is not None
    jobs.fail(job_id=taken.pk, holder="test", reason=recordings.DISK_FULL, final=True)


def _live(owner: User) -> None:
    record = making.dictation(owner, "Still being said", title="Live", finished=False)
    making.spool(record, making.sound(0.4, seed=3))
    services.attend({record.pk: 400})


def _stream(owner: User) -> None:
    """A stream that ended, with its callbacks."""
    streams.begin(owner_id=owner.pk, title="Air", provider="assemblyai", gateway="", task_id="task-of-the-stream")
    ended = envelope.stream_callback("task-of-the-stream", int(envelope.StreamStatus.STOPPED))
    posting.store(owner, posting.turn("task-of-the-stream", 0, "On air."), ended, ids=True)
    streams.begin(owner_id=owner.pk, title="On air still", provider="assemblyai", task_id="task-that-goes-on")
    posting.store(owner, posting.turn("task-that-goes-on", 0, "And on."))
    applying.apply_waiting()


def _damaged_file(owner: User) -> None:
    """A file that was read as far as it went, and is kept as it came."""
    record = making.dictation(owner, "Cut off", title="Tape")
    Record.objects.filter(pk=record.pk).update(source=Record.Source.FILE)
    upload = Upload.objects.create(
        owner=owner, name="tape \u202e1.mp3", size=9, offset=9, fingerprint="f", sha256="5" * 64,
        status=Upload.Status.TAKEN, options={"language": "en"}, record=record, touched_at=BEGAN,
    )  # fmt: skip
    Path(path_of(upload.pk)).parent.mkdir(parents=True, exist_ok=True)
    path_of(upload.pk).write_bytes(b"as it \xff came")


def _letters(owner: User) -> None:
    """Callbacks of no record."""
    posting.store(owner, posting.turn("nobody-asked", 0, "No one."), b"\xff\x00 no JSON", b'{"task_id": 5}', ids=True)
    applying.apply_waiting()


NAMED_ANEW = {"Recording.path", "Upload.id"}
"""Names that each house gives by itself."""


def rows(owner: User) -> dict[str, list[dict[str, Any]]]:
    """By model: every row of the library that is this person's, field by field, pointing to others by what they are.

    Walks whatever models and fields there are, and knows nothing of how an archive is made.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for model in apps.get_app_config("transcripts").get_models():
        if model.__name__ in ("Passage", "Hook", "Share"):  # made anew by each house
            continue
        told = [_told(row, owner) for row in _of(model, owner)]
        found[model.__name__] = sorted(told, key=lambda one: json.dumps(one, sort_keys=True))
    return found


def _of(model: Any, owner: User) -> Any:
    names = {field.name for field in model._meta.concrete_fields}
    for path in ("owner", "record__owner", "version__record__owner"):
        if path.split("__")[0] in names:
            return model.objects.filter(**{path: owner}).order_by("pk")
    raise AssertionError(f"whose is a {model.__name__}?")


def _told(row: Any, owner: User) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        name = f"{type(row).__name__}.{field.name}"
        if isinstance(field, models.AutoField | models.BigAutoField) or name in NAMED_ANEW:
            continue
        value = getattr(row, field.name)
        told[field.name] = _pointed(value, owner) if field.is_relation else _plain(value)
    for field in row._meta.many_to_many:
        told[field.name] = sorted(_pointed(value, owner) for value in getattr(row, field.name).all())
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def _pointed(value: Any, owner: User) -> Any:
    """A row by what it is, wherever it lies."""
    if value is None:
        return None
    if isinstance(value, User):
        return "owner" if value == owner else "somebody else"
    if isinstance(value, Record):
        return str(value.pk)
    if isinstance(value, Version):
        return [str(value.record_id), value.number]
    if isinstance(value, Edit | Job):
        return [str(value.record_id), type(value).objects.filter(record=value.record_id, pk__lt=value.pk).count()]
    return getattr(value, "label", None) or value.name


def files(owner: User) -> dict[str, bytes]:
    """What lies beside the rows."""
    found = {f"{pk}.flac": audio_path(row).read_bytes() for row in Recording.objects.filter(record__owner=owner)
             for pk in [row.record_id]}  # fmt: skip
    for pk in Record.objects.filter(owner=owner).values_list("pk", flat=True):
        if recordings.spool_path(pk).exists():
            found[f"{pk}.mwspool"] = recordings.spool_path(pk).read_bytes()
    for upload in Upload.objects.filter(owner=owner):
        if path_of(upload.pk).exists():
            found[f"{upload.record_id}/{upload.name}"] = path_of(upload.pk).read_bytes()
    return found
