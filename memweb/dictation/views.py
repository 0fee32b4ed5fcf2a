"""The dictation page, and what can be done with a recording that was not finished."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import cast
from uuid import UUID

from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET, require_POST

from memweb.accounts.choices import DETECT, LANGUAGES
from memweb.accounts.gateways import listeners
from memweb.accounts.models import User
from memweb.accounts.services import preferences_of
from memweb.dictation.captions import LINES
from memweb.dictation.reading import gateway_of_user, read
from memweb.dictation.recording import spool_path
from memweb.dictation.registry import registry
from memweb.speech import frames
from transcripts.models import Record, Share
from transcripts.shown.wording import title_of
from transcripts.views.shared import Door, by_token

BLOCK = 1 << 18
RECENT = 5
_in_any_frame = cast(Callable[[Door], Door], csp_replace({"frame-ancestors": ["*"]}))
_background: set[asyncio.Task[None]] = set()


@require_GET
@login_required
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """`/`: press a button and speak. `?session=<uuid>` goes on with a recording."""
    user = cast(User, request.user)
    mine = Record.objects.visible_to(user)
    gateway = gateway_of_user(user.pk)
    context = {
        "person": salted_hmac("memweb.dictation.person", str(user.pk)).hexdigest()[:16],
        "record": _wanted(request),
        "unfinished": mine.unfinished().filter(source=Record.Source.DICTATION),
        "recent": mine.settled().newest_first()[:RECENT],
        "providers": listeners(gateway),
        "languages": (*LANGUAGES, DETECT),
        "preferences": preferences_of(user),
        "gateway_name": gateway.name,
    }
    return render(request, "dictation/page.html", context)


def _wanted(request: HttpRequest) -> Record | None:
    asked = request.GET.get("session", "")
    if not asked:
        return None
    try:
        record_id = UUID(asked)
    except ValueError:
        raise Http404 from None
    return _found(cast(User, request.user), record_id)


def _found(user: User, record_id: UUID) -> Record:
    record = Record.objects.visible_to(user).filter(pk=record_id, source=Record.Source.DICTATION).first()
    if record is None:
        raise Http404
    return record


@xframe_options_exempt
@_in_any_frame
@by_token(Share.Kind.CAPTIONS)
def captions(request: HttpRequest, share: Share) -> HttpResponse:
    """Captions of what is being said, for an audience. The one page that others may embed: it can do nothing.

    `size`: pixels; `lines`: how many; `theme`: light, dark, or clear (nothing behind the words).
    """
    theme = request.GET.get("theme", "")
    context = {
        "title": title_of(share.record),
        "lang": share.record.language,
        "size": _within(request.GET.get("size", ""), 12, 200),
        "lines": _within(request.GET.get("lines", ""), 1, LINES),
        "theme": theme if theme in ("light", "dark", "clear") else "",
    }
    return HttpResponse(render_to_string("shared/captions.html", context))


def _within(given: str, least: int, most: int) -> int | None:
    if not (given.isascii() and given.isdigit()) or len(given) > 4:
        return None
    return min(max(int(given), least), most)


@require_GET
@login_required
async def audio(request: HttpRequest, record_id: UUID) -> HttpResponseBase:
    """The recording of an unfinished session as it lies on the server: WAV, 16 kHz, mono."""
    user = cast(User, await request.auser())
    await read(_found, user, record_id)
    path = spool_path(record_id)
    samples = await read(_count, path)
    if not samples:
        raise Http404
    response = StreamingHttpResponse(_wav(path, samples), content_type="audio/wav")
    response["Content-Length"] = str(44 + 2 * samples)
    response["Content-Disposition"] = f'attachment; filename="recording-{record_id}.wav"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@login_required
async def finish(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """Finish a session whose page is gone; the last words and the sealing go on after the answer."""
    user = cast(User, await request.auser())
    record = await read(_found, user, record_id)
    if record.ended_at is None:
        task = asyncio.get_running_loop().create_task(registry().finish(record_id, user.pk))
        _background.add(task)
        task.add_done_callback(_background.discard)
    return redirect(f"/transcripts/{record_id}/#title")


def _count(path: Path) -> int:
    """How many samples a spool holds; 0 where there is none."""
    if not path.exists():
        return 0
    return sum(len(pcm) // 2 for pcm in _pcm(path))


def _pcm(path: Path) -> Iterator[bytes]:
    """A spool's samples in pieces of some seconds."""
    rest = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found, used = frames.read(rest + block)
            rest = (rest + block)[used:]
            yield b"".join(frame.pcm for frame in found)


async def _wav(path: Path, samples: int) -> AsyncIterator[bytes]:
    """A header and exactly so many samples, whatever is appended meanwhile."""
    size, rate = 2 * samples, frames.RATE
    form = (b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    yield struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", *form, b"data", size)
    pieces = _pcm(path)
    while size > 0 and (piece := await read(next, pieces, b"")):
        yield piece[:size]
        size -= len(piece)
