"""Resumable uploads: offset in, bytes appended and synced, digest checked; only then is the new offset told.

`Upload.offset` is the truth. What a crash left in the file behind it is cut off before the next piece is written, so a
page never sends more than one piece twice. Two pieces at once: the file's lock lets one of them in.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from memweb.speech.text import line, plain
from transcripts import jobs, search
from transcripts.errors import Busy, Damaged, NoRoom, TooLarge, TooMany, WrongOffset
from transcripts.models import Job, Record, Upload
from transcripts.shown.wording import megabytes

PIECE = 256 * 1024
RESERVE = 512 * 2**20
"""Bytes of the disk that no upload may take: the database and live recordings need them."""
COMING = timedelta(minutes=10)
"""An upload that has moved within so long is on its way: the room for the rest of it is spoken for."""
SHARE = 0.75
"""Of the room, what one person's announcements may keep from others: to announce costs nothing."""
MOST_UNFINISHED = 500
"""Of one person. The page sends three at a time, however many are dropped; what a closed tab left counts as well."""
WAIT_S = 60
"""After so long, who has announced too many may ask again."""
WATCHED = "watched:"
"""Before the fingerprint of a file that a watched folder holds: its row says that it was taken."""
ALGORITHMS = ("sha1", "sha256", "md5")

NO_ROOM = "There is not enough room on this server's disk for this file. Free some space, then try again."


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the sender says the piece's digest is."""

    algorithm: str
    """One of ALGORITHMS."""
    digest: bytes


def path_of(upload_id: uuid.UUID) -> Path:
    return Path(settings.UPLOAD_DIR) / f"{upload_id}.part"


def largest() -> int:
    """Bytes a file may have."""
    return int(settings.MAX_UPLOAD_MB) * 10**6


