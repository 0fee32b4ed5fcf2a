"""The text of a record, a hundred segments at a time."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from transcripts import queries
from transcripts.models import Record, Version
from transcripts.paragraphs import turns, voices_of
from transcripts.values import segment_value
from transcripts.views.lookup import record_of, version_of

CHUNK = 100


@require_safe
@login_required
def segments(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The paragraphs after a place, and where to go on."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None:
        raise Http404
    after = _place(request.GET.get("after", ""))
    return render(request, "transcripts/_turns.html", _chunk(record, version, after))


def first_turns(record: Record, version: Version) -> dict[str, object]:
    """What the page itself brings."""
    return _chunk(record, version, None)


def _chunk(record: Record, version: Version, after: tuple[int, int] | None) -> dict[str, object]:
    rows = version.segments.shown()
    if after is not None:
        rows = rows.after(*after)
    found = list(rows[: CHUNK + 1])
    last = found[min(len(found), CHUNK) - 1] if found else None
    grows = record.status == Record.Status.LIVE and version.kind == Version.Kind.LIVE
    voices = voices_of((speaker.label, str(speaker)) for speaker, _ in queries.talk_time(version.pk))
    return {
        "record": record,
        "version": version,
        "turns": turns(map(segment_value, found[:CHUNK]), voices=voices),
        "next": f"{last.start_ms}.{last.order}" if last and len(found) > CHUNK else "",
        "grows": grows and len(found) <= CHUNK,
        "last": f"{last.start_ms}.{last.order}" if last else _text(after),
    }


def _text(after: tuple[int, int] | None) -> str:
    return f"{after[0]}.{after[1]}" if after else ""


def _place(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    start_ms, _, order = text.partition(".")
    if not (start_ms.isdecimal() and order.isdecimal()) or len(text) > 30:
        raise Http404
    return int(start_ms), int(order)
