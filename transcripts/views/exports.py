"""A record as a file: text, captions, data."""

from __future__ import annotations

import unicodedata
import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from memweb.speech.formats import FORMATS, Options
from transcripts.models import Record
from transcripts.values import transcript_value
from transcripts.views.lookup import record_of, version_of

# Short, because they stand side by side.
NAMES = {"txt": "Text", "md": "Markdown", "srt": "SRT", "vtt": "VTT", "json": "JSON", "csv": "CSV"}


@require_safe
@login_required
def export(request: HttpRequest, record_id: uuid.UUID, extension: str) -> HttpResponse:
    """The reading asked for (else the one shown), as a file of this kind."""
    record = record_of(request, record_id)
    version = version_of(request, record)
    form = FORMATS.get(extension)
    if version is None or form is None or extension not in NAMES:
        raise Http404
    transcript = transcript_value(
        version.segments.shown(), language=version.language or record.language, duration_ms=record.duration_ms
    )
    names = {speaker.label: speaker.name for speaker in record.speakers.exclude(name="")}
    title = "" if "untitled" in request.GET else record.title
    return HttpResponse(
        form.write(transcript, Options(title=title, names=names)),
        headers={
            "Content-Type": form.media_type,
            "Content-Disposition": content_disposition_header(True, filename(record, extension)),
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
