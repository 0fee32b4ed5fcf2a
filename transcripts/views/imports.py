"""Transcripts made elsewhere, brought in."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from transcripts.errors import Refused
from transcripts.files import importing
from transcripts.models import Record
from transcripts.uploads import named
from transcripts.views.lookup import person, record_of

NOTHING = "Choose a file first."
SHOWN = "“{name}” is brought in as a version, and shown from now on."
BESIDE = "“{name}” is brought in as a version. Your corrected text stays, and is shown."
AT_FORM = "bring"
"""Marks a message that is told at the form and not as a notice."""


@require_POST
@login_required
def imports(request: HttpRequest) -> HttpResponse:
    """Make records of transcript files."""
    made = None
    for file in request.FILES.getlist("files"):
        name = file.name or ""
        try:
            transcript = importing.read(name=name, data=file.read(importing.LARGEST + 1))
        except Refused as error:
            messages.error(request, f"{name}: {error}")
            continue
        made = importing.as_record(owner_id=person(request).pk, name=name, transcript=transcript)
    if not request.FILES:
        messages.error(request, NOTHING)
    return redirect("record", made.pk) if made and len(request.FILES.getlist("files")) == 1 else redirect("library")


@require_POST
@login_required
def version(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """One more version of a record, from a file."""
    record = record_of(request, record_id)
    file = request.FILES.get("file")
    if file is None:
        return _refused(request, record, NOTHING)
    name = file.name or ""
    try:
        transcript = importing.read(name=name, data=file.read(importing.LARGEST + 1))
    except Refused as error:
        return _refused(request, record, f"{named(name)}: {error}")
    made = importing.as_version(record=record, name=name, transcript=transcript)
    is_shown = Record.objects.filter(pk=record.pk, current_version=made).exists()
    messages.success(request, (SHOWN if is_shown else BESIDE).format(name=named(name)))
    return redirect("record", record.pk)


def _refused(request: HttpRequest, record: Record, sentence: str) -> HttpResponse:
    """Back to the form, which says why."""
    messages.error(request, sentence, extra_tags=AT_FORM)
    return redirect(f"{reverse('record', args=[record.pk])}#bring")
