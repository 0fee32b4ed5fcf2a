"""Recordings: a spool sealed into FLAC, proved by reading it back, and only then let go.

At every moment either the spool is whole, or the FLAC is whole and its row is committed. While both are there the spool
counts: it may have grown. So a seal can be killed anywhere and simply starts over.
"""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from django.conf import settings
from django.db import transaction

from memweb.speech import frames
from transcripts import jobs
from transcripts.errors import LibraryError, SealMismatch
from transcripts.jobs import Lease
from transcripts.models import Job, Record, Recording

RATE = 16_000
PEAK_SAMPLES = RATE // 10
_BLOCK = RATE * 2 * 10  # bytes: ten seconds at a time keeps memory flat for any length
# What a power cut may leave behind the last frame that was acknowledged; more than this is damage.
_TORN_AT_MOST = 10 * frames.MAX_FRAME

DISK_FULL = "The disk is full. Free some space, then retry. The recording is kept as it came."
UNREADABLE = "The sealed file did not read back as recorded. The recording is kept as it came. Retry."
BROKEN = "A part of the recording cannot be read. It is kept as it came; see the log for where."
SHRUNK = "The new recording does not begin with the one kept before. Both are kept as they are."


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one sealing found and made."""

    spool_bytes: int
    samples: int
    size: int
    pcm_sha256: str
    peaks: bytes


def spool_path(record_id: uuid.UUID) -> Path:
    return Path(settings.SPOOL_DIR) / f"{record_id}.mwspool"


def audio_path(recording: Recording) -> Path:
    return Path(settings.AUDIO_DIR) / recording.path


def seal(lease: Lease) -> None:
    """The work of a seal job. Raises SealMismatch or another LibraryError with a sentence; the spool then stays."""
    spool = spool_path(lease.record_id)
    if not spool.exists():  # sealed before a crash, or never a word: either way there is nothing to lose
        _complete(lease, spool, sealed=None)
        return
    try:
        sealed = _write(lease, spool)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LibraryError(DISK_FULL) from error
        raise
    if sealed.samples:
        _keep(lease, sealed)
    _complete(lease, spool, sealed=sealed)


def _write(lease: Lease, spool: Path) -> Sealed:
    """The spool as FLAC in its final place, read back and found the same."""
    folder = Path(settings.AUDIO_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{lease.record_id}.{lease.holder}.part"
    former = Recording.objects.filter(record_id=lease.record_id).first()
    try:
        with draft.open("w+b") as file:
            sealed = _encode(lease, spool, file, former)
            if not sealed.samples:
                return sealed
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if _digest(file) != (sealed.samples, sealed.pcm_sha256):
                raise SealMismatch(UNREADABLE)
        draft.chmod(0o600)
        draft.replace(folder / f"{lease.record_id}.flac")
        sync_folder(folder)
    finally:
        draft.unlink(missing_ok=True)
    return sealed


def _encode(lease: Lease, spool: Path, file: BinaryIO, former: Recording | None) -> Sealed:
    total = max(spool.stat().st_size, 1)
    digest, samples, peaks, read = hashlib.sha256(), 0, bytearray(), 0
    kept = former is None
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", format="s16")
        for pcm, read in _blocks(spool):
            if former and samples < former.samples <= samples + len(pcm) // 2:
                kept = _digest_with(digest, pcm[: (former.samples - samples) * 2]) == former.pcm_sha256
            digest.update(pcm)
            samples += len(pcm) // 2
            peaks += peaks_of(pcm)
            container.mux(stream.encode(frame_of(pcm)))
            lease.progress(read * 90 // total)
        container.mux(stream.encode(None))
    if samples and not kept:
        raise SealMismatch(SHRUNK)
    file.seek(0, os.SEEK_END)
    return Sealed(read, samples, file.tell(), digest.hexdigest(), bytes(peaks))


def _digest_with(digest: hashlib._Hash, more: bytes) -> str:
    branch = digest.copy()
    branch.update(more)
    return branch.hexdigest()


def _blocks(spool: Path) -> Iterator[tuple[bytes, int]]:
    """(PCM, bytes of the spool it ends at), in blocks of a whole number of 100 ms save the last."""
    pending, read = bytearray(), 0
    for pcm, read in _frames(spool):
        pending += pcm
        while len(pending) >= _BLOCK:
            yield bytes(pending[:_BLOCK]), read
            del pending[:_BLOCK]
    if pending:
        yield bytes(pending), read


def _frames(spool: Path) -> Iterator[tuple[bytes, int]]:
    """(PCM, offset of its end) of each whole frame. A torn last one was never acknowledged: its page still has it."""
    buffer, offset = b"", 0
    with spool.open("rb") as file:
        while chunk := file.read(_BLOCK):
            whole, taken = frames.read(buffer + chunk)
            for frame in whole:
                offset += frame.header.size
                yield frame.pcm, offset
            buffer = (buffer + chunk)[taken:]
            if len(buffer) > _TORN_AT_MOST:
                raise LibraryError(BROKEN)


def frame_of(pcm: bytes) -> av.AudioFrame:
    """16 kHz mono s16le as the encoder takes it."""
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, dtype="<i2").reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = RATE
    return frame


def peaks_of(pcm: bytes) -> bytes:
    """The loudest sample of each 100 ms as one byte. 16 kHz s16le in."""
    samples = np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32))
    if not len(samples):
        return b""
    bounds = np.arange(0, len(samples), PEAK_SAMPLES)
    return bytes(np.minimum(np.maximum.reduceat(samples, bounds) >> 7, 255).astype(np.uint8))


def _digest(file: BinaryIO) -> tuple[int, str]:
    """How many samples a FLAC file decodes to, and their SHA-256."""
    digest, samples = hashlib.sha256(), 0
    with av.open(file, "r", format="flac") as container:
        for frame in container.decode(audio=0):
            pcm = frame.to_ndarray().astype("<i2").tobytes()
            digest.update(pcm)
            samples += len(pcm) // 2
    return samples, digest.hexdigest()


@transaction.atomic
def _keep(lease: Lease, sealed: Sealed) -> None:
    Record.objects.select_for_update(of=("self",)).get(pk=lease.record_id)
    jobs.hold(job_id=lease.job_id, holder=lease.holder)
    Recording.objects.update_or_create(
        record_id=lease.record_id,
        defaults={
            "path": f"{lease.record_id}.flac",
            "sample_rate": RATE,
            "channels": 1,
            "samples": sealed.samples,
            "size": sealed.size,
            "pcm_sha256": sealed.pcm_sha256,
            "peaks": sealed.peaks,
        },
    )


@transaction.atomic
def _complete(lease: Lease, spool: Path, *, sealed: Sealed | None) -> None:
    """Let the spool go, under the lock that `services.reopen` takes first: a reopened recording keeps its spool."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=lease.record_id)
    job = jobs.hold(job_id=lease.job_id, holder=lease.holder)
    if record.status == Record.Status.LIVE:  # somebody goes on speaking; finishing asks for the next seal
        jobs.complete(job=job)
        return
    if sealed is not None:
        if spool.stat().st_size != sealed.spool_bytes and _grew(spool, sealed):
            jobs.again(job=job)
            return
        spool.unlink()
        sync_folder(spool.parent)
        record.duration_ms = sealed.samples * 1000 // RATE
    unheard = str(job.options.get("unheard", ""))
    record.status, record.status_reason = Record.Status.READY, unheard
    record.save()
    jobs.complete(job=job)
    if Recording.objects.filter(record_id=record.pk).exists() and (unheard or _wants_second_pass(record)):
        jobs.enqueue(record_id=record.pk, kind=Job.Kind.SECOND_PASS)


def _grew(spool: Path, sealed: Sealed) -> bool:
    """Whether whole frames follow what was sealed; a torn rest does not count."""
    return any(read > sealed.spool_bytes for _, read in _frames(spool))


def _wants_second_pass(record: Record) -> bool:
    preferences = getattr(record.owner, "preferences", None)
    return preferences is None or preferences.second_pass


def sync_folder(folder: Path) -> None:
    """Make new names in it safe from a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
