"""What is done with records as wholes, one or many: pin, archive, tag, bin, and let go of for good.

Each takes ids and does nothing to records of anybody else, nor to ids that are not there.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from memweb.speech.text import line
from transcripts import recordings, services, uploads
from transcripts.errors import StillLive
from transcripts.models import Record, Recording, Tag, Upload
from transcripts.queries import RecordQuerySet

LONGEST_TAG = 64


def pin(*, owner_id: int, ids: Sequence[uuid.UUID], pinned: bool) -> int:
    """Keep them above the rest, or no longer. How many."""
    return _of(owner_id, ids).update(pinned_at=timezone.now() if pinned else None)


def archive(*, owner_id: int, ids: Sequence[uuid.UUID], archived: bool) -> int:
    """Out of the list, though still found; or back into it. How many."""
    return _of(owner_id, ids).update(archived_at=timezone.now() if archived else None)


@transaction.atomic
def tag(*, owner_id: int, ids: Sequence[uuid.UUID], name: str) -> int:
    """Give them a tag, made where there is none of this name in any case. How many; none without a name."""
    name = line(name).lstrip("#").strip()[:LONGEST_TAG]
    if not name:
        return 0
    made = next(iter(_called(owner_id, name)), None) or Tag.objects.create(owner_id=owner_id, name=name)
    through: Any = Record.tags.through
    found = list(_of(owner_id, ids).values_list("pk", flat=True))
    through.objects.bulk_create(
        [through(record_id=pk, tag_id=made.pk) for pk in found], ignore_conflicts=True, batch_size=500
    )
    return len(found)


def _called(owner_id: int, name: str) -> list[Tag]:
    """Of this name in any case; compared here, since of capitals SQLite knows those of ASCII only."""
    tags = Tag.objects.filter(owner_id=owner_id).order_by("pk")
    return [tag for tag in tags if tag.name.casefold() == name.casefold()]


@transaction.atomic
def untag(*, owner_id: int, ids: Sequence[uuid.UUID], name: str) -> int:
    """Take a tag off them; one that nothing has any more goes. How many had it."""
    name = line(name).lstrip("#").strip()
    through: Any = Record.tags.through
    links = through.objects.filter(record__in=_of(owner_id, ids), tag__in=_called(owner_id, name))
    count = int(links.delete()[0])
    Tag.objects.filter(owner_id=owner_id, records=None).delete()
    return count


def bin_records(*, owner_id: int, ids: Sequence[uuid.UUID]) -> tuple[int, int]:
    """Into the bin: how many are, and how many are not because somebody speaks them."""
    live = 0
    found = list(_of(owner_id, ids).values_list("pk", flat=True))
    for pk in found:
        try:
            services.bin_record(record_id=pk)
        except StillLive:
            live += 1
    return len(found) - live, live


def restore_records(*, owner_id: int, ids: Sequence[uuid.UUID]) -> int:
    """Out of the bin again. How many."""
    found = list(_binned(owner_id, ids).values_list("pk", flat=True))
    for pk in found:
        services.restore_record(record_id=pk)
    return len(found)


def erase(*, owner_id: int, ids: Sequence[uuid.UUID]) -> int:
    """Let go of them for good, with their recordings: only of what is in the bin. How many."""
    found = list(_binned(owner_id, ids).values_list("pk", flat=True))
    for pk in found:
        _erase(pk)
    return len(found)


@transaction.atomic
def _erase(record_id: uuid.UUID) -> None:
    """The rows first: files whose rows are gone are waste, rows whose files are gone are a loss."""
    files = [recordings.spool_path(record_id)]
    files += [recordings.audio_path(recording) for recording in Recording.objects.filter(record_id=record_id)]
    files += [uploads.path_of(pk) for pk in Upload.objects.filter(record_id=record_id).values_list("pk", flat=True)]
    found = Upload.objects.filter(record_id=record_id)
    found.exclude(fingerprint__startswith=uploads.WATCHED).delete()
    found.update(name="", sha256="", options={})  # a file that still lies in the watched folder does not come again
    Record.objects.filter(pk=record_id).delete()
    transaction.on_commit(lambda: _remove(files))


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _of(owner_id: int, ids: Sequence[uuid.UUID]) -> RecordQuerySet:
    return Record.objects.filter(owner_id=owner_id, pk__in=ids, deleted_at=None)


def _binned(owner_id: int, ids: Sequence[uuid.UUID]) -> RecordQuerySet:
    return Record.objects.filter(owner_id=owner_id, pk__in=ids, deleted_at__isnull=False)
