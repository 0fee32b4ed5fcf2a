"""The text of a record: forty segments with its page, then a hundred at a time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from transcripts import queries, streams
from transcripts.models import Record, Segment, Version
from transcripts.queries import Talk
from transcripts.shown import markup
from transcripts.shown.paragraphs import Gap, Turn, Voice, turns, voices_of
from transcripts.values import segment_value
from transcripts.views.lookup import record_of, version_of

FIRST = 40
"""Segments that the page itself brings: more than any window shows of real speech."""
CHUNK = 100
BESIDE = 60
"""Segments looked at before and after a change, to find where its paragraphs begin and end."""


@require_safe
@login_required
def segments(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The paragraphs after a place, and where to go on."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None:
        raise Http404
    after = place_of(request.GET.get("after", ""))
    spoken = queries.talk_time(version.pk)
    context = chunk(record, version, after, spoken, corrects=True)
    return render(request, "transcripts/_turns.html", context)


def first_turns(record: Record, version: Version, spoken: Sequence[Talk]) -> dict[str, object]:
    """What the page itself brings; `spoken` as `queries.talk_time` tells it."""
    return chunk(record, version, None, spoken, corrects=True, count=FIRST)


def chunk(
    record: Record, version: Version, after: tuple[int, int] | None, spoken: Sequence[Talk],
    *, corrects: bool = False, plays: bool = True, count: int = CHUNK,
) -> dict[str, object]:  # fmt: skip
    """The paragraphs of `count` segments after a place (see `markup.parts`), and where to go on; `spoken` as
    `queries.talk_time` tells it. Where the text grows, `being_said` may still change.
    """
    voices = _voices(spoken)
    labels: dict[int | None, str] = {talk.speaker.pk: talk.speaker.label for talk in spoken}
    rows = Segment.objects.filter(version_id=version.pk).shown().select_related(None)  # the few speakers are known
    if after is not None:
        rows = rows.after(*after)
    found = list(rows[: count + 1])
    last = found[min(len(found), count) - 1] if found else None
    # Until it has ended: the last words of a record come while it is finishing.
    is_coming = record.status in (Record.Status.LIVE, Record.Status.FINISHING) and record.ended_at is None
    grows = is_coming and version.kind == Version.Kind.LIVE
    values = [segment_value(row, labels) for row in found[:count]]
    gaps = _gaps(record, after, last)
    said = turns(values, voices=voices, revisions=_revisions(found), gaps=gaps)
    return {
        "record": record,
        "version": version,
        "text": markup.parts(said, gaps, corrects=corrects, plays=plays),
        "next": f"{last.start_ms}.{last.order}" if last and len(found) > count else "",
        "grows": grows and len(found) <= count,
        "being_said": streams.being_said(record)
        if grows and corrects and record.source == Record.Source.STREAM
        else "",
        "last": f"{last.start_ms}.{last.order}" if last else _text(after),
    }


def _gaps(record: Record, after: tuple[int, int] | None, last: Segment | None) -> list[Gap]:
    """Where sound is missing between these places."""
    if record.source != Record.Source.STREAM or last is None:
        return []
    rows = record.marks.filter(is_gap=True, at_ms__gt=after[0] if after else -1, at_ms__lte=last.start_ms)
    return [Gap(row.at_ms, row.note) for row in rows]


def around(version: Version, keys: Collection[str]) -> list[Turn]:
    """The paragraphs that hold these segments, with one before and one after."""
    rows = queries.beside(version, keys, BESIDE)
    gaps = _gaps(version.record, None, rows[-1] if rows else None)
    found = turns(map(segment_value, rows), voices=_voices_of(version), revisions=_revisions(rows), gaps=gaps)
    held = [place for place, turn in enumerate(found) if any(line.key in keys for line in turn.lines)]
    return found[max(held[0] - 1, 0) : held[-1] + 2] if held else []


def _voices_of(version: Version) -> dict[str, Voice]:
    return _voices(queries.talk_time(version.pk))


def _voices(spoken: Iterable[Talk]) -> dict[str, Voice]:
    return voices_of((talk.speaker.label, str(talk.speaker)) for talk in spoken)


def _revisions(rows: Iterable[Segment]) -> dict[str, int]:
    return {row.key: row.revision for row in rows if row.revision}


def _text(after: tuple[int, int] | None) -> str:
    return f"{after[0]}.{after[1]}" if after else ""


def place_of(text: str) -> tuple[int, int] | None:
    """A place in the text as an address has it: "start_ms.order". Raises Http404."""
    if not text:
        return None
    start_ms, _, order = text.partition(".")
    if not (start_ms.isdecimal() and order.isdecimal()) or len(text) > 30:
        raise Http404
    return int(start_ms), int(order)
