"""A record as a file: text, captions, data."""

from __future__ import annotations

import importlib
import unicodedata
import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from transcripts.models import Record
from transcripts.values import transcript_value
from transcripts.views.lookup import record_of, version_of

EXTENSIONS = {"txt": "Text", "md": "Markdown", "srt": "SRT", "vtt": "VTT", "json": "JSON"}
_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
}


@require_safe
@login_required
def export(request: HttpRequest, record_id: uuid.UUID, extension: str) -> HttpResponse:
    """The reading asked for (else the one shown), as a file of this kind."""
    if extension not in EXTENSIONS:
        raise Http404
    record = record_of(request, record_id)
    version = version_of(request, record)
    if version is None:
        raise Http404
    transcript = transcript_value(
        version.segments.shown(), language=version.language or record.language, duration_ms=record.duration_ms
    )
    body = importlib.import_module(f"memweb.speech.formats.{extension}").write(transcript)
    return HttpResponse(
        body,
        headers={
            "Content-Type": _TYPES[extension],
            "Content-Disposition": content_disposition_header(True, filename(record, extension)),
            "X-Content-Type-Options": "nosniff",
        },
    )


def filename(record: Record, extension: str) -> str:
    """The day and the title, without what a file system or a shell would trip over."""
    day = timezone.localtime(record.started_at).date().isoformat()
    title = record.title or record.get_source_display()
    kept = "".join(
        " " if letter in '/\\:*?"<>|' or unicodedata.category(letter)[0] == "C" else letter for letter in title
    )
    return f"{day} {' '.join(kept.split())[:80]}".strip(" .") + f".{extension}"
