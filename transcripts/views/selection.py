"""Deeds on records as wholes, one or many; the archive's and the bin's doors."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from transcripts import shelving
from transcripts.models import Record
from transcripts.shown import wording
from transcripts.shown.filters import Filters
from transcripts.views.library import kept
from transcripts.views.lookup import person

MOST = 20_000
BINNED = 100
"""Records of the bin on one page."""

Deed = Callable[[int, list[uuid.UUID], str], str]


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _bin(owner_id: int, ids: list[uuid.UUID], _: str) -> str:
    binned, live = shelving.bin_records(owner_id=owner_id, ids=ids)
    rest = f" {_records(live)} being recorded stayed: finish first." if live else ""
    return f"{_records(binned)} in the bin. They come back from there.{rest}"


DEEDS: dict[str, Deed] = {
    "pin": lambda owner, ids, _: f"{_records(shelving.pin(owner_id=owner, ids=ids, pinned=True))} pinned.",
    "unpin": lambda owner, ids, _: f"{_records(shelving.pin(owner_id=owner, ids=ids, pinned=False))} no longer pinned.",
    "archive": lambda owner, ids, _: (
        f"{_records(shelving.archive(owner_id=owner, ids=ids, archived=True))} in the archive, and still found."
    ),
    "unarchive": lambda owner, ids, _: (
        f"{_records(shelving.archive(owner_id=owner, ids=ids, archived=False))} back in the list."
    ),
    "tag": lambda owner, ids, name: f"{_records(shelving.tag(owner_id=owner, ids=ids, name=name))} tagged.",
    "untag": lambda owner, ids, name: f"Tag taken off {_records(shelving.untag(owner_id=owner, ids=ids, name=name))}.",
    "bin": _bin,
    "restore": lambda owner, ids, _: (
        f"{_records(shelving.restore_records(owner_id=owner, ids=ids))} back in the library."
    ),
    "erase": lambda owner, ids, _: f"{_records(shelving.erase(owner_id=owner, ids=ids))} deleted for good.",
}


@require_POST
@login_required
def selection(request: HttpRequest) -> HttpResponse:
    """Do it to the records chosen, or (`every`) to all that the page's filters keep; then back to that page."""
    deed = DEEDS.get(request.POST.get("deed", ""))
    ids = chosen(request)
    if deed is None or ids is None:
        return HttpResponseBadRequest("There is no such deed or record. Go back and load the page again.")
    if ids:
        messages.success(request, deed(person(request).pk, ids, request.POST.get("tag", "")))
    else:
        messages.error(request, "Nothing was chosen. Tick a record first.")
    return back(request)


@require_safe
@login_required
def bin_(request: HttpRequest) -> HttpResponse:
    """What is in the bin, the latest first, with the way back and the way out."""
    binned = Record.objects.in_bin_of(person(request)).order_by("-deleted_at", "-id")
    part = Paginator(binned, BINNED).get_page(request.GET.get("page"))
    rows = [
        (
            record,
            wording.title_of(record),
            wording.clock(record.duration_ms),
            wording.unbroken(wording.day(record.deleted_at or timezone.now())),
        )
        for record in part
    ]
    return render(request, "transcripts/bin.html", {"rows": rows, "part": part, "here": "bin"})


@require_POST
@login_required
def farewell(request: HttpRequest) -> HttpResponse:
    """Ask once more before records are deleted for good."""
    ids = chosen(request) or []
    found = Record.objects.in_bin_of(person(request)).filter(pk__in=ids).order_by("-deleted_at", "-id")
    rows = [(record, wording.title_of(record)) for record in found]
    if not rows:
        messages.error(request, "Nothing was chosen. Tick a record first.")
        return redirect("bin")
    return render(request, "transcripts/farewell.html", {"rows": rows})


def chosen(request: HttpRequest) -> list[uuid.UUID] | None:
    """The ids in the form, or those of every record its filters keep. None where one is no id."""
    every = request.POST.get("every", "")
    if every:
        filters = Filters.of(QueryDict(every.lstrip("?"), mutable=False))
        return list(kept(request, filters, filters.query()).order_by().values_list("pk", flat=True)[:MOST])
    try:
        return [uuid.UUID(text) for text in request.POST.getlist("id")[:MOST]]
    except ValueError:
        return None


def back(request: HttpRequest) -> HttpResponse:
    """To the page the selection was made on."""
    place = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(place, allowed_hosts=None) or not place.startswith("/transcripts/"):
        place = reverse("library")
    return redirect(place)
