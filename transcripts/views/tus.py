"""tus 1.0 (resumable uploads): creation, termination, checksum, expiration. What is told is safe on disk."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils.http import http_date

from transcripts import uploads
from transcripts.errors import TooMany, UploadError
from transcripts.files import asked
from transcripts.models import Upload
from transcripts.uploads import ALGORITHMS, PIECE, Checksum
from transcripts.views.lookup import person

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum,expiration"
MOST_METADATA = 8192
CONTENT_TYPE = "application/offset+octet-stream"

View = Callable[..., HttpResponse]


class Wrong(Exception):
    """The request is not as tus has it: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def speaks_tus(view: View) -> View:
    """Who is signed in and speaks this version may go on; what goes wrong is told in tus's statuses."""

    @wraps(view)
    def answer(request: HttpRequest, **found: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _dressed(HttpResponse("You are signed out.", status=401, content_type="text/plain"))
        request.method = request.headers.get("X-HTTP-Method-Override", request.method or "").upper()
        if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
            return _dressed(HttpResponse(status=412, headers={"Tus-Version": VERSION}))
        try:
            return _dressed(view(request, **found))
        except Wrong as wrong:
            return _dressed(HttpResponse(str(wrong), status=wrong.status, content_type="text/plain"))
        except UploadError as error:
            headers = {"Retry-After": str(uploads.WAIT_S)} if isinstance(error, TooMany) else {}
            return _dressed(HttpResponse(str(error), status=error.status, headers=headers, content_type="text/plain"))
        except Upload.DoesNotExist:
            return _dressed(HttpResponse("There is no such upload.", status=404, content_type="text/plain"))

    return answer


def _dressed(response: HttpResponse) -> HttpResponse:
    response["Tus-Resumable"] = VERSION
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@speaks_tus
def creation(request: HttpRequest) -> HttpResponse:
    """Announce a file (POST), or ask what is possible here (OPTIONS)."""
    if request.method == "OPTIONS":
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(uploads.largest()),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
        return HttpResponse(status=204, headers=headers)
    if request.method != "POST":
        return HttpResponseNotAllowed(["OPTIONS", "POST"])
    if "Upload-Defer-Length" in request.headers:
        raise Wrong(400, "The length of the file must be known.")
    size = _number(request, "Upload-Length")
    about = _metadata(request.headers.get("Upload-Metadata", ""))
    upload = uploads.begin(
        owner_id=person(request).pk,
        name=about.get("filename", ""),
        size=size,
        fingerprint=about.get("fingerprint", ""),
        options=asked.options_of(person(request)).kept(),
    )
    if size == 0:
        uploads.take(upload_id=upload.pk)
    headers = {"Location": reverse("tus", args=[upload.pk]), **_expires(upload.touched_at)}
    return HttpResponse(status=201, headers=headers)


@speaks_tus
def resource(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """One file: how far it is (HEAD), more of it (PATCH), forget it (DELETE)."""
    upload = Upload.objects.visible_to(person(request)).get(pk=upload_id)
    if request.method == "HEAD":
        return _told(upload)
    if request.method == "PATCH":
        return _more(request, upload)
    if request.method == "DELETE":
        uploads.remove(upload=upload)
        return HttpResponse(status=204)
    return HttpResponseNotAllowed(["HEAD", "PATCH", "DELETE"])


def _told(upload: Upload) -> HttpResponse:
    name = base64.b64encode(upload.name.encode()).decode()
    headers = {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.size),
        "Upload-Metadata": f"filename {name}",
    }
    if upload.status == Upload.Status.RECEIVING:
        headers |= _expires(upload.touched_at)
    return HttpResponse(status=200, headers=headers)


def _more(request: HttpRequest, upload: Upload) -> HttpResponse:
    if request.headers.get("Content-Type") != CONTENT_TYPE:
        raise Wrong(415, f"The bytes of a file are sent as {CONTENT_TYPE}.")
    offset = _number(request, "Upload-Offset")
    if upload.status != Upload.Status.RECEIVING:
        raise Wrong(409 if offset != upload.offset else 403, "This file is whole already.")
    upload = uploads.append(upload_id=upload.pk, offset=offset, pieces=_pieces(request), checksum=_checksum(request))
    if upload.offset == upload.size:
        uploads.take(upload_id=upload.pk)
    return HttpResponse(status=204, headers={"Upload-Offset": str(upload.offset), **_expires(upload.touched_at)})


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE):
        yield piece


def _number(request: HttpRequest, name: str) -> int:
    given = request.headers.get(name, "")
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Wrong(400, f"{name} is not a number.")
    return int(given)


def _checksum(request: HttpRequest) -> Checksum | None:
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    algorithm, _, digest = given.partition(" ")
    if algorithm not in ALGORITHMS:
        raise Wrong(400, f"Checksums are made by {', '.join(ALGORITHMS)}.")
    return Checksum(algorithm, _decoded(digest))


def _metadata(header: str) -> dict[str, str]:
    if len(header) > MOST_METADATA:
        raise Wrong(400, "Upload-Metadata is too long.")
    found = {}
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        key, _, value = pair.partition(" ")
        found[key] = _decoded(value.strip()).decode("utf-8", "replace")
    return found


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong(400, "What should be base64 is not.") from None


def _expires(touched_at: datetime) -> dict[str, str]:
    until = touched_at + timedelta(days=settings.UPLOAD_DAYS)
    return {"Upload-Expires": http_date(until.timestamp())}
