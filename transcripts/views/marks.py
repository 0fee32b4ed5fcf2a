"""The outline and the marks beside a record: each deed answers with both, to take the place of what is there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from memweb.speech.dialects.batch import Extra
from transcripts.editor import marking
from transcripts.errors import Refused
from transcripts.hearing import results
from transcripts.models import Mark, Record, Recording, Version
from transcripts.shown import wording
from transcripts.views import sheets
from transcripts.views.lookup import record_of, version_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def marks(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """What there is, chapters of the provider included; a POST marks `at_ms` with a `note`, as a `chapter` if asked."""
    record = record_of(request, record_id)
    if request.method != "POST":
        return _section(request, record)
    at = request.POST.get("at_ms", "")
    if not at.isdecimal() or len(at) > 12:
        return _after(request, record, "", refused="There is no such moment.")
    is_chapter = bool(request.POST.get("chapter"))
    try:
        mark = marking.add(record_id=record.pk, at_ms=int(at), note=request.POST.get("note", ""), is_chapter=is_chapter)
    except Refused as error:
        return _after(request, record, "", refused=str(error))
    said = f"{'Chapter' if is_chapter else 'Mark'} at {wording.clock(mark.at_ms)}."
    return _after(request, record, said, opened=mark.pk if is_chapter else None)


@require_POST
@login_required
def mark(request: HttpRequest, record_id: uuid.UUID, pk: int) -> HttpResponse:
    """Give a mark another note, or make a chapter of it."""
    record = record_of(request, record_id)
    found = get_object_or_404(Mark, pk=pk, record=record)
    marking.note(mark=found, note=request.POST.get("note", ""), is_chapter=bool(request.POST.get("chapter")))
    return _after(request, record, "Saved.")


@require_POST
@login_required
def removal(request: HttpRequest, record_id: uuid.UUID, pk: int) -> HttpResponse:
    """Take a mark off, with the way back in the notice."""
    record = record_of(request, record_id)
    found = get_object_or_404(Mark, pk=pk, record=record)
    said = f"The {'chapter' if found.is_chapter else 'mark'} at {wording.clock(found.at_ms)} is removed."
    back = {"at_ms": str(found.at_ms), "note": found.note, "chapter": "on" if found.is_chapter else ""}
    marking.remove(mark=found)
    return _after(request, record, said, back=back)


def section(
    record: Record, version: Version | None, recording: Recording | None, extras: Iterable[Extra] = ()
) -> dict[str, object]:
    """What `_marks.html` wants; `extras` are what a provider said besides the text. Marks are set where the sound is,
    and where there is none, where the text is: a stream's, a file's of captions.
    """
    own = list(record.marks.all())
    has_times = recording is not None or (
        version is not None and version.segments.shown().filter(end_ms__gt=0).exists()
    )
    return {
        "chapters": [
            {"at_ms": one.at_ms, "clock": wording.clock(one.at_ms), "note": one.title, "mark": one.mark}
            for one in marking.outline(own, extras)
        ],
        "marks": [
            {"at_ms": one.at_ms, "clock": wording.clock(one.at_ms), "note": one.note, "mark": one}
            for one in own if not one.is_chapter
        ],
        "can_mark": has_times,
        "has_sound": recording is not None,
        "gaps": _told(own),
    }  # fmt: skip


def gaps_since(record: Record, version: Version | None, told: str | None) -> dict[str, object]:
    """The same for a page on which other gaps stand than there are by now; `told` is what it was sent as `gaps`."""
    if record.source != Record.Source.STREAM or told is None or told == _told(record.marks.filter(is_gap=True)):
        return {}
    return {"has_other_gaps": True} | section(record, version or record.current_version, None)


def _told(marks: Iterable[Mark]) -> str:
    """Which gaps there are: one that moved is another."""
    gaps = [mark.pk for mark in marks if mark.is_gap]
    return f"{len(gaps)}.{max(gaps, default=0)}"


def _section(
    request: HttpRequest, record: Record, said: str = "", *, opened: int | None = None,
    back: dict[str, str] | None = None, refused: bool = False,
) -> HttpResponse:  # fmt: skip
    version = version_of(request, record)
    found = results.of_version(version) if version else []
    recording = Recording.objects.filter(record=record).first()
    context = {
        "version": version, "said": said, "opened": opened, "back": back,
        "back_to": reverse("record-marks", args=[record.pk]),
        **section(record, version, recording, (extra for one in found for extra in one.said.extras)),
    }  # fmt: skip
    part = "transcripts/_marked.html"
    return sheets.shown(request, record, "transcripts/_marks.html", context, part=part, refused=refused)


def _after(
    request: HttpRequest, record: Record, said: str, *, refused: str = "", opened: int | None = None,
    back: dict[str, str] | None = None,
) -> HttpResponse:  # fmt: skip
    if sheets.is_part(request):
        return _section(request, record, refused or said, opened=opened, back=back, refused=bool(refused))
    (messages.error if refused else messages.success)(request, refused or said)
    return redirect("record", record.pk)
