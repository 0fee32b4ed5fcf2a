"""What opens over a record's page: there a fragment that htmx takes in, anywhere else a page of its own."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from transcripts.models import Record
from transcripts.shown import wording


def is_part(request: HttpRequest) -> bool:
    """Whether the page that asks takes in a fragment."""
    return bool(request.headers.get("HX-Request"))


def shown(
    request: HttpRequest, record: Record, template: str, context: Mapping[str, object], *, part: str = "",
    refused: bool = False,
) -> HttpResponse:  # fmt: skip
    """The sheet, by the name of its template; `part`: where a fragment brings more with it, that one's.

    A refusal is an answer with its own status, save to htmx, which shows only what went well.
    """
    whole = {"record": record, "title": wording.title_of(record), "sheet": template, "refused": refused, **context}
    if is_part(request):
        return render(request, part or template, whole)
    return render(request, "transcripts/sheet.html", whole, status=422 if refused else 200)
