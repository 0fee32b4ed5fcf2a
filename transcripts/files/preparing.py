"""A file that came whole becomes a recording: known by its digest, decoded, kept as FLAC with its peaks."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import av
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from memweb.accounts.models import User
from memweb.media import decode
from memweb.media.errors import DAMAGED, NotMedia, Stuck
from transcripts import archive, jobs, uploads
from transcripts.errors import LibraryError, NoRoom, Refused, Useless
from transcripts.files import importing
from transcripts.jobs import Lease
from transcripts.models import Job, Record, Recording, Upload
from transcripts.recordings import DISK_FULL, PEAK_SAMPLES, RATE, Sealed, frame_of, peaks_of, sync_folder
from transcripts.shown import wording

_PIECE = 1 << 20
PLAYS_ELSEWHERE = "If it plays elsewhere, save it there as WAV or MP3 and bring that; else copy the original once more."
GONE = "The uploaded file is missing. Upload it again."


def prepare(lease: Lease) -> None:
    """The work of a prepare job. An archive or a transcript comes in as that; a file that is no recording is refused,
    one that is here already is told.
    """
    upload = Upload.objects.filter(record_id=lease.record_id, status=Upload.Status.TAKEN).order_by("created_at").first()
    if upload is None or not uploads.path_of(upload.pk).exists():
        if Recording.objects.filter(record_id=lease.record_id).exists():
            return _complete(lease, None, "")
        raise Useless(GONE)
    path = uploads.path_of(upload.pk)
    if archive.is_archive(upload.name):
        return _bring_in(lease, upload, path)
    if importing.is_transcript(upload.name):
        return _import(lease, upload, path)
    sha256 = _digest(lease, path)
    former = _same(upload, sha256)
    if former is not None:
        return uploads.hold_duplicate(upload_id=upload.pk, sha256=sha256, record=former)
    try:
        sealed, cut = _convert(lease, path)
    except Stuck as error:
        raise Useless(str(error)) from error
    except NotMedia as error:
        return uploads.refuse(upload_id=upload.pk, reason=_why(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LibraryError(DISK_FULL) from error
        raise
    return _complete(lease, sealed, _told(sealed) if cut else "", upload)


def _bring_in(lease: Lease, upload: Upload, path: Path) -> None:
    """What was dropped is an archive: what is in it comes into the library. Whoever takes over goes on with it."""
    try:
        brought = archive.bring_in(path, owner=upload.owner, progress=lease.progress)
    except (Refused, NoRoom) as error:
        uploads.refuse(upload_id=upload.pk, reason=str(error))
    else:
        uploads.bring_in(upload_id=upload.pk, told=brought.counted, trouble=brought.troubles)


@transaction.atomic
def _import(lease: Lease, upload: Upload, path: Path) -> None:
    """What was dropped is a transcript already: the record becomes that."""
    try:
        with path.open("rb") as file:
            transcript = importing.read(name=upload.name, data=file.read(importing.LARGEST + 1))
    except Refused as error:
        uploads.refuse(upload_id=upload.pk, reason=str(error))
        return
    job = jobs.hold(job_id=lease.job_id, holder=lease.holder)
    importing.fill(record_id=lease.record_id, name=upload.name, transcript=transcript)
    jobs.complete(job=job)
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def _why(error: NotMedia) -> str:
    """Why it is refused, and what to do where that is not plain."""
    return f"{error} {PLAYS_ELSEWHERE}" if str(error).startswith(DAMAGED) else str(error)


def _told(sealed: Sealed) -> str:
    at = wording.clock(sealed.samples * 1000 // RATE)
    return f"The file is cut off or damaged after {at}. What comes before is here."


def _digest(lease: Lease, path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            lease.progress(0)
    return digest.hexdigest()


@transaction.atomic
def _same(upload: Upload, sha256: str) -> Record | None:
    """The record that the same bytes made before, if it is still there; else it is kept that this one has them.

    Of two that come at once one is the first: their owner's row is locked meanwhile.
    """
    User.objects.select_for_update(no_key=True).get(pk=upload.owner_id)
    former = _former(upload, sha256)
    if former is None:
        Upload.objects.filter(pk=upload.pk).update(sha256=sha256)
    return former


def _former(upload: Upload, sha256: str) -> Record | None:
    if upload.options.get("again") is True:
        return None
    former = Upload.objects.filter(owner_id=upload.owner_id, sha256=sha256, status=Upload.Status.TAKEN)
    found = former.exclude(pk=upload.pk).filter(record__deleted_at=None, record__isnull=False).first()
    return found.record if found else None


def _convert(lease: Lease, path: Path) -> tuple[Sealed, bool]:
    """The file as FLAC in its final place, and whether something of it is missing."""
    folder = Path(settings.AUDIO_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{lease.record_id}.{lease.holder}.part"
    try:
        with draft.open("w+b") as file, decode.recording(path) as media:
            sealed = _encode(lease, media, file)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o600)
        draft.replace(folder / f"{lease.record_id}.flac")
        sync_folder(folder)
    finally:
        draft.unlink(missing_ok=True)
    return sealed, media.cut


def _encode(lease: Lease, media: decode.Media, file: BinaryIO) -> Sealed:
    digest, samples, peaks, rest = hashlib.sha256(), 0, bytearray(), b""
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", format="s16")
        told = media.info.sound_ms
        for pcm in media.pieces():
            digest.update(pcm)
            samples += len(pcm) // 2
            rest += pcm
            cut = len(rest) - len(rest) % (2 * PEAK_SAMPLES)  # a piece ends anywhere, a peak only after its 100 ms
            peaks += peaks_of(rest[:cut])
            rest = rest[cut:]
            container.mux(stream.encode(frame_of(pcm)))
            lease.progress(min(samples * 100 // (told * 16), 99) if told else 0)
        container.mux(stream.encode(None))
    peaks += peaks_of(rest)
    file.seek(0, os.SEEK_END)
    return Sealed(0, samples, file.tell(), digest.hexdigest(), bytes(peaks))


@transaction.atomic
def _complete(lease: Lease, sealed: Sealed | None, reason: str, upload: Upload | None = None) -> None:
    record = Record.objects.select_for_update(of=("self",)).get(pk=lease.record_id)
    job = jobs.hold(job_id=lease.job_id, holder=lease.holder)
    if sealed is not None:
        Recording.objects.update_or_create(
            record=record,
            defaults={
                "path": f"{record.pk}.flac",
                "samples": sealed.samples,
                "size": sealed.size,
                "pcm_sha256": sealed.pcm_sha256,
                "peaks": sealed.peaks,
            },
        )
        record.duration_ms = sealed.samples * 1000 // RATE
    record.status_reason, record.updated_at = reason, timezone.now()
    record.save(update_fields=["duration_ms", "status_reason", "updated_at"])
    jobs.complete(job=job)
    jobs.enqueue(record_id=record.pk, kind=Job.Kind.TRANSCRIBE, options=job.options)
    if upload is not None and not reason:  # a damaged one is kept: another program may read more of it
        upload_id = upload.pk
        transaction.on_commit(lambda: uploads.path_of(upload_id).unlink(missing_ok=True))
