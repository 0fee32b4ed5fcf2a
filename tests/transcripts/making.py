"""Records, spools and speech-like sound for the library's tests, made through the library's own services."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from django.utils import timezone

from memweb.accounts.models import User
from memweb.speech import frames
from memweb.speech import transcript as speech
from transcripts import recordings, services
from transcripts.models import Job, Record


def person(name: str) -> User:
    return User.objects.create_user(name, password=None)


def sound(seconds: float, *, seed: int = 1) -> bytes:
    """s16le, 16 kHz: noise that swells and ebbs, so that neither FLAC nor peaks have it easy."""
    count = int(seconds * 16_000)
    noise = np.random.default_rng(seed).normal(0, 6000, count)
    swell = 0.5 + 0.5 * np.sin(np.arange(count) / 9000)
    return np.clip(noise * swell, -32768, 32767).astype("<i2").tobytes()


def spool_bytes(pcm: bytes, *, first: int = 0, samples: int = 1600) -> bytes:
    """The PCM as a page would have sent it, from this sample of the recording on."""
    whole = b""
    for at in range(0, len(pcm), samples * 2):
        part = pcm[at : at + samples * 2]
        index = first + at // 2
        header = frames.FrameHeader(number=index // samples, samples=len(part) // 2, first_sample=float(index))
        whole += frames.build(header, part)
    return whole


def spool(record: Record, pcm: bytes) -> Path:
    path = recordings.spool_path(record.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(spool_bytes(pcm))
    return path


def line(key: str, start_ms: int, text: str, *, speaker: str | None = None, timed: bool = True) -> speech.Segment:
    """A segment of words 300 ms long each; without real times they are marked estimated."""
    words = [
        speech.Word(word, start_ms + i * 300, start_ms + i * 300 + 280, 0.9 if timed else None, estimated=not timed)
        for i, word in enumerate(text.split())
    ]
    end = words[-1].end_ms if words else start_ms
    return speech.Segment(key, start_ms, end, text, tuple(words), speaker=speaker, language="en")


def dictation(
    owner: User, *texts: str, title: str = "", started_at: datetime | None = None, finished: bool = True
) -> Record:
    """A dictation of these finals, five seconds apart. `finished` means ready, without a recording."""
    record = services.open_record(
        id=uuid.uuid4(), owner_id=owner.pk, title=title, language="en", started_at=started_at or timezone.now()
    )
    for i, text in enumerate(texts):
        services.save_final(record_id=record.pk, segment=line(f"1-{i}", i * 5000, text, timed=False))
    if finished:
        Record.objects.filter(pk=record.pk).update(status=Record.Status.READY, duration_ms=len(texts) * 5000)
    record.refresh_from_db()
    return record


def let_the_lease_run_out(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def assert_focus_stays(polled: str) -> None:
    """What is swapped while a person is on it must have an id of its own: htmx finds the focus again by nothing else.

    A menu that is open is not swapped.
    """
    shown = re.sub(r'<div class="drop">.*?</details>', "", polled, flags=re.DOTALL)
    found = re.findall(r"<(?:a|button|summary|select|input(?! type=\"hidden\"))\b[^>]*>", shown)
    ids = [re.search(r' id="([^"]+)"', tag) for tag in found]
    assert all(ids), f"without an id: {found}"
    assert len({match.group(1) for match in ids if match}) == len(ids)
