"""The library: every record, newest first, what is going on above; or the moments that answer a search."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from transcripts import search
from transcripts.files import asked, sample
from transcripts.models import Record, Speaker, Tag
from transcripts.queries import GOING_ON, RecordQuerySet
from transcripts.shown import filters, wording
from transcripts.shown.cards import Card, card, hits, titled
from transcripts.shown.filters import Filters
from transcripts.shown.paging import ORDERS, Place, page
from transcripts.taken_away import exports
from transcripts.views.lookup import person, record_of

PAGE = 30
TITLES = 5
MOMENTS = 200
CHOICES = 60
TYPED = {"language": "lang:pt", "speaker": "speaker:maya", "tag": "tag:radio"}
"""How a further choice is typed into the search."""
TOO_BROAD = "That is too much to look through at once. Add a word, or choose a filter."


@dataclass(frozen=True, slots=True)
class Chip:
    name: str
    value: str
    label: str
    clear: str
    """Where it leads when it is set: the same without it."""
    options: list[tuple[str, str]]
    """What can be chosen, with its address; empty: it is asked for when it is opened."""


@dataclass(frozen=True, slots=True)
class Totals:
    count: int
    length_ms: int
    empty: list[str]
    """Sections of the list (see `paging`) that have no record."""


@require_safe
@login_required
@vary_on_headers("HX-Request", "HX-Target")
def library(request: HttpRequest) -> HttpResponse:
    """The page; for htmx only its shelf (a search), the next rows, or (`brief`) the first moments."""
    chosen = Filters.of(request.GET)
    query = chosen.query()
    is_part = "brief" in request.GET or (request.headers.get("HX-Request") and request.GET.get("after"))
    totals = None if is_part else _totals(request, chosen)
    part = _moments(request, chosen, query) if query.has_words else _rows(request, chosen, query, totals)
    context = {
        "chosen": chosen,
        "asked": chosen.q.strip(),
        "here": chosen.url(),
        "onward": chosen.url(after=str(part.get("following", ""))),
        **part,
    }
    if "brief" in request.GET:
        return render(request, "transcripts/_brief.html", context)
    if totals is None:
        return render(request, f"transcripts/_{'hits' if query.has_words else 'rows'}.html", context)
    context |= {"total": totals.count, "length": wording.spell(totals.length_ms)}
    context |= {"chips": _chips(chosen), "sorts": _sorts(chosen, query)}
    if not totals.count and not chosen.shelf:
        user = person(request)
        archived = Record.objects.visible_to(user).archived().count()
        context |= {"archived": archived, "gateway": asked.gateway_of(user)}
        context["sample"] = sample.path() is not None
        context["sample_price"] = sample.price(user)
    if request.headers.get("HX-Target") == "shelf":
        return render(request, "transcripts/_shelf.html", context)
    return render(request, "transcripts/library.html", context | _undo(request) | {"formats": exports.NAMES})


@require_safe
@login_required
def choices(request: HttpRequest, name: str) -> HttpResponse:
    """What a chip offers, from what there is: languages, speakers or tags."""
    chosen, user = Filters.of(request.GET), person(request)
    records = Record.objects.visible_to(user)
    if name == "language":
        values = records.exclude(language="").order_by("language").values_list("language", flat=True).distinct()
        options = [(code, wording.language(code)) for code in values[: CHOICES + 1]]
    elif name == "speaker":
        named = Speaker.objects.filter(record__owner=user, record__deleted_at=None).exclude(name="")
        names = named.order_by("name").values_list("name", flat=True).distinct()
        options = [(one, one) for one in names[: CHOICES + 1]]
    elif name == "tag":
        tags = Tag.objects.filter(owner=user).order_by("name").values_list("name", flat=True)
        options = [(one, f"#{one}") for one in tags[: CHOICES + 1]]
    else:
        raise Http404
    offered = [(label, reverse("library") + chosen.url(**{name: value})) for value, label in options[:CHOICES]]
    context = {"options": offered, "name": filters.CHIPS[name].lower(), "back": reverse("library") + chosen.url()}
    context["typed"] = TYPED[name] if len(options) > CHOICES else ""
    whole = not request.headers.get("HX-Request")
    return render(request, "transcripts/choices.html" if whole else "transcripts/_choices.html", context)


@require_safe
@login_required
@vary_on_headers("HX-Request")
def moments(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Every moment of one record that answers a search; for htmx only they."""
    found, chosen = record_of(request, record_id), Filters.of(request.GET)
    query = chosen.query()
    try:
        ids = search.moments(query, owner_id=person(request).pk, record_id=found.pk, most=MOMENTS)
    except search.TooBroad:
        ids = []
    group = search.Group(found.pk, ids, len(ids))
    count = f"{MOMENTS}+ moments" if len(ids) == MOMENTS else f"{len(ids)} moment{'' if len(ids) == 1 else 's'}"
    context = {"hits": hits([group], query), "tally": count if ids else "", "chosen": chosen}
    context["back"] = reverse("library") + chosen.url()
    whole = not request.headers.get("HX-Request")
    return render(request, "transcripts/moments.html" if whole else "transcripts/_hits.html", context)


