"""`/audio-stream/*`: the gateway pulls a URL, and posts what the provider says to the account's webhook."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router
from pydantic import ConfigDict

from memweb.gateway import guard, streams
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.shapes import Shape

router = Router(tags=["audio streams"])


class Start(Shape):
    """What to pull and who listens. Every further key is a parameter of the provider, and is handed on."""

    model_config = ConfigDict(extra="allow")

    audio_url: Annotated[
        str, Field(min_length=1, max_length=guard.LONGEST_URL, examples=["rtmp://example.com/live/audio"])
    ]
    """What to pull: rtmp, rtmps, rtsp, rtsps, http or https, HLS too."""
    provider: Literal["elevenlabs", "assemblyai"]
    """Who listens, and in whose messages."""
    audio_start_from: int | None = None
    """Milliseconds of the source to skip."""
    audio_end_at: int | None = None
    """Milliseconds of the source after which to end; 0: at its end."""


class Stop(Shape):
    """Which stream to end."""

    task_id: Annotated[str, Field(min_length=1, max_length=64)]
    """Which stream, as the start answered."""


class StreamData(Shape):
    """The stream, and what became of the request."""

    task_id: str
    """What its callbacks name."""
    message: str
    """What became of the request, in words."""


class StreamAnswer(Shape):
    """What audio streams answer."""

    code: Literal[200] = 200
    message: str = "success"
    data: StreamData


class StreamFailure(Shape):
    """Their refusal; `code` is the HTTP status."""

    code: int
    message: str
    data: None


STREAM_FAILURES: dict[Any, Any] = {frozenset({400, 401, 402, 403, 413, 415, 429}): StreamFailure}


@router.post("/start", response={200: StreamAnswer, **STREAM_FAILURES}, operation_id="start-audio-stream")
def start(request: HttpRequest, payload: Start) -> StreamAnswer:
    """Start pulling a stream (RTMP, RTSP, HLS, HTTP). Callbacks follow until one whose status is not 0."""
    # From the body itself: ninja leaves out what the schema does not name.
    stream = streams.start(caller=caller_of(request), body=json.loads(request.body))
    return StreamAnswer(data=StreamData(task_id=stream.task_id, message="Audio stream transcription started"))


@router.post("/stop", response={200: StreamAnswer, **STREAM_FAILURES}, operation_id="stop-audio-stream")
def stop(request: HttpRequest, payload: Stop) -> StreamAnswer:
    """Stop a stream. One last callback follows, with status 14."""
    stream = streams.stop(caller=caller_of(request), task_id=payload.task_id)
    return StreamAnswer(data=StreamData(task_id=stream.task_id, message="Audio stream stopped successfully"))
