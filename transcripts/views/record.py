"""One record: its text, its player, its versions, and what can be done with it as a whole."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from transcripts import jobs, queries, services, wording
from transcripts.cards import card
from transcripts.errors import StillLive
from transcripts.models import Record, Recording, Version
from transcripts.paragraphs import voices_of
from transcripts.views.exports import NAMES
from transcripts.views.lookup import binned_of, person, record_of, version_of
from transcripts.views.segments import first_turns


@require_safe
@login_required
def record(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The record page."""
    found = record_of(request, record_id)
    version = version_of(request, found)
    context = _about(found, version) | _state(found, version) | {"single_keys": _single_keys(request)}
    if version is not None:
        context |= first_turns(found, version)
    return render(request, "transcripts/record.html", context)


def _about(found: Record, version: Version | None) -> dict[str, object]:
    return {
        "record": found,
        "title": wording.title_of(found),
        "version": version,
        "versions": found.versions.order_by("-number"),
        "is_shown": version is not None and version.pk == found.current_version_id,
        "speakers": _speakers(version) if version else [],
        "marks": [(wording.clock(mark.at_ms), mark.note) for mark in found.marks.all()],
        "facts": _facts(found, version),
        "day": wording.day(found.started_at),
        "language": wording.language((version.language if version else "") or found.language),
        "formats": NAMES,
    }


def _single_keys(request: HttpRequest) -> bool:
    preferences = getattr(person(request), "preferences", None)
    return preferences is None or preferences.single_keys


def _speakers(version: Version) -> list[dict[str, object]]:
    spoken = queries.talk_time(version.pk)
    total = sum(ms for _, ms in spoken) or 1
    voices = voices_of((speaker.label, str(speaker)) for speaker, _ in spoken).values()
    return [{"voice": voice, "percent": round(ms * 100 / total)} for voice, (_, ms) in zip(voices, spoken, strict=True)]


def _facts(found: Record, version: Version | None) -> list[tuple[str, str]]:
    facts = [("Source", found.get_source_display()), ("Begun", wording.moment(found.started_at))]
    if version is not None and version.model:
        facts.append(("Heard by", version.model))
    if found.gateway:
        facts.append(("Gateway", found.gateway))
    return facts


def _state(found: Record, version: Version | None) -> dict[str, object]:
    recording = Recording.objects.filter(record=found).first()
    edited = queries.is_edited(found.pk)
    state = wording.state_of(found, found.jobs.order_by("id"), edited=edited, now=timezone.now())
    return {
        "record": found,
        "title": wording.title_of(found),
        "state": state,
        "recording": recording,
        "length": wording.clock(found.duration_ms),
        "seconds": found.duration_ms // 1000,
        "size": wording.megabytes(recording.size) if recording else "",
        "version": version,
        "newer": found.current_version if version and found.current_version_id != version.pk else None,
    }


@require_safe
@login_required
def state(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """How the record stands: the line on its page, or its row in the list. Asked for again while it changes."""
    found = record_of(request, record_id)
    if request.GET.get("as") == "card":
        return _row(request, found)
    return render(request, "transcripts/_state.html", _state(found, version_of(request, found)) | _asked(request))


def _asked(request: HttpRequest) -> dict[str, object]:
    """What the page that asks already has."""
    return {"is_fragment": True, "has_player": request.GET.get("player") == "1"}


def _row(request: HttpRequest, found: Record) -> HttpResponse:
    row = Record.objects.visible_to(person(request)).for_cards().get(pk=found.pk)
    return render(request, "transcripts/_row.html", {"card": card(row, now=timezone.now())})


@require_POST
@login_required
def title(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Rename in place."""
    found = record_of(request, record_id)
    found = services.rename(record_id=found.pk, title=request.POST.get("title", ""), user_id=person(request).pk)
    if not request.headers.get("HX-Request"):
        return redirect("record", found.pk)
    if request.POST.get("as") == "card":
        return _row(request, found)
    return render(request, "transcripts/_title.html", {"record": found, "title": wording.title_of(found)})


@require_POST
@login_required
def bin_(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Into the bin, with the way back in the notice."""
    found = record_of(request, record_id)
    try:
        services.bin_record(record_id=found.pk)
    except StillLive as error:
        messages.error(request, str(error))
        return _go(request, reverse("record", args=[found.pk]))
    said = f"“{wording.title_of(found)}” is in the bin."
    if request.POST.get("as") == "card" and request.headers.get("HX-Request"):
        action = reverse("record-restoration", args=[found.pk])
        return render(request, "transcripts/_binned.html", {"message": said, "action": action})
    messages.success(request, said)
    return _go(request, f"{reverse('library')}?binned={found.pk}")


@require_POST
@login_required
def restoration(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Out of the bin again."""
    found = binned_of(request, record_id)
    services.restore_record(record_id=found.pk)
    return _go(request, reverse("library"))


@require_POST
@login_required
def retry(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Start over what failed."""
    found = record_of(request, record_id)
    jobs.retry(record_id=found.pk)
    if not request.headers.get("HX-Request"):
        return redirect("record", found.pk)
    found.refresh_from_db()
    if request.POST.get("as") == "card":
        return _row(request, found)
    return render(request, "transcripts/_state.html", _state(found, found.current_version) | _asked(request))


@require_POST
@login_required
def version(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Show this reading from now on."""
    found = record_of(request, record_id)
    number = request.POST.get("number", "")
    if not number.isdecimal() or len(number) > 6 or not found.versions.filter(number=int(number)).exists():
        raise Http404
    services.show_version(record_id=found.pk, number=int(number))
    return redirect("record", found.pk)


def _go(request: HttpRequest, address: str) -> HttpResponse:
    """To another page: htmx is told to load it whole."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)
