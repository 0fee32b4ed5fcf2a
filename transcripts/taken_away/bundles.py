"""Many files as one zip, made while it is sent: no more of it is in memory than the file being written."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from transcripts import queries
from transcripts.models import Record, Recording
from transcripts.recordings import audio_path
from transcripts.taken_away import exports
from transcripts.taken_away.exports import Wanted, filename, unique
from transcripts.taken_away.zipped import Zip

_BLOCK = 64 * 1024
_SMALL = ("docx", "pdf", "flac")
"""Packed by themselves."""
MISSING = "what is missing.txt"
NOTHING = "None of these records has words or a recording yet.\n"


def of_records(records: Iterable[Record], formats: Sequence[str], wanted: Wanted, *, audio: bool) -> Generator[bytes]:
    """Every record in each of these formats, and its recording beside it if wanted. Wants `current_version`.

    What cannot be in it is named in a file at its end.
    """
    made, names, missing = Zip(), set[str](), list[str]()
    for record in records:
        version = record.current_version
        if version is None:
            missing.append(f"{filename(record, 'txt')[:-4]}: no words\n")
        else:
            for extension in formats:
                pieces = exports.poured(record, version, replace(wanted, format=extension))
                name, packed = unique(names, filename(record, extension)), extension not in _SMALL
                yield from made.add(name, record.started_at, pieces, packed=packed)
            if "vtt" in formats and (menu := exports.chapters(record, version, wanted)):
                yield from made.add(unique(names, filename(record, "chapters.vtt")), record.started_at, [menu])
        if audio:
            sound = _sound(record)
            if sound is None:
                missing.append(f"{filename(record, 'txt')[:-4]}: no recording\n")
            else:
                yield from made.add(unique(names, filename(record, "flac")), record.started_at, sound, packed=False)
    if missing or not names:
        said = "".join(missing) if names else NOTHING
        yield from made.add(MISSING, timezone.now(), [said.encode()])
    yield made.end()


def _sound(record: Record) -> Iterator[bytes] | None:
    """The recording's bytes; None where there is none, or its file has gone."""
    recording = Recording.objects.filter(record=record).first()
    if recording is None:
        return None
    try:
        file = audio_path(recording).open("rb")
    except FileNotFoundError:
        return None

    def blocks() -> Iterator[bytes]:
        with file:
            while block := file.read(_BLOCK):
                yield block

    return blocks()


def of_payloads(record: Record) -> Generator[bytes]:
    """What providers said of a record, each message and callback as a file with the bytes as they came, and a list."""
    made = Zip()
    told: list[str] = []
    for message in queries.messages_of(record.pk):
        raw = bytes(message.raw)
        name = f"messages/{message.connection:03}-{message.sequence:06}.{_kind(raw)}"
        told.append(
            _line(
                name, message.arrived_at, connection=message.connection, sequence=message.sequence,
                offset_ms=message.offset_ms, dialect=message.dialect,
            )
        )  # fmt: skip
        yield from made.add(name, message.arrived_at, [raw])
    for callback in queries.callbacks_of(record.pk):
        raw = bytes(callback.raw)
        name = f"callbacks/{callback.pk:09}.{_kind(raw)}"
        told.append(_line(name, callback.arrived_at, task_id=callback.task_id, headers=callback.headers))
        yield from made.add(name, callback.arrived_at, [raw])
    yield from made.add("index.jsonl", record.started_at, (line.encode() for line in told))
    yield made.end()


def _kind(raw: bytes) -> str:
    return "json" if raw.lstrip()[:1] in (b"{", b"[") else "bin"


def _line(name: str, arrived_at: datetime, **facts: object) -> str:
    return json.dumps({"file": name, "arrived_at": arrived_at.isoformat(), **facts}) + "\n"
