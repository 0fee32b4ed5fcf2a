"""The recording: its sound, in ranges, and its peaks."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from memweb import ranges
from transcripts.models import Recording
from transcripts.recordings import audio_path
from transcripts.taken_away.exports import filename
from transcripts.views.lookup import record_of


@require_safe
@login_required
def audio(request: HttpRequest, record_id: uuid.UUID) -> HttpResponseBase:
    """The recording of one's own record."""
    recording = _recording(request, record_id)
    name = filename(recording.record, "flac") if "download" in request.GET else ""
    return served(request, recording, name)


def served(request: HttpRequest, recording: Recording, name: str = "") -> HttpResponseBase:
    """The FLAC file: whole, or the one range asked for (206), or 416 where there is nothing of it. `name`: to keep."""
    try:
        file = audio_path(recording).open("rb")
    except FileNotFoundError:
        raise Http404 from None
    size = file.seek(0, 2)
    headers = {
        "Content-Type": "audio/flac",
        "ETag": f'"{recording.pcm_sha256[:32]}"',
        "Cache-Control": "private, no-cache",
    }
    if name:
        headers["Content-Disposition"] = content_disposition_header(True, name)
    if request.headers.get("If-None-Match") == headers["ETag"]:
        file.close()
        return HttpResponse(status=304, headers={"ETag": headers["ETag"], "Cache-Control": headers["Cache-Control"]})
    return ranges.answer(request, file, size, headers)


@require_safe
@login_required
def peaks(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The waveform of one's own record."""
    return waveform(request, _recording(request, record_id))


def waveform(request: HttpRequest, recording: Recording) -> HttpResponse:
    """One byte per 100 ms: the loudest sample of each, 0 to 255."""
    tag = f'"{recording.pcm_sha256[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(bytes(recording.peaks), headers={**headers, "Content-Type": "application/octet-stream"})


def _recording(request: HttpRequest, record_id: uuid.UUID) -> Recording:
    record = record_of(request, record_id)
    recording = Recording.objects.filter(record=record).select_related("record").first()
    if recording is None:
        raise Http404
    return recording
