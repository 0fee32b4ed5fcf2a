"""A record as a file, the form that asks how, what providers said of it, and many records as one zip."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from memweb import streamed
from memweb.accounts import services as accounts
from memweb.speech.formats import FORMATS
from transcripts import queries
from transcripts.editor import marking
from transcripts.errors import Refused
from transcripts.models import Record, Version
from transcripts.shown import wording
from transcripts.taken_away import bundles, exports
from transcripts.taken_away.exports import NAMES, NUMBERS, Wanted, filename
from transcripts.views.lookup import person, record_of, version_of
from transcripts.views.selection import back, chosen

QUICK = {extension: NAMES[extension][0] for extension in ("docx", "txt", "srt", "vtt", "json")}
"""Offered on the record's page itself."""
ZIP = "application/zip"
# In the order of a menu: what may be in a file, and which formats have a place for it.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("title", "Title", "docx pdf txt md html"),
    ("speakers", "Speakers", "docx pdf txt md html srt vtt csv"),
    ("times", "Times", "docx pdf txt md html"),
    ("paragraphs", "Paragraphs", "docx pdf txt md html"),
    ("words", "Times of words", "html vtt csv"),
    ("marks", "Chapters, marks and notes", "docx pdf txt md html"),
)


@require_safe
@login_required
def export(request: HttpRequest, record_id: uuid.UUID, extension: str) -> HttpResponseBase:
    """The reading asked for (else the one shown), as a file of this kind. What is not said is as it was last."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None or extension not in NAMES:
        raise Http404
    query = request.GET.copy()
    query["format"] = extension
    wanted, refused = exports.asked(query, exports.remembered(person(request)))
    if refused:
        return HttpResponse(refused, status=400, content_type="text/plain; charset=utf-8")
    headers = _headers(FORMATS[extension].media_type, filename(record, extension))
    if FORMATS[extension].pour and exports.is_long(version):
        return streamed.answer(request, exports.poured(record, version, wanted), headers)
    return HttpResponse(exports.written(record, version, wanted), headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@vary_on_headers("HX-Request", "HX-Target")
def form(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """How to export: a page, or for htmx its form, or (as choices change) how the file begins.

    A post remembers the choices and leads to the file; without scripts it can also `show` how the file begins.
    """
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None:
        raise Http404
    given = request.POST if request.method == "POST" else request.GET
    wanted, refused = exports.asked(given, exports.remembered(person(request)))
    if request.method == "POST" and not refused and "show" not in request.POST:
        accounts.save_preferences(user=person(request), export_options=wanted.kept())
        return redirect(_file(record, version, wanted))
    marks = marking.of_version(record, version)
    context = _context(record, version, wanted, has_marks=bool(marks)) | {"refused": refused}
    part = {"export": "_export", "export-look": "_export_look"}.get(request.headers.get("HX-Target", ""), "export")
    context |= {"is_page": part == "export", "is_look": part == "_export_look"}
    if not refused:
        context["beginning"] = exports.beginning(record, version, wanted, marks)
    return render(request, f"transcripts/{part}.html", context, status=400 if refused and part == "export" else 200)


def _context(record: Record, version: Version, wanted: Wanted, *, has_marks: bool) -> dict[str, Any]:
    numbers = [(name, label, least, most, getattr(wanted, name)) for name, (label, least, most) in NUMBERS.items()]
    return {
        "record": record,
        "version": version,
        "title": wording.title_of(record),
        "wanted": wanted,
        "formats": [(extension, *names) for extension, names in NAMES.items()],
        "format_name": NAMES[wanted.format][0],
        "is_text": FORMATS[wanted.format].is_text,
        "is_shown_as_it_is": FORMATS[wanted.format].is_text and wanted.format != "html",
        "parts": [
            (name, label, only, getattr(wanted, name)) for name, label, only in PARTS if has_marks or name != "marks"
        ],
        "has_marks": has_marks,
        "numbers": numbers,
        "file": _file(record, version, wanted),
        "has_payloads": queries.has_payloads(record.pk),
    }


def _file(record: Record, version: Version, wanted: Wanted) -> str:
    address = reverse("record-export", args=[record.pk, wanted.format])
    return f"{address}?{wanted.query(version=version.number)}"


@require_safe
@login_required
def payloads(request: HttpRequest, record_id: uuid.UUID) -> HttpResponseBase:
    """What providers said of the record, byte for byte, as a zip."""
    record = record_of(request, record_id)
    if not queries.has_payloads(record.pk):
        raise Http404
    headers = _headers(ZIP, filename(record, "as it came.zip"))
    return streamed.answer(request, bundles.of_payloads(record), headers)


@require_POST
@login_required
def records(request: HttpRequest) -> HttpResponseBase:
    """The records chosen, each in every format asked for, as one zip."""
    ids = chosen(request)
    audio = "audio" in request.POST
    try:
        formats = [exports.known(extension) for extension in dict.fromkeys(request.POST.getlist("format"))]
    except Refused as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    if not ids or not (formats or audio):
        nothing = "Nothing was chosen. Tick a record first." if not ids else "Choose a format, or the recording."
        messages.error(request, nothing)
        return back(request)
    found = queries.one_by_one(person(request), ids)
    pieces = bundles.of_records(found, formats, exports.remembered(person(request)), audio=audio)
    return streamed.answer(request, pieces, _headers(ZIP, f"memweb {timezone.localdate().isoformat()}.zip"))


def _headers(media_type: str, name: str) -> dict[str, str]:
    return {"Content-Type": media_type, "Content-Disposition": content_disposition_header(True, name) or ""}
