"""A spool again from a sealed recording, so that a dictation can go on where it ended."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import av
from av.audio.resampler import AudioResampler
from django.conf import settings

from memweb.dictation.recording import Spool, spool_path, sync_folder
from memweb.speech import frames


def keep_count(record_id: UUID, count: int, wall_ms: float | None = None) -> None:
    """Remember how many frames a recording has, and the clock of the last: its sealed file knows samples only."""
    path = _count_path(record_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.write(str(count) if wall_ms is None else f"{count} {wall_ms!r}")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def kept_count(record_id: UUID) -> tuple[int | None, float | None]:
    """How many frames the recording had when it was finished, and the clock of the last; None what is not known."""
    try:
        count, *wall = _count_path(record_id).read_text().split()
        return int(count), float(wall[0]) if wall else None
    except (FileNotFoundError, ValueError):
        return None, None


def open_spool(record_id: UUID) -> Spool:
    """The spool of this record: as it is, or made again from the sealed recording, or empty. Blocks."""
    path = spool_path(record_id)
    sealed = Path(settings.AUDIO_DIR) / f"{record_id}.flac"
    if not path.exists() and sealed.exists():
        _rebuild(path, sealed, *kept_count(record_id))
    return Spool.open(path)


def _rebuild(path: Path, sealed: Path, count: int | None, wall_ms: float | None) -> None:
    pcm = _decode(sealed)
    samples = len(pcm) // 2
    if not samples:
        return
    count = count or -(-samples // 1600)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for number in range(count):
            # The true bounds are gone and do not matter: the page has let go of all these frames.
            start, end = samples * number // count, samples * (number + 1) // count
            clock = wall_ms or 0.0 if number == count - 1 else 0.0
            header = frames.FrameHeader(number, end - start, first_sample=float(start), wall_ms=clock)
            file.write(frames.build(header, pcm[2 * start : 2 * end]))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def _decode(sealed: Path) -> bytes:
    with av.open(str(sealed), format="flac") as container:
        resampler = AudioResampler(format="s16", layout="mono", rate=frames.RATE)
        pieces = []
        for frame in container.decode(audio=0):
            pieces += [bytes(out.planes[0])[: 2 * out.samples] for out in resampler.resample(frame)]
        pieces += [bytes(out.planes[0])[: 2 * out.samples] for out in resampler.resample(None)]
    return b"".join(pieces)


def _count_path(record_id: UUID) -> Path:
    return Path(settings.SPOOL_DIR) / f"{record_id}.frames"
