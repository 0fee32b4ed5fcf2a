"""The recording: its sound, in ranges, and its peaks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import BinaryIO

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from transcripts.models import Recording
from transcripts.recordings import audio_path
from transcripts.views.exports import filename
from transcripts.views.lookup import record_of

_PIECE = 64 * 1024


@require_safe
@login_required
def audio(request: HttpRequest, record_id: uuid.UUID) -> HttpResponseBase:
    """The FLAC file: whole, or the one range asked for (206), or 416 where there is nothing of it."""
    recording = _recording(request, record_id)
    try:
        file = audio_path(recording).open("rb")
    except FileNotFoundError:
        raise Http404 from None
    size = file.seek(0, 2)
    headers = {
        "Content-Type": "audio/flac",
        "Accept-Ranges": "bytes",
        "ETag": f'"{recording.pcm_sha256[:32]}"',
        "Cache-Control": "private, no-cache",
    }
    if "download" in request.GET:
        headers["Content-Disposition"] = content_disposition_header(True, filename(recording.record, "flac"))
    if request.headers.get("If-None-Match") == headers["ETag"]:
        file.close()
        return HttpResponse(status=304, headers={"ETag": headers["ETag"], "Cache-Control": headers["Cache-Control"]})
    return _answer(request, file, size, headers)


def _answer(request: HttpRequest, file: BinaryIO, size: int, headers: dict[str, str]) -> HttpResponseBase:
    asked = request.headers.get("Range", "")
    if request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
        asked = ""  # what the browser has is of another file: it needs all of this one
    try:
        found = range_of(asked, size)
    except ValueError:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    first, last = found or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if found:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = 206 if found else 200
    if request.method == "HEAD":
        file.close()
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(_Pieces(file, first, last + 1), status=status, headers=headers)


def range_of(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header, or None to send all. Raises ValueError where nothing lies in it.

    A header that is no single range of bytes is passed over, as RFC 9110 (14.2) allows.
    """
    unit, _, spec = asked.partition("=")
    start, dash, end = spec.strip().partition("-")
    numbers = all(number == "" or (number.isascii() and number.isdecimal()) for number in (start, end))
    if unit.strip().lower() != "bytes" or not dash or not numbers or not (start or end) or len(spec) > 40:
        return None
    if not start:  # the last so many bytes
        first, last = max(size - int(end), 0), size - 1
    else:
        first, last = int(start), min(int(end), size - 1) if end else size - 1
        if end and int(end) < int(start):
            return None
    if first > last or first >= size:
        raise ValueError(asked)
    return first, last


class _Pieces:
    """A part of a file, read piece by piece off the event loop; Django closes it, read to its end or not."""

    def __init__(self, file: BinaryIO, first: int, end: int) -> None:
        self._file, self._at, self._end = file, first, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.to_thread(self._file.seek, self._at)
        while self._at < self._end:
            piece = await asyncio.to_thread(self._file.read, min(_PIECE, self._end - self._at))
            if not piece:
                return
            self._at += len(piece)
            yield piece

    def close(self) -> None:
        self._file.close()


@require_safe
@login_required
def peaks(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """One byte per 100 ms: the loudest sample of each, 0 to 255."""
    recording = _recording(request, record_id)
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
