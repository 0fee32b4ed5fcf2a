"""Two versions of a record side by side."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from memweb.speech import comparing
from transcripts import queries
from transcripts.editor import carrying
from transcripts.errors import LibraryError
from transcripts.models import Record, Recording, Version
from transcripts.shown import wording
from transcripts.shown.paragraphs import NOBODY, voices_of
from transcripts.views.lookup import person, record_of, seen_segments, single_keys


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def comparison(request: HttpRequest, record_id: uuid.UUID, left: int, right: int) -> HttpResponse:
    """Version `left` beside version `right`; a POST takes the words of one paragraph over from left to right."""
    record = record_of(request, record_id)
    old, new = (get_object_or_404(record.versions, number=number) for number in (left, right))
    if request.method == "POST":
        return _take(request, record, old, new)
    # Read before the words: of what changes in between no row says more than was seen.
    seen = [dict(version.segments.values_list("key", "revision")) for version in (old, new)]
    rows = carrying.compared(old, new)
    return render(request, "transcripts/compare.html", _context(request, record, old, new, rows, *seen))


def _take(request: HttpRequest, record: Record, old: Version, new: Version) -> HttpResponse:
    taken, over = seen_segments(request, "from"), seen_segments(request, "to")
    try:
        carrying.take_paragraph(source=old, target=new, taken=taken, over=over, user_id=person(request).pk)
    except LibraryError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Taken over. “Changes” can put it back.")
    row = request.POST.get("row", "")
    place = f"#row-{row}" if row.isdecimal() and len(row) < 9 else ""
    return redirect(reverse("record-comparison", args=[record.pk, old.number, new.number]) + place)


def _context(
    request: HttpRequest, record: Record, old: Version, new: Version, rows: list[comparing.Row],
    old_seen: Mapping[str, int], new_seen: Mapping[str, int],
) -> dict[str, object]:  # fmt: skip
    spoken = [(speaker.label, str(speaker)) for speaker, *_ in queries.talk_time(new.pk)]
    voices = voices_of(spoken)
    return {
        "record": record, "title": wording.title_of(record), "left": old, "version": new,
        "left_name": old.get_kind_display(), "right_name": new.get_kind_display(),
        "left_about": _about(old, record), "right_about": _about(new, record),
        "rows": [_shown(row, voices.get(row.speaker or "", NOBODY), old_seen, new_seen) for row in rows],
        "differing": sum(row.words for row in rows),
        "words": sum(row.of for row in rows),
        "places": sum(not row.is_same for row in rows), "edits": queries.is_edited(record.pk),
        "is_shown": new.pk == record.current_version_id, "unplaced": [*_unplaced(old), *_unplaced(new)],
        "recording": Recording.objects.filter(record=record).first(), "single_keys": single_keys(request),
        "length": wording.clock(record.duration_ms), "seconds": record.duration_ms // 1000,
    }  # fmt: skip


def _shown(
    row: comparing.Row, voice: object, old_seen: Mapping[str, int], new_seen: Mapping[str, int]
) -> dict[str, object]:
    return {
        "start_ms": row.start_ms, "clock": wording.clock(row.start_ms), "voice": voice, "is_same": row.is_same,
        "left": row.left, "right": row.right,
        "from": [f"{key}:{old_seen.get(key, 0)}" for key in row.left_keys],
        "to": [f"{key}:{new_seen.get(key, 0)}" for key in row.right_keys],
    }  # fmt: skip


def _about(version: Version, record: Record) -> str:
    heard = f"{wording.day(version.created_at)}, {version.model or 'as it was spoken'}"
    return f"{heard}, shown now" if version.pk == record.current_version_id else heard


def _unplaced(version: Version) -> list[dict[str, object]]:
    """The corrections that found no place in this version, as one list; none where all did."""
    found = [
        {"clock": wording.clock(start_ms), "before": before, "after": after}
        for start_ms, _, before, after in version.unplaced
    ]
    return [{"name": version.get_kind_display(), "number": version.number, "found": found}] if found else []
