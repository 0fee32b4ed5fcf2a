"""Transcripts made elsewhere, brought in."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from transcripts.errors import Refused
from transcripts.files import importing
from transcripts.views.lookup import person, record_of

NOTHING = "Choose a file first."


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
        messages.error(request, NOTHING)
        return redirect("record", record.pk)
    try:
        transcript = importing.read(name=file.name or "", data=file.read(importing.LARGEST + 1))
    except Refused as error:
        messages.error(request, str(error))
    else:
        importing.as_version(record=record, name=file.name or "", transcript=transcript)
    return redirect("record", record.pk)