def begin(
    *, owner_id: int, name: str, size: int, fingerprint: str = "", options: Mapping[str, Any] | None = None
) -> Upload:
    """Announce a file: from then on its room is spoken for. Raises TooLarge, TooMany, NoRoom."""
    if size > largest():
        raise TooLarge(f"This file is larger than {megabytes(largest())}, the most one may be here.")
    with _one_at_a_time():
        if Upload.objects.unfinished_of(owner_id).count() >= MOST_UNFINISHED:
            raise TooMany(
                f"{MOST_UNFINISHED} files of yours have begun and are not whole. "
                "Let them go on, or remove some on the Upload page, then try again."
            )
        room = _free()
        if room < size + _spoken_for(owner_id, room):
            raise NoRoom(NO_ROOM)
        upload = Upload.objects.create(
            owner_id=owner_id,
            name=named(name),
            size=size,
            fingerprint=line(fingerprint)[:200],
            options=dict(options or {}),
            touched_at=timezone.now(),
        )
        path_of(upload.pk).touch(mode=0o600)
        return upload


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """While nobody else announces, in whatever process: of two who see the last room, one finds it taken."""
    folder = Path(settings.UPLOAD_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with transaction.atomic():
            yield
    finally:
        os.close(held)


def _spoken_for(owner_id: int, room: int) -> int:
    """Bytes of the room that are on their way: all of this person's, and of each other's up to SHARE of the room."""
    others_most = max(int(room * SHARE), 0)
    coming = Upload.objects.to_come(timezone.now() - COMING)
    return sum(rest if owner == owner_id else min(rest, others_most) for owner, rest in coming.items())


def _free() -> int:
    """Bytes of the disk that uploads may still take."""
    return shutil.disk_usage(settings.UPLOAD_DIR).free - RESERVE


def named(name: str) -> str:
    """A file's name as it may be shown: its last part, on one line."""
    return plain(name.replace("\\", "/").rpartition("/")[2])[:300] or "Unnamed"


def append(*, upload_id: uuid.UUID, offset: int, pieces: Iterable[bytes], checksum: Checksum | None = None) -> Upload:
    """Take the bytes that follow `offset`, safe on disk before this returns.

    Raises WrongOffset, Busy, Damaged, TooLarge, NoRoom; then nothing of them counts. Raises Upload.DoesNotExist.
    """
    with _alone(upload_id) as file:
        upload = Upload.objects.get(pk=upload_id, status=Upload.Status.RECEIVING)
        if offset != upload.offset:
            raise WrongOffset(f"The next byte is number {upload.offset}.")
        file.seek(offset)
        file.truncate()
        try:
            count = _write(file, pieces, upload.size - offset, checksum)
        except NoRoom:
            file.truncate(offset)
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoRoom(NO_ROOM) from error
            raise
        upload.offset += count
        upload.touched_at = timezone.now()
        upload.save(update_fields=["offset", "touched_at"])
    return upload


@contextmanager
def _alone(upload_id: uuid.UUID) -> Iterator[BinaryIO]:
    """The file, while nobody else writes to it."""
    try:
        file = path_of(upload_id).open("r+b")
    except FileNotFoundError:
        raise Upload.DoesNotExist(str(upload_id)) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("Another piece of this file is being written. Try again in a moment.") from None
        yield file


def _write(file: BinaryIO, pieces: Iterable[bytes], room: int, checksum: Checksum | None) -> int:
    digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > room:
            raise TooLarge("More came than was announced.")
        if _free() < len(piece):
            raise NoRoom(NO_ROOM)
        file.write(piece)
        if digest is not None:
            digest.update(piece)
    if checksum and digest and digest.digest() != checksum.digest:
        raise Damaged("These bytes were damaged on the way. Send them again.")
    file.flush()
    os.fsync(file.fileno())
    return count


@transaction.atomic
def take(*, upload_id: uuid.UUID) -> Upload:
    """Make a record of a whole upload, and have it read. The same again changes nothing."""
    upload = Upload.objects.select_for_update(of=("self",)).get(pk=upload_id)
    if upload.status != Upload.Status.RECEIVING or upload.offset != upload.size:
        return upload
    record = _record_of(upload)
    upload.record, upload.status = record, Upload.Status.TAKEN
    upload.save(update_fields=["record", "status"])
    search.index_title(record_id=record.pk)
    jobs.enqueue(record_id=record.pk, kind=Job.Kind.PREPARE, options=upload.options)
    return upload


def _record_of(upload: Upload) -> Record:
    return Record.objects.create(
        owner_id=upload.owner_id,
        title=title_of(upload.name),
        source=Record.Source.FILE,
        status=Record.Status.FINISHING,
        language=str(upload.options.get("language", ""))[:16],
        provider=str(upload.options.get("provider", ""))[:32],
        started_at=timezone.now(),
    )


def title_of(name: str) -> str:
    """The name without its ending, where it has a short one."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and 0 < len(ending) <= 5 and ending.isalnum() else name


@transaction.atomic
def refuse(*, upload_id: uuid.UUID, reason: str) -> None:
    """It is no recording: say so until it is dismissed. Its bytes go. The same bytes dropped beside it are none too."""
    same = Upload.objects.filter(status=Upload.Status.DUPLICATE, duplicate_of__uploads=upload_id)
    same.update(status=Upload.Status.REFUSED, reason=reason[:500])
    _settle(upload_id, Upload.Status.REFUSED, reason)


@transaction.atomic
def bring_in(*, upload_id: uuid.UUID, told: str, trouble: str) -> None:
    """It was an archive, and what is in it is here: say what came of it until it is dismissed. Its bytes go."""
    Upload.objects.filter(pk=upload_id).update(options={"told": told})
    _settle(upload_id, Upload.Status.BROUGHT_IN, trouble)


@transaction.atomic
def _settle(upload_id: uuid.UUID, status: Upload.Status, reason: str) -> None:
    upload = Upload.objects.select_for_update(of=("self",)).get(pk=upload_id)
    _drop_record(upload)
    upload.status, upload.reason, upload.record = status, reason[:500], None
    upload.save(update_fields=["status", "reason", "record"])
    transaction.on_commit(lambda: path_of(upload_id).unlink(missing_ok=True))


@transaction.atomic
def hold_duplicate(*, upload_id: uuid.UUID, sha256: str, record: Record) -> None:
    """The same bytes made this record before: the person decides. The bytes are there already, so these go."""
    upload = Upload.objects.select_for_update(of=("self",)).get(pk=upload_id)
    _drop_record(upload)
    upload.status, upload.duplicate_of, upload.sha256, upload.record = Upload.Status.DUPLICATE, record, sha256, None
    upload.save(update_fields=["status", "duplicate_of", "sha256", "record"])
    transaction.on_commit(lambda: path_of(upload_id).unlink(missing_ok=True))


def _drop_record(upload: Upload) -> None:
    """The record that was made for it goes, as nobody has seen anything in it."""
    if upload.record is not None and not upload.record.versions.exists():
        upload.record.delete()


def remove(*, upload: Upload) -> None:
    """Off the list; one that is not whole is forgotten. A record made of it stays, and the file it may still need.

    The row of a whole one stays: by it a retry finds the file, and the same file is known when it comes again.
    """
    if not _forget(upload.pk):
        Upload.objects.filter(pk=upload.pk, dismissed_at=None).update(dismissed_at=timezone.now())


def _forget(upload_id: uuid.UUID) -> bool:
    """False where it is whole."""
    count, _ = Upload.objects.filter(pk=upload_id, status=Upload.Status.RECEIVING).delete()
    if count:
        path_of(upload_id).unlink(missing_ok=True)
    return bool(count)


def sweep(*, now: datetime | None = None) -> int:
    """Forget what nobody goes on with, and the files of uploads that are no more. How many there were."""
    swept = 0
    now = now or timezone.now()
    for upload in Upload.objects.abandoned(now - timedelta(days=settings.UPLOAD_DAYS)):
        swept += _forget(upload.pk)
    return swept + _sweep_files()


def _sweep_files() -> int:
    folder = Path(settings.UPLOAD_DIR)
    known = {path_of(pk).name for pk in Upload.objects.with_file().values_list("pk", flat=True)}
    swept = 0
    for path in folder.glob("*.part") if folder.exists() else ():
        if path.name not in known and path.stat().st_mtime < timezone.now().timestamp() - 3600:
            path.unlink(missing_ok=True)
            swept += 1
    return swept
