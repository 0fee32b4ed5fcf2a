"""The library: every record, newest first, what is going on above."""

from __future__ import annotations

import uuid
from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from memweb.speech.text import line
from transcripts import wording
from transcripts.cards import Card, card
from transcripts.models import Record
from transcripts.paging import Place, page
from transcripts.views.lookup import person

PAGE = 30
LONGEST_SEARCH = 200


@require_safe
@login_required
@vary_on_headers("HX-Request", "HX-Target")
def library(request: HttpRequest) -> HttpResponse:
    """The page; for htmx only its shelf (a search) or the next rows (a place to go on from)."""
    words = line(request.GET.get("q", ""))[:LONGEST_SEARCH]
    context = {"words": words, **_rows(request, words)}
    if request.headers.get("HX-Request") and context["after"]:
        return render(request, "transcripts/_rows.html", context)
    context |= _totals(request)
    if request.headers.get("HX-Target") == "shelf":
        return render(request, "transcripts/_shelf.html", context)
    return render(request, "transcripts/library.html", context | _undo(request))


def _rows(request: HttpRequest, words: str) -> dict[str, object]:
    after = _place(request.GET.get("after", ""))
    records = Record.objects.visible_to(person(request)).for_cards(words)
    if words:
        records = records.matching(words)
    now = timezone.now()
    found, following = page(records, after=after, size=PAGE)
    cards = [card(record, now=now, words=words) for record in found]
    return {"shelves": _shelves(cards, after), "next": following, "after": after}


def _shelves(cards: list[Card], after: Place | None) -> list[tuple[str, list[Card]]]:
    """Cards under their headings; a heading that stands on the page before is left out."""
    shelves = [(name, list(group)) for name, group in groupby(cards, key=lambda one: one.shelf)]
    if shelves and after is not None:
        before = wording.shelf_of(after.started_at, timezone.now()) if after.settled else "Now"
        if shelves[0][0] == before:
            shelves[0] = ("", shelves[0][1])
    return shelves


def _place(text: str) -> Place | None:
    try:
        return Place.parse(text) if text else None
    except ValueError:
        raise Http404 from None


def _totals(request: HttpRequest) -> dict[str, object]:
    totals = Record.objects.visible_to(person(request)).aggregate(count=Count("pk"), length=Sum("duration_ms"))
    return {"count": totals["count"], "length": wording.spell(totals["length"] or 0)}


def _undo(request: HttpRequest) -> dict[str, object]:
    """The address that takes a record out of the bin again, for the notice about it."""
    try:
        binned = uuid.UUID(request.GET.get("binned", ""))
    except ValueError:
        return {}
    return {"action": reverse("record-restoration", args=[binned])}
