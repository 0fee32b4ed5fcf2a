"""OpenAI's own addresses for speech to text, so that its clients work by base URL alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from memweb.gateway import reading
from memweb.gateway.doors import OPENAI
from memweb.gateway.keys import Caller
from memweb.gateway.native.door import behind, form_of, refused
from memweb.speech.dialects import orders, wire
from memweb.speech.dialects.openai import transcriptions
from memweb.speech.dialects.openai.transcriptions import TranscriptionRequest
from memweb.speech.recognition import Recognised
from memweb.speech.transcript import Segment

PROVIDER = "whisper-1"


def _transcribe(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponseBase:
    asked = transcriptions.read_request(form_of(request))
    sound = reading.uploaded(request, "file")
    job = reading.Job(caller.account_id, PROVIDER, str(uuid.uuid4()), asked.order)
    if asked.stream:
        return _streamed(asked, job, sound)
    with sound:
        found = job.now(sound)
    body = transcriptions.result(asked, found)
    job.charge(found)
    return HttpResponse(body.content, content_type=body.media_type)


def _streamed(asked: TranscriptionRequest, job: reading.Job, sound: reading.Sound) -> StreamingHttpResponse:
    """Events as the words are read. What can be refused is refused before the first."""
    job.admit(sound)
    response = StreamingHttpResponse(_events(asked, job, sound), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


class _Gone(Exception):
    """The client does not listen any more: what comes after `heard_ms` of the recording is not read."""

    def __init__(self, heard_ms: int) -> None:
        super().__init__()
        self.heard_ms = heard_ms


async def _events(asked: TranscriptionRequest, job: reading.Job, sound: reading.Sound) -> AsyncIterator[str]:
    """The engine reads in a thread of its own; its segments come through a queue."""
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Segment | None] = asyncio.Queue()
    gone = False

    def heard(segment: Segment) -> None:
        if gone:
            raise _Gone(segment.end_ms)
        loop.call_soon_threadsafe(told.put_nowait, segment)

    with sound:
        result = asyncio.ensure_future(asyncio.to_thread(job.read, sound, heard))
        result.add_done_callback(lambda _: told.put_nowait(None))
        try:
            async for event in _told(asked, job, told, result):
                yield event
        finally:
            gone = True
            with suppress(Exception):
                await asyncio.shield(_paid(job, result))


async def _paid(job: reading.Job, result: asyncio.Future[Recognised]) -> None:
    """Charge what was read, for a client that did not wait for the last event too. Raises what ended the reading."""
    try:
        heard_ms = (await result).heard_ms
    except _Gone as gone:
        heard_ms = gone.heard_ms
    await database_sync_to_async(reading.charge)(
        job.account_id, job.provider, job.session, heard_ms, job.order.speakers
    )


async def _told(
    asked: TranscriptionRequest,
    job: reading.Job,
    told: asyncio.Queue[Segment | None],
    result: asyncio.Future[Recognised],
) -> AsyncIterator[str]:
    said = ""
    while (segment := await told.get()) is not None:
        if not asked.order.speakers:
            piece = f" {segment.text}" if said else segment.text
            said += piece
            yield transcriptions.delta(piece)
    try:
        for event in await sync_to_async(_rest)(asked, job, result.result(), said):
            yield event
    except reading.EXPECTED as error:
        known = refused(error)
        yield transcriptions.event(OPENAI.body(known.status, known.message))


def _rest(asked: TranscriptionRequest, job: reading.Job, found: Recognised, said: str) -> list[str]:
    """The last events; the file is charged."""
    found = orders.fulfil(asked.order, found)
    events = []
    if asked.order.speakers:
        rows = transcriptions.diarized_segments(found)
        events = [transcriptions.event(row) for row in rows]
        said = " ".join(row["text"] for row in rows)
    job.charge(found)
    return [*events, transcriptions.done(said, transcriptions.usage(found))]


def _models(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    return JsonResponse(transcriptions.models())


def _model(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    name = captured["name"]
    if name not in transcriptions.MODELS:
        raise transcriptions.UnknownModel("model", f"The model `{wire.shortened(name, 60)}` does not exist here.")
    return JsonResponse(transcriptions.model(name))


transcribe = behind(OPENAI, post=_transcribe)
models = behind(OPENAI, get=_models)
model = behind(OPENAI, get=_model)
