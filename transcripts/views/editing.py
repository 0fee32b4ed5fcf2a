"""Corrections as the record page sends them. Each answers with the paragraphs it changed, to take the place of the old.

Without JavaScript every one is a plain form that leads back to the record.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memweb.speech.text import clean, line
from transcripts import queries
from transcripts.editor import carrying, changes, editing
from transcripts.errors import Conflict, LibraryError, Refused
from transcripts.models import Edit, Record, Speaker, Version
from transcripts.shown import markup, wording
from transcripts.views.lookup import person, record_of, seen_segments, version_of
from transcripts.views.segments import around

MOST_FOUND = 500

Deed = Callable[[], Edit | None]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def text(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Give a paragraph other words; `goes_on` names the edit that this typing began with. GET: the form for it."""
    record, version = _asked(request, record_id)
    if request.method != "POST":
        return _form(request, record, version)
    keys, revisions = seen_segments(request)
    return _answer(
        request, record, version,
        lambda: editing.rewrite(
            version=version, keys=keys, revisions=revisions, text=request.POST.get("text", ""),
            user_id=person(request).pk, goes_on=_number(request, "goes_on"),
        ),
        keys,
    )  # fmt: skip


@require_POST
@login_required
def paragraph(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """`do` with a paragraph: split it (`at` a character), join it to the one before, remove it."""
    record, version = _asked(request, record_id)
    keys, revisions = seen_segments(request)
    user_id = person(request).pk
    what = request.POST.get("do", "")

    def deed() -> Edit | None:
        if what == "split":
            at = _number(request, "at")
            return editing.split(version=version, keys=keys, revisions=revisions, at=at or 0, user_id=user_id)
        if what == "join":
            return editing.join(version=version, keys=keys, revisions=revisions, user_id=user_id)
        return editing.remove(version=version, keys=keys, revisions=revisions, user_id=user_id)

    if what not in ("split", "join", "remove"):
        raise Http404
    return _answer(request, record, version, deed, keys)


@require_POST
@login_required
def speaker(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Say who speaks: this paragraph, or (`reach` onward) every later one of the same voice too."""
    record, version = _asked(request, record_id)
    keys, revisions = seen_segments(request)
    return _answer(
        request, record, version,
        lambda: editing.assign(
            version=version, keys=keys, revisions=revisions, name=request.POST.get("name", ""),
            user_id=person(request).pk, onward=request.POST.get("reach") == "onward",
        ),
        keys,
    )  # fmt: skip


@require_POST
@login_required
def speaker_name(request: HttpRequest, record_id: uuid.UUID, pk: int) -> HttpResponse:
    """Name a voice, everywhere; the name of another voice of this record makes the two one."""
    record, version = _asked(request, record_id)
    found = get_object_or_404(Speaker, pk=pk, record=record)
    name = line(clean(request.POST.get("name", "")))[:200]
    other = editing.speaker_called(version, name, but=pk)
    if other is not None:
        editing.merge_speakers(version=version, gone=found, kept=other, user_id=person(request).pk)
    else:
        editing.rename_speaker(speaker=found, name=name, user_id=person(request).pk)
    return _reload(request, record, version)


@require_POST
@login_required
def replacement(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Put other words in the place of these, everywhere in this version."""
    record, version = _asked(request, record_id)
    try:
        places, _ = editing.replace_all(
            version=version, find=request.POST.get("find", ""), put=request.POST.get("put", ""),
            whole_words=request.POST.get("whole") == "on", user_id=person(request).pk,
        )  # fmt: skip
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = f"Replaced in {places} {'place' if places == 1 else 'places'}. Undo puts it back."
        messages.success(request, said if places else "These words are not here. Nothing was changed.")
    return _reload(request, record, version)


@require_POST
@login_required
def undo(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Put back this person's last correction, or (`redo`) do it again."""
    record, version = _asked(request, record_id)
    deed = editing.redo if request.POST.get("redo") else editing.undo
    return _answer(request, record, version, lambda: deed(version=version, user_id=person(request).pk), ())


@require_POST
@login_required
def restoration(request: HttpRequest, record_id: uuid.UUID, pk: int) -> HttpResponse:
    """Put back what one entry of the journal changed."""
    record = record_of(request, record_id)
    edit = get_object_or_404(Edit, pk=pk, record=record)
    try:
        editing.restore(edit=edit, user_id=person(request).pk)
    except LibraryError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Put back. The journal has both.")
    return redirect("record-journal", record.pk)


@require_safe
@login_required
def journal(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Every change a person made to this record, the newest first."""
    record = record_of(request, record_id)
    before = request.GET.get("before", "")
    edits, more = queries.journal(record, before=int(before) if before.isdecimal() and len(before) < 16 else None)
    context = {"record": record, "title": wording.title_of(record), "edits": changes.entries(edits), "more": more}
    return render(request, "transcripts/journal.html", context)


@require_safe
@login_required
def find(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Where these words stand in this version: {"places": [[segment key, start_ms], …], "more": bool}."""
    _, version = _asked(request, record_id)
    words = line(clean(request.GET.get("q", "")))[:200]
    places = editing.places_of(version, words, most=MOST_FOUND) if words else []
    return JsonResponse({"places": places[:MOST_FOUND], "more": len(places) > MOST_FOUND})


@require_safe
@login_required
def voices(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Who speaks when, for the waveform: {"runs": [[start_ms, end_ms, colour 1…], …]}; 0 for nobody known."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    return JsonResponse({"runs": queries.voice_runs(version.pk) if version else []})


def _form(request: HttpRequest, record: Record, version: Version) -> HttpResponse:
    key = request.GET.get("segment", "")
    turns = [turn for turn in around(version, {key}) if any(line.key == key for line in turn.lines)]
    if not turns:
        raise Http404
    written = "".join(line.glue + line.text for line in turns[0].lines)
    context = {"record": record, "version": version, "turn": turns[0], "text": written}
    return render(request, "transcripts/paragraph.html", context)


def _asked(request: HttpRequest, record_id: uuid.UUID) -> tuple[Record, Version]:
    """Raises Http404. The version is named in the query, by number."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None:
        raise Http404
    return record, version


def _number(request: HttpRequest, name: str) -> int | None:
    given = request.POST.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 16 else None


def _answer(request: HttpRequest, record: Record, version: Version, deed: Deed, keys: Iterable[str]) -> HttpResponse:
    """The changed paragraphs for a page that asks for them, else the record. 409 with what is there instead."""
    status, said, edit = 200, "", None
    try:
        edit = deed()
    except Conflict as error:
        status, said = 409, str(error)
    except Refused as error:
        status, said = 422, str(error)
    else:
        said = _carry_to_what_is_shown(record, version) if edit else ""
    if request.headers.get("Accept") != "text/x-paragraphs":
        if said:
            messages.add_message(request, messages.WARNING if edit else messages.ERROR, said)
        return redirect(f"{reverse('record', args=[record.pk])}?version={version.number}")
    touched = {*keys, *(edit.after.get("segments", {}) if edit else ())}
    can_undo, can_redo = editing.can(version, person(request).pk)
    text = markup.paragraphs(around(version, touched), corrects=True)
    context = {
        "text": text, "edit": edit, "said": said, "touched": " ".join(sorted(touched)),
        "can_undo": can_undo, "can_redo": can_redo, "anew": edit is not None and editing.names_something(edit),
    }  # fmt: skip
    return render(request, "transcripts/_changed.html", context, status=status)


def _carry_to_what_is_shown(record: Record, version: Version) -> str:
    """Make a correction in the version that is shown, too: the page may be older than that. What to know of it."""
    record.refresh_from_db(fields=["current_version"])
    shown = record.current_version
    if shown is None or shown == version:
        return ""
    here, there = version.get_kind_display(), shown.get_kind_display()
    if carrying.follow(source=version, target=shown):
        return f"Saved in “{here}” and in “{there}”. “{there}” is shown and shared: reload the page to go on there."
    return f"Saved in “{here}” only. “{there}” is shown and shared: reload the page to correct that."


def _reload(request: HttpRequest, record: Record, version: Version) -> HttpResponse:
    address = f"{reverse('record', args=[record.pk])}?version={version.number}"
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)