def _moments(request: HttpRequest, chosen: Filters, query: search.Query) -> dict[str, object]:
    owner, after = person(request).pk, request.GET.get("after", "")
    if after and (not after.isdecimal() or len(after) > 19):
        raise Http404
    try:
        records = _looked_in(request, chosen, query)
        found = search.find(
            query, owner_id=owner, records=records, by_date=chosen.sort == "date", after=int(after) if after else None
        )
        names = [] if after or chosen.any_chip else search.titled(query.every, owner_id=owner, most=TITLES)
    except search.TooBroad:
        return {"searched": True, "hits": [], "too_broad": TOO_BROAD, "after": after}
    context = {
        "searched": True,
        "hits": hits(found.groups, query),
        "titled": titled(names, query) if query.every else [],
        "count": found.count,
        "tally": _tally(found),
        "following": found.following,
        "best": chosen.sort != "date",
        "more_by_date": chosen.sort != "date" and found.count > sum(group.count for group in found.groups),
        "after": after,
    }
    if not found.groups and not after:
        context["easier"] = _easier(query, owner, chosen)
    return context


def _looked_in(request: HttpRequest, chosen: Filters, query: search.Query) -> list[uuid.UUID] | None:
    """The records a search is kept to, or None for all."""
    owner = person(request)
    records = Record.objects.visible_to(owner)
    named = search.records_of(query, records, owner_id=owner.pk)
    if not (chosen.state or chosen.length or chosen.shelf):
        return named
    kept = chosen.apply(records.archived() if chosen.shelf else records)
    kept = kept if named is None else kept.filter(pk__in=named)
    return list(kept.order_by().values_list("pk", flat=True))


def _tally(found: search.Found) -> str:
    if found.count > found.most:
        return f"{found.most:,}+ moments"
    moments = f"{found.count:,} moment{'' if found.count == 1 else 's'}"
    if found.records is None:
        return moments
    return f"{moments} in {found.records:,} record{'' if found.records == 1 else 's'}"


def _easier(query: search.Query, owner_id: int, chosen: Filters) -> list[tuple[str, str, str]]:
    """What finds something where this found nothing: in words, its address, and how much it finds."""
    found = []
    for words, changed, easier in filters.easier(query, chosen):
        count, most = search.count(easier, owner_id=owner_id), search.window(easier)
        if count:
            many = f"{most:,}+" if count > most else f"{count:,}"
            found.append((words, changed, f"{many} moment{'' if count == 1 else 's'}"))
    return found[:3]


def _rows(request: HttpRequest, chosen: Filters, query: search.Query, totals: Totals | None) -> dict[str, object]:
    after, order = _place(request.GET.get("after", "")), chosen.sort if chosen.sort in ORDERS else "newest"
    records = kept(request, chosen, query).for_cards()
    now = timezone.now()
    found, following = page(records, after=after, size=PAGE, order=order, empty=totals.empty if totals else ())
    cards = [card(record, now=now) for record in found]
    shelves = _shelves(cards, after) if order == "newest" else [("", cards)] if cards else []
    return {"shelves": shelves, "following": following, "after": after}


def kept(request: HttpRequest, chosen: Filters, query: search.Query) -> RecordQuerySet:
    """The records of the list that pass every filter."""
    owner = person(request)
    records = Record.objects.visible_to(owner)
    records = records.archived() if chosen.shelf == "archive" else records.in_list()
    try:
        return search.restrict(query, chosen.apply(records), owner_id=owner.pk)
    except search.TooBroad:
        return records.none()


def _shelves(cards: list[Card], after: Place | None) -> list[tuple[str, list[Card]]]:
    """Cards under their headings; a heading that stands on the page before is left out."""
    shelves = [(name, list(group)) for name, group in groupby(cards, key=lambda one: one.shelf)]
    if shelves and after is not None:
        before = {"n": "Now", "p": "Pinned"}.get(after.section) or wording.shelf_of(after.moment, timezone.now())
        if shelves[0][0] == before:
            shelves[0] = ("", shelves[0][1])
    return shelves


def _place(text: str) -> Place | None:
    try:
        return Place.parse(text) if text else None
    except ValueError:
        raise Http404 from None


def _totals(request: HttpRequest, chosen: Filters) -> Totals:
    """Of the whole list or the archive, whatever is chosen of it."""
    records = Record.objects.visible_to(person(request))
    records = records.archived() if chosen.shelf else records.in_list()
    going_on = Q(status__in=GOING_ON)
    totals = records.aggregate(
        count=Count("pk"),
        length=Sum("duration_ms"),
        n=Count("pk", filter=going_on),
        p=Count("pk", filter=~going_on & Q(pinned_at__isnull=False)),
    )
    empty = [section for section in "np" if not totals[section]]
    return Totals(totals["count"], totals["length"] or 0, empty)


def _chips(chosen: Filters) -> list[Chip]:
    known = {"date": filters.DATES, "source": filters.SOURCES, "state": filters.STATES, "length": filters.LENGTHS}
    return [
        Chip(
            name,
            str(getattr(chosen, name)),
            chosen.label(name) if getattr(chosen, name) else label,
            chosen.url(**{name: ""}) if getattr(chosen, name) else "",
            [(text, chosen.url(**{name: value})) for value, text in known.get(name, {}).items()],
        )
        for name, label in filters.CHIPS.items()
    ]


def _sorts(chosen: Filters, query: search.Query) -> list[tuple[str, str, bool]]:
    """The orders there are: in words, where they lead, and whether it is this one."""
    offered = filters.ORDERS if query.has_words else filters.SORTS
    now = chosen.sort if chosen.sort in offered else next(iter(offered))
    return [(text, chosen.url(sort=value), value == now) for value, text in offered.items()]


def _undo(request: HttpRequest) -> dict[str, object]:
    """The address that takes a record out of the bin again, for the notice about it."""
    try:
        binned = uuid.UUID(request.GET.get("binned", ""))
    except ValueError:
        return {}
    return {"action": reverse("record-restoration", args=[binned])}
