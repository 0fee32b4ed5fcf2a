"""One record: its text, its player, its versions, and what can be done with it as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from transcripts import jobs, queries, search, services
from transcripts.editor import editing
from transcripts.errors import StillLive
from transcripts.hearing import results
from transcripts.models import Job, Record, Recording, Version
from transcripts.queries import Talk
from transcripts.shown import aired, wording
from transcripts.shown.cards import card
from transcripts.shown.paragraphs import voices_of
from transcripts.views import marks
from transcripts.views.exports import QUICK
from transcripts.views.imports import AT_FORM
from transcripts.views.lookup import binned_of, person, record_for_page, record_of, single_keys, version_of
from transcripts.views.segments import first_turns

MOST_MOMENTS = 500
TOLD_FOR = timedelta(days=1)


@require_safe
@login_required
def record(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The record page. Of one in the bin it says so, to its owner."""
    try:
        found = record_for_page(request, record_id)
    except Http404:
        return _in_the_bin(request, binned_of(request, record_id))
    version = version_of(request, found)
    spoken = queries.talk_time(version.pk) if version else []
    versions = list(found.versions.order_by("-number"))
    work = list(found.jobs.order_by("id"))
    context = _about(found, version, spoken, work) | _state(found, version, versions, work)
    context["single_keys"] = single_keys(request)
    context["refused"] = [message for message in messages.get_messages(request) if message.extra_tags == AT_FORM]
    context |= marks.section(found, version, cast(Recording | None, context["recording"])) | _sought(request, found)
    if version is not None:
        context |= first_turns(found, version, spoken)
        context["can_undo"], context["can_redo"] = editing.can(version, person(request).pk)
    context["has_words"] = version is not None and _may_have_words(context)
    return render(request, "transcripts/record.html", context)


def _in_the_bin(request: HttpRequest, found: Record) -> HttpResponse:
    context = {"record": found, "title": wording.title_of(found)}
    return render(request, "transcripts/binned.html", context, status=404)


def _may_have_words(context: dict[str, Any]) -> bool:
    """Whether there is anything to copy, correct and take away: now, in a moment, or by undoing."""
    return any((context["text"], context["state"].changes, context["can_undo"], context["can_redo"]))


def _about(found: Record, version: Version | None, spoken: list[Talk], work: Sequence[Job]) -> dict[str, object]:
    return {
        "record": found,
        "title": wording.title_of(found),
        "version": version,
        "is_shown": version is not None and version.pk == found.current_version_id,
        "speakers": _speakers(spoken),
        "names": queries.names_used_by(found.owner_id),
        "facts": _facts(found, version, work),
        "day": wording.day(found.started_at),
        "language": wording.language((version.language if version else "") or found.language),
        "formats": QUICK,
        "has_panels": version is not None and version.kind in results.MADE_OF_RESULTS,
    }


def _sought(request: HttpRequest, found: Record) -> dict[str, object]:
    """For a record opened from a search: the moment to go to, and every moment of it that answers."""
    at = request.GET.get("at", "")
    if not at.isdecimal() or len(at) > 12:
        return {}
    query, moments = search.parse(request.GET.get("q", "")), []
    if query.has_words:
        try:
            ids = search.moments(query, owner_id=person(request).pk, record_id=found.pk, most=MOST_MOMENTS)
            moments = queries.beginnings(ids)
        except search.TooBroad:
            pass  # the moment itself is shown
    return {"at": int(at), "moments": moments}


def _speakers(spoken: list[Talk]) -> list[dict[str, object]]:
    """Who speaks, with the share of the talk (`from` and `share` in per cent of the bar) and where to hear them."""
    total = sum(talk.spoken_ms for talk in spoken) or 1
    voices = voices_of((talk.speaker.label, str(talk.speaker)) for talk in spoken).values()
    found: list[dict[str, object]] = []
    done = 0
    for voice, (speaker, ms, sample) in zip(voices, spoken, strict=True):
        found.append(
            {
                "pk": speaker.pk, "voice": voice, "named": speaker.name, "percent": round(ms * 100 / total),
                "from": done * 100 / total, "share": max(ms * 100 / total - 0.6, 0.4),
                "sample_ms": sample, "sample": wording.clock(sample),
            }
        )  # fmt: skip
        done += ms
    return found


def _facts(found: Record, version: Version | None, work: Sequence[Job]) -> list[tuple[str, str]]:
    facts = [("Source", found.get_source_display()), ("Begun", wording.moment(found.started_at))]
    if found.source == Record.Source.STREAM:
        stream = next((job for job in work if job.kind == Job.Kind.STREAM), None)
        told = {
            "Address": aired.address_of(stream), "Who listens": aired.listener_of(found), "Cost": aired.cost_of(found)
        }  # fmt: skip
        facts += [(name, value) for name, value in told.items() if value]
    if version is not None and version.model:
        facts.append(("Imported from" if version.kind == Version.Kind.IMPORTED else "Heard by", version.model))
    if found.gateway:
        facts.append(("Gateway", found.gateway))
    return facts


def _state(
    found: Any, version: Version | None, versions: Sequence[Version] | None = None, work: Sequence[Job] | None = None
) -> dict[str, object]:
    """`found` as `record_for_page` finds it; `versions`: all there are, the newest first; `work`: its jobs."""
    known = list(found.versions.order_by("-number")[:1]) if versions is None else versions
    recording = getattr(found, "recording", None)
    known_work = found.jobs.order_by("id") if work is None else work
    state = wording.state_of(found, known_work, edited=found.is_edited, now=timezone.now())
    return {
        "record": found,
        "title": wording.title_of(found),
        "state": state,
        "recording": recording,
        "can_hear": recording is not None and found.status != Record.Status.LIVE and not state.changes,
        "length": wording.length_of(found),
        "seconds": found.duration_ms // 1000,
        "size": wording.megabytes(recording.size) if recording else "",
        "version": version,
        "newer": found.current_version if version is None or found.current_version_id != version.pk else None,
        "versions": known,
        "beside": _beside(found, version, next(iter(known), None)),
    }


def _beside(found: Record, version: Version | None, newest: Version | None) -> Version | None:
    """What came of transcribing again today, where it does not stand in the place of corrected text."""
    if version is None or version.pk != found.current_version_id:
        return None
    if newest is None or newest.number <= version.number or newest.kind != Version.Kind.RETRANSCRIBED:
        return None
    return newest if timezone.now() - newest.created_at < TOLD_FOR else None


@require_safe
@login_required
def state(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """How the record stands: the line on its page, or its row in the list. Asked for again while it changes."""
    if request.GET.get("as") == "card":
        return _row(request, record_of(request, record_id))
    found = record_for_page(request, record_id)
    read = version_of(request, found) if "version" in request.GET else None
    context = _state(found, read) | _asked(request) | marks.gaps_since(found, read, request.GET.get("gaps"))
    return render(request, "transcripts/_state.html", context)


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
    """Out of the bin again: to the record for who asked on its page (`back`), else to the library."""
    found = binned_of(request, record_id)
    services.restore_record(record_id=found.pk)
    return _go(request, reverse("record", args=[found.pk]) if "back" in request.POST else reverse("library"))


@require_POST
@login_required
def retry(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Start over what failed."""
    found = record_of(request, record_id)
    jobs.retry(record_id=found.pk, job_id=wording.retried_of(found))
    if not request.headers.get("HX-Request"):
        return redirect("record", found.pk)
    if request.POST.get("as") == "card":
        return _row(request, found)
    found = record_for_page(request, record_id)
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
