"""Demo records, to try memweb out with and to take its pictures."""

from __future__ import annotations

import importlib.util
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
from django.core.management.base import BaseCommand
from django.utils import timezone

from memweb.accounts.management.people import person_named
from memweb.accounts.models import User
from memweb.speech import frames
from memweb.speech import transcript as speech
from transcripts import jobs, recordings, seeding, services
from transcripts.models import Job, Record, Version

TALK = [
    ("Maya", "So when did you first realise that the recordings were going to matter?"),
    (
        "Dr Osei",
        "Not at the time, certainly. We were three students with one machine between us, and the machine belonged to "
        "the harbour office. They let us borrow it on Sundays, because on Sundays the ferry didn’t run.",
    ),
    ("Maya", "And you carried it up the hill yourselves?"),
    (
        "Dr Osei",
        "Eleven kilos, with the batteries. My sister walked behind us and counted the steps aloud, so on the first "
        "tape, if you listen closely, before anybody says a word, there is a child’s voice counting to two hundred "
        "and sixteen. I think of that as the real beginning of the archive.",
    ),
    ("Kwame", "She still does that, you know. On the ferry, on the stairs, everywhere."),
    ("Dr Osei", "Everywhere. She says a place isn’t finished until somebody has counted it."),
]
LETTER = [
    "Dear members, I write about the footbridge at Mill Lane, which my mother crossed every day of her working life.",
    "Without it, the nearest crossing is the ferry, and the ferry stops at six.",
]
NOTES = [
    "So the index is done, the speaker pass is not, and Kwame needs a second pair of ears on tape seven before Friday."
]
TALE = [
    "It was the best of times, it was the worst of times,",
    "it was the age of wisdom, it was the age of foolishness,",
    "it was the epoch of belief, it was the epoch of incredulity,",
    "it was the season of Light, it was the season of Darkness,",
    "it was the spring of hope, it was the winter of despair.",
]


class Command(BaseCommand):
    help = "Adds demo records: a talk of three, dictations, one that failed, one that was not finished."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="", help="whose library (default: the owner's)")
        parser.add_argument("--many", type=int, default=0, help="so many short records more")
        parser.add_argument("--each", type=int, default=1, help="segments in each of those")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = person_named(options["user"])
        for record in _records(owner):
            self.stdout.write(f"/transcripts/{record.pk}/ {record.title}")
        if options["many"]:
            seeding.many(owner_id=owner.pk, records=options["many"], each=options["each"])
            self.stdout.write(f"{options['many']:,} more, of {options['each']:,} segments each")


def _records(owner: User) -> Iterator[Record]:
    yield _talk(owner)
    yield _dictation(owner, "Tuesday stand-up", NOTES, days=1)
    yield _dictation(owner, "Letter to the council about the footbridge", LETTER, days=3)
    yield _failed(owner)
    yield _dictation(owner, "Notes for the Lisbon talk", NOTES, days=0, status=Record.Status.LIVE)
    tale = _tale(owner)
    if tale is not None:
        yield tale


def _dictation(
    owner: User, title: str, texts: list[str], *, days: int, status: Record.Status = Record.Status.READY
) -> Record:
    record = services.open_record(
        id=uuid.uuid4(),
        owner_id=owner.pk,
        title=title,
        language="en",
        provider="assemblyai",
        started_at=timezone.now() - timedelta(days=days, minutes=5),
    )
    at = 600
    for number, text in enumerate(texts):
        segment = _segment(f"1-{number}", at, text, speaker=None, estimated=True)
        services.save_final(record_id=record.pk, segment=segment)
        at = segment.end_ms + 700
    Record.objects.filter(pk=record.pk).update(
        status=status, duration_ms=at, last_heard_at=timezone.now() - timedelta(minutes=4)
    )
    return record


def _segment(key: str, at: int, text: str, *, speaker: str | None, estimated: bool) -> speech.Segment:
    words = []
    for word in text.split():
        spoken = 90 + 45 * len(word)
        sure = None if estimated else (0.41 if word.startswith("sixteen") else 0.97)
        words.append(speech.Word(word, at, at + spoken, sure, speaker, estimated=estimated))
        at += spoken + 60
    return speech.Segment(key, words[0].start_ms, words[-1].end_ms, text, tuple(words), speaker, language="en")


def _talk(owner: User) -> Record:
    record = _dictation(owner, "Interview, Dr Osei — second half", ["Shall we start where we stopped?"], days=3)
    at, segments = 759_000, []
    for number, (speaker, text) in enumerate(TALK):
        segments.append(_segment(str(number), at, text, speaker=speaker, estimated=False))
        at = segments[-1].end_ms + 900
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.IMPORTED, model="", language="en", segments=segments
    )
    services.show_version(record_id=record.pk, number=version.number)
    Record.objects.filter(pk=record.pk).update(source=Record.Source.IMPORT, duration_ms=2_851_000)
    return record


def _failed(owner: User) -> Record:
    record = _dictation(owner, "Voice memo 0113", LETTER[:1], days=0)
    services.finish(record_id=record.pk)
    job = Job.objects.get(record=record, kind=Job.Kind.SEAL)
    taken = jobs.take(job_id=job.pk, holder="seed")
    if taken is not None:
        jobs.fail(job_id=job.pk, holder="seed", reason=recordings.DISK_FULL, final=True)
    return record


def _tale(owner: User) -> Record | None:
    """A reading that comes with the live engine's package, spooled as if spoken; the worker does the rest."""
    package = importlib.util.find_spec("moonshine_voice")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "assets" / "two_cities.wav"
    if not path.exists():
        return None
    record = _dictation(owner, "A Tale of Two Cities, read aloud", TALE, days=0)
    spool = recordings.spool_path(record.pk)
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_bytes(b"".join(_frames(path)))
    services.finish(record_id=record.pk)
    return record


def _frames(path: Path) -> Iterator[bytes]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=frames.RATE)
    with av.open(str(path)) as container:
        pcm = b"".join(
            out.to_ndarray().tobytes() for frame in container.decode(audio=0) for out in resampler.resample(frame)
        )
    size = frames.RATE // 10 * 2
    for number, at in enumerate(range(0, len(pcm), size)):
        part = pcm[at : at + size]
        yield frames.build(frames.FrameHeader(number, len(part) // 2, first_sample=at / 2), part)
