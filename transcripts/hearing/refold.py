"""A record's text once more from what was kept: messages of a dictation, callbacks of a stream, results of a file.

Folding again gives the same, unless memweb reads better than it did; what a person has changed stays as it is.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.db import transaction

from memweb.speech import transcript as speech
from memweb.speech.replay import Kept, replayed
from memweb.speech.stream import StreamFold
from transcripts import streams
from transcripts.hearing import folding, results, speakers
from transcripts.models import Job, Message, Record, Version


@transaction.atomic
def refold(*, record_id: uuid.UUID) -> int | None:
    """How many lines came out otherwise, and now are so. None where nothing was kept that could be folded again."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    written = [count for version in record.versions.all() if (count := _version(record, version)) is not None]
    return sum(written) if written else None


def _version(record: Record, version: Version) -> int | None:
    if version.kind in results.MADE_OF_RESULTS:
        found = _of_results(version)
        return None if found is None else folding.write(version=version, segments=_by_key(found), whole=True)
    if version.kind != Version.Kind.LIVE:
        return None  # heard here, on this machine: listening again is not folding again
    tasks = Job.objects.filter(record=record, kind=Job.Kind.STREAM).order_by("id")
    if tasks:
        return folding.write(version=version, segments=_by_key(_of_streams(*tasks)), whole=True)
    said = _of_messages(record, version)
    # A message may have been lost where its final was not, so what no message says stays.
    return folding.write(version=version, segments=said) if said else None


def _by_key(segments: list[speech.Segment]) -> dict[str, speech.Segment | None]:
    return {segment.key: segment for segment in segments}


def _of_streams(*tasks: Job) -> list[speech.Segment]:
    found: list[speech.Segment] = []
    for job in tasks:
        told = list(streams.kept(job))
        found += StreamFold.of(streams.provider(job, told), told).transcript.segments
    return found


def _of_messages(record: Record, version: Version) -> dict[str, speech.Segment | None]:
    rows = Message.objects.filter(record=record).exclude(dialect__startswith=results.PREFIX)
    kept = (Kept(row.connection, row.offset_ms, row.dialect, bytes(row.raw)) for row in rows.iterator(chunk_size=500))
    placed = {key: (start, end) for key, start, end in version.segments.values_list("key", "start_ms", "end_ms")}
    return dict(replayed(kept, placed))


def _of_results(version: Version) -> list[speech.Segment] | None:
    found = results.of_version(version)
    if not found:
        return None
    said = list(found[0].said.transcript.segments)
    for later in found[1:]:
        voices = speakers.assign(said, later.said.transcript.segments)
        said = [replace(one, speaker=voices.get(one.key, one.speaker)) for one in said]
    return said
