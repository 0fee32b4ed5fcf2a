"""What a provider says of a recording besides its text: chapters, names, topics, and the result as it came."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from memweb.speech.dialects.batch import KINDS, Extra
from transcripts.hearing import results
from transcripts.models import Message
from transcripts.shown import callbacks as shown
from transcripts.shown import wording
from transcripts.views.callbacks import as_file
from transcripts.views.lookup import record_of, version_of

MOST = 300
NAMES = {
    "summary": "Summary",
    "chapter": "Chapters",
    "highlight": "Key phrases",
    "entity": "Names, places and things",
    "sentiment": "Mood of each sentence",
    "topic": "Topics",
    "safety": "Sensitive content",
    "format": "Other formats",
    "fact": "What else was told",
}
OPEN = ("summary", "chapter")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a panel."""

    text: str
    label: str
    detail: str
    moments: list[tuple[str, str]]
    """A time as shown, and in seconds as a player's address."""
    percent: int | None


@dataclass(frozen=True, slots=True)
class Panel:
    kind: str
    name: str
    items: list[Item]
    more: int
    is_open: bool
    is_text: bool
    """Its texts have lines of their own."""

    @property
    def count(self) -> int:
        return len(self.items) + self.more


@require_safe
@login_required
def panels(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The panels of the version asked for: a part of the record's page, or a page of their own."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    found = results.of_version(version) if version else []
    context = {
        "record": record,
        "version": version,
        "title": wording.title_of(record),
        "panels": made(extra for one in found for extra in one.said.extras),
        "results": found,
    }
    part = bool(request.headers.get("HX-Request"))
    return render(request, f"transcripts/{'_panel_list' if part else 'panels'}.html", context)


@require_safe
@login_required
def result(request: HttpRequest, record_id: uuid.UUID, connection: int) -> HttpResponse:
    """One result as it came: the beginning of it on a page, or with `download` all of it, byte for byte.

    `part` counts those that tell more of the first.
    """
    record = record_of(request, record_id)
    kept = Message.objects.filter(record=record, dialect__startswith=results.PREFIX)
    place = request.GET.get("part", "0")
    is_place = connection < 2**31 and re.fullmatch(r"[0-9]{1,9}", place)
    found = kept.filter(connection=connection, sequence=int(place)).first() if is_place else None
    if found is None:
        raise Http404
    raw, indented = bytes(found.raw), "indented" in request.GET
    if "download" in request.GET:
        return as_file(raw, f"result-{connection}{f'-{found.sequence}' if found.sequence else ''}.json")
    context = {
        "record": record,
        "title": wording.title_of(record),
        "name": found.dialect.removeprefix(results.PREFIX),
        "part": found.sequence,
        "size": wording.megabytes(len(raw)),
        "cut": shown.cut(len(raw)),
        "body": shown.body(raw, indented=indented),
        "indented": indented,
        "can_indent": not indented and shown.can_indent(raw),
    }
    return render(request, "transcripts/result.html", context)


def made(extras: Iterable[Extra]) -> list[Panel]:
    """A panel for each kind there is, in the order of KINDS. Pure."""
    by_kind: dict[str, list[Extra]] = {}
    for extra in extras:
        by_kind.setdefault(extra.kind, []).append(extra)
    return [
        Panel(
            kind,
            NAMES[kind],
            [_item(extra) for extra in by_kind[kind][:MOST]],
            max(len(by_kind[kind]) - MOST, 0),
            kind in OPEN,
            kind in ("summary", "format", "fact"),
        )
        for kind in KINDS
        if kind in by_kind
    ]


def _item(extra: Extra) -> Item:
    moments = [(wording.clock(start), f"{start / 1000:.3f}") for start, _ in extra.spans[:20]]
    percent = None if extra.score is None else round(extra.score * 100)
    return Item(extra.text, extra.label.replace("_", " "), _detail(extra), moments, percent)


def _detail(extra: Extra) -> str:
    """How often, or by whom, where the detail is a number or a name alone."""
    if extra.kind == "highlight" and extra.detail:
        return f"{extra.detail} time{'' if extra.detail == '1' else 's'}"
    return f"Said by {extra.detail}" if extra.kind == "sentiment" and extra.detail else extra.detail
