"""Transcribe again: what to ask for, from whom, at what price; and stopping it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from transcripts import jobs
from transcripts.errors import Refused
from transcripts.files import asked
from transcripts.hearing import again as hearing
from transcripts.models import Record
from transcripts.views import sheets
from transcripts.views.lookup import person, record_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def again(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The form, in a dialog or on a page of its own; a POST starts. Nothing of it changes what uploads ask for."""
    record = record_of(request, record_id)
    if request.method != "POST":
        return _form(request, record)
    try:
        options = asked.possible(asked.read_form(request.POST), asked.gateway_of(person(request)))
        hearing.start(record_id=record.pk, options=options.kept())
    except Refused as error:
        messages.error(request, str(error))
    return redirect("record", record.pk)


def _form(request: HttpRequest, record: Record) -> HttpResponse:
    user = person(request)
    options = asked.read_form(request.GET) if "provider" in request.GET else asked.options_of(user)
    context = {
        "why_not": hearing.why_not(record),
        "price": asked.price(options, asked.gateway_of(user), record.duration_ms),
        **asked.context(user, options),
    }
    return sheets.shown(request, record, "transcripts/_again.html", context)


@require_POST
@login_required
def stop(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Stop what is being done with the recording. It and the text there is stay."""
    record = record_of(request, record_id)
    jobs.cancel(record_id=record.pk)
    return redirect("record", record.pk)
