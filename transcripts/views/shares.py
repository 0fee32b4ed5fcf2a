"""A record's links, as its owner sees them: made, copied, stopped."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from transcripts.errors import Refused
from transcripts.models import Record, Recording, Share
from transcripts.shown import wording
from transcripts.taken_away import sharing
from transcripts.views import sheets
from transcripts.views.lookup import record_of

PERIODS = {0: "Until I stop it", 1: "For a day", 7: "For a week", 30: "For 30 days", 365: "For a year"}
_ROUTES: dict[str, str] = {Share.Kind.TEXT: "shared", Share.Kind.CAPTIONS: "captions"}
MADE, STOPPED = "The link works now.", "That link does not work any more."


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def shares(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The links there are, in a dialog or on a page of their own; a POST makes one."""
    record = record_of(request, record_id)
    if request.method != "POST":
        return _shown(request, record)
    days = request.POST.get("days", "")
    asked = int(days) if days in {str(one) for one in sharing.DAYS} else 0
    try:
        kind = Share.Kind.CAPTIONS if request.POST.get("kind") == Share.Kind.CAPTIONS else Share.Kind.TEXT
        sharing.make(record_id=record.pk, kind=kind, with_audio="with_audio" in request.POST, days=asked)
    except Refused as error:
        return _shown(request, record, str(error), refused=True)
    return _after(request, record, MADE)


@require_POST
@login_required
def stopping(request: HttpRequest, record_id: uuid.UUID, pk: int) -> HttpResponse:
    """Let one link show nothing from now on."""
    record = record_of(request, record_id)
    if not sharing.stop(record_id=record.pk, pk=pk):
        raise Http404
    return _after(request, record, STOPPED)


def _after(request: HttpRequest, record: Record, said: str) -> HttpResponse:
    return _shown(request, record, said) if sheets.is_part(request) else redirect("record-shares", record.pk)


def _shown(request: HttpRequest, record: Record, said: str = "", *, refused: bool = False) -> HttpResponse:
    context = {
        "links": [_link(request, share) for share in record.shares.kept()],
        "periods": PERIODS.items(),
        "has_recording": Recording.objects.filter(record=record).exists(),
        "is_live": record.status == Record.Status.LIVE,
        "said": said,
    }
    return sheets.shown(request, record, "transcripts/_shares.html", context, refused=refused)


def _link(request: HttpRequest, share: Share) -> dict[str, object]:
    token = sharing.token_of(share)
    ran_out = share.expires_at is not None and share.expires_at <= timezone.now()
    return {
        "pk": share.pk,
        "address": request.build_absolute_uri(reverse(_ROUTES[share.kind], args=[token])) if token else "",
        "is_captions": share.kind == Share.Kind.CAPTIONS,
        "with_audio": share.with_audio,
        "until": wording.day(share.expires_at) if share.expires_at else "",
        "ran_out": ran_out,
        "made": wording.moment(share.created_at),
    }
