"""Lines of an archive become rows, with the times they had."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import models

from memweb.accounts.models import User
from memweb.speech.text import line as one_line
from transcripts.archive import kinds, lines
from transcripts.archive.kinds import Kind
from transcripts.archive.lines import Line, Wrong
from transcripts.callbacks.inbox import Callback
from transcripts.models import Job, Record, Recording, Tag, Upload

_BATCH = 500
IN_BULK = {"speaker", "segment", "mark", "message"}
SETTLED = {"record": {"ready", "failed"}, "job": {"done", "failed", "cancelled"}, "upload": {"taken"}}


def tag_of(owner: User, name: str) -> Tag:
    if not 0 < len(name) <= 64 or one_line(name) != name:
        raise Wrong("a tag has no name that can be kept")
    return Tag.objects.get_or_create(owner=owner, name=name)[0]


class Rows:
    """The rows of one record. Call within a transaction."""

    def __init__(self, owner: User, place: uuid.UUID, sound: bool, kept: dict[int, uuid.UUID]) -> None:
        self._owner, self._place, self._sound, self._kept = owner, place, sound, kept
        self._links: dict[str, dict[Any, Any]] = {
            "version": {}, "speaker": {}, "edit": {}, "job": {}, "owner": {"owner": owner.pk},
        }  # fmt: skip
        self._waiting: list[models.Model] = []
        self._counts: Counter[str] = Counter()
        self._shown: Any = None

    def keep(self, told: Iterable[Line]) -> None:
        """Raises Damaged, Wrong, IntegrityError, DataError."""
        told = iter(told)
        first = next(told, None)
        if first is None or first.kind != "record":
            raise Wrong("its first line is not about it")
        self._record(first.fields)
        for line in told:
            self._line(line)
        self._flush()
        if self._shown is not None:
            shown = self._links["version"].get(self._shown) if isinstance(self._shown, int) else None
            if shown is None:
                raise Wrong("the version it shows is not there")
            Record.objects.filter(pk=self._place).update(current_version=shown)

    def _record(self, fields: dict[str, Any]) -> None:
        fields = dict(fields)
        tags, self._shown = fields.pop("tags", []), fields.pop("current_version", None)
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise Wrong("its tags cannot be read")
        record = self._row(kinds.RECORD, fields)
        record.pk, record.owner = self._place, self._owner
        _keep(record)
        record.tags.add(*(tag_of(self._owner, lines.storable(tag)) for tag in tags))

    def _row(self, kind: Kind, fields: dict[str, Any]) -> Any:
        row: Any = lines.row_of(kind, fields, self._links)
        if kind.name in SETTLED and row.status not in SETTLED[kind.name]:
            raise Wrong(f"a {kind.name} is still under way")
        return row

    def _line(self, line: Line) -> None:
        kind = kinds.BY_NAME.get(line.kind)
        if kind is None:
            raise Wrong(lines.NEWER)
        if kind not in kinds.OF_A_RECORD or kind is kinds.RECORD:
            raise Wrong(f"a {kind.name} lies among its lines")
        if self._waiting and (type(self._waiting[0]) is not kind.model or len(self._waiting) >= _BATCH):
            self._flush()
        row = self._row(kind, line.fields)
        self._counts[kind.name] += 1
        if kind is not kinds.SEGMENT and kind is not kinds.CALLBACK:
            row.record_id = self._place
        if kind.name in IN_BULK:
            self._waiting.append(row)
        elif kind is kinds.RECORDING:
            if self._sound:
                keep_recording(row, self._place)
        elif kind is kinds.UPLOAD:
            self._upload(row)
        elif kind is kinds.CALLBACK:
            row.owner = self._owner
            keep_callback(row)
        else:
            self._linked(kind, row)

    def _upload(self, row: Upload) -> None:
        number = self._counts["upload"]
        row.pk, row.owner = self._kept.get(number, row.pk), self._owner
        _keep(row)

    def _linked(self, kind: Kind, row: Any) -> None:
        """What later lines may point to."""
        if kind is kinds.JOB and row.task_id and _is_asked_for(row):
            row.task_id = ""
        _keep(row)
        self._links[kind.name][row.number if kind is kinds.VERSION else self._counts[kind.name]] = row.pk

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows, self._waiting = self._waiting, []
        made: Any = type(rows[0])._default_manager.bulk_create(rows)
        if type(rows[0]) is kinds.SPEAKER.model:
            self._links["speaker"] |= {row.label: row.pk for row in made}


def _is_asked_for(job: Job) -> bool:
    """Whether a job of this house waits under the same name."""
    return Job.objects.filter(gateway=job.gateway, task_id=job.task_id).exists()


def _keep(row: models.Model) -> None:
    """As it is, with the times it had: `save` would say that it was made now."""
    row.save_base(raw=True, force_insert=True)


def keep_recording(recording: Recording, record_id: uuid.UUID) -> None:
    recording.record_id, recording.path = record_id, f"{record_id}.flac"
    _keep(recording)


def keep_callback(row: Callback) -> None:
    if row.delivery_id and Callback.objects.filter(owner_id=row.owner_id, delivery_id=row.delivery_id).exists():
        row.delivery_id = ""
    _keep(row)
