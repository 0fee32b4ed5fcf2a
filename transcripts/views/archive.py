"""Your archive: the whole account as one file, and the way back in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from memweb import streamed
from transcripts import archive, uploads
from transcripts.models import Record
from transcripts.shown import wording
from transcripts.views.lookup import person


@require_safe
@login_required
def archive_page(request: HttpRequest) -> HttpResponse:
    """What there is to take along, and how to bring it in."""
    mine = Record.objects.filter(owner=person(request))
    totals = mine.aggregate(count=Count("pk"), length=Sum("duration_ms"), size=Sum("recording__size"))
    context = {
        "count": totals["count"],
        "length": wording.spell(totals["length"] or 0),
        "size": wording.megabytes(totals["size"]) if totals["size"] else "",
        "going_on": mine.filter(status__in=[Record.Status.LIVE, Record.Status.FINISHING]).count(),
        "largest": wording.megabytes(uploads.largest()),
    }
    return render(request, "transcripts/archive.html", context)


@require_safe
@login_required
def archive_file(request: HttpRequest) -> HttpResponseBase:
    """The file itself, made while it is sent. `without=recordings` leaves those out."""
    owner = person(request)
    day = timezone.localdate().isoformat()
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": content_disposition_header(True, f"memweb {owner.username} {day}.zip"),
        "Cache-Control": "no-store",
    }
    sound = request.GET.get("without") != "recordings"
    return streamed.answer(request, archive.pack(owner=owner, sound=sound), headers)
