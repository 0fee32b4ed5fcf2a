"""The server half of OpenAI's audio transcriptions: a form read, a result said in one of six formats.

What each field of POST /v1/audio/transcriptions does:

    model                      one of MODELS, all answered by the engine on this machine; others do not exist (404)
    language                   honoured; absent: detected. languages[]: detected
    prompt                     honoured, 400 characters
    keywords[], hotwords       honoured: favoured, 400 characters in all
    temperature                honoured, 0 to 1
    response_format            honoured: json, text, srt, vtt, verbose_json, diarized_json
    timestamp_granularities[]  honoured, with verbose_json only: segment (default), word
    stream                     honoured for json and text: a delta for each segment as it is read; with diarized_json,
                               a segment event each
    chunking_strategy          "auto" is what is done; others refused
    include[], known_speaker_names[], known_speaker_references[]
                               refused
    anything else              refused by its name
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memweb.speech.dialects import orders, wire
from memweb.speech.dialects.assemblyai.transcripts import letters
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.orders import Order
from memweb.speech.dialects.parameters import Parameters
from memweb.speech.formats import FORMATS
from memweb.speech.formats.options import DEFAULT
from memweb.speech.recognition import Hints, Measures, Recognised
from memweb.speech.transcript import Segment

MODELS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
)
FORMATS_SAID = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
STREAMED = ("json", "text", "diarized_json")
LACKING = {
    "include[]": "token probabilities are not told",
    "include": "token probabilities are not told",
    "known_speaker_names[]": "speakers are not known by name",
    "known_speaker_references[]": "speakers are not known by voice",
}
GRANULARITIES = ("timestamp_granularities[]", "timestamp_granularities")
OWN = [
    "model",
    "language",
    "languages[]",
    "prompt",
    "keywords[]",
    "hotwords",
    "temperature",
    "response_format",
    "stream",
    "chunking_strategy",
]


class UnknownModel(RefusedParameter):
    """Answer 404: there is no such model."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """A request that can be honoured."""

    order: Order
    model: str
    format: str = "json"
    segments: bool = True
    words: bool = False
    stream: bool = False


def read_request(query: Mapping[str, list[str]], further: tuple[str, ...] = ()) -> TranscriptionRequest:
    """What is asked for; names in `further` are somebody else's. Raises RefusedParameter."""
    parameters = Parameters(query)
    parameters.only([*OWN, *GRANULARITIES, *LACKING, *further])
    parameters.refuse(LACKING)
    model = _model(parameters)
    parameters.choice("chunking_strategy", ("auto",), "auto")
    default = "diarized_json" if model.endswith("-diarize") and parameters.flag("stream") else "json"
    wanted = parameters.choice("response_format", FORMATS_SAID, default)
    stream = parameters.flag("stream")
    if stream and wanted not in STREAMED:
        raise RefusedParameter("stream", f"stream can give {', '.join(STREAMED)}, not {wanted}.")
    granular = {value for name in GRANULARITIES for value in parameters.many(name)}
    if granular - {"segment", "word"}:
        raise RefusedParameter(GRANULARITIES[0], f"{GRANULARITIES[0]} can be segment or word.")
    if granular and wanted != "verbose_json":
        raise RefusedParameter(GRANULARITIES[0], f"{GRANULARITIES[0]} needs response_format verbose_json.")
    return TranscriptionRequest(
        Order(hints=_hints(parameters), speakers=wanted == "diarized_json"),
        model,
        wanted,
        segments=not granular or "segment" in granular,
        words="word" in granular,
        stream=stream,
    )


def _model(parameters: Parameters) -> str:
    model = parameters.word("model")
    if not model:
        raise RefusedParameter("model", "you must provide a model parameter")
    if model not in MODELS:
        raise UnknownModel("model", f"The model `{wire.shortened(model, 60)}` does not exist here: see /v1/models.")
    return model


def _hints(parameters: Parameters) -> Hints:
    _, language = parameters.language(("language",))
    parameters.language(("languages[]",))
    hotwords = tuple(word.strip() for word in parameters.word("hotwords").split(",") if word.strip())
    keywords = parameters.words("keywords[]", 100, 50)
    return Hints(
        language=None if parameters.many("languages[]") else language,
        favoured=orders.favoured("keywords[]" if keywords else "hotwords", keywords + hotwords),
        prompt=parameters.said("prompt", orders.MOST_FAVOURED),
        temperature=parameters.real("temperature", 0, 1) or 0.0,
    )


@dataclass(frozen=True, slots=True)
class Body:
    media_type: str
    content: str


def result(request: TranscriptionRequest, found: Recognised) -> Body:
    """The answer in the wanted format."""
    found = orders.fulfil(request.order, found)
    if request.format == "text":
        return Body("text/plain; charset=utf-8", orders.joined(orders.said(found)) + "\n")
    if request.format in ("srt", "vtt"):
        made = FORMATS[request.format].write(found.transcript, DEFAULT).decode()
        return Body("text/vtt; charset=utf-8" if request.format == "vtt" else "text/plain; charset=utf-8", made)
    return Body("application/json", wire.dump(_OBJECTS[request.format](request, found)))


def _plain(request: TranscriptionRequest, found: Recognised) -> dict[str, Any]:
    return {"text": orders.joined(orders.said(found)), "usage": usage(found)}


def usage(found: Recognised) -> dict[str, Any]:
    return {"type": "duration", "seconds": -(-(found.transcript.duration_ms or 0) // 1000)}


def _verbose(request: TranscriptionRequest, found: Recognised) -> dict[str, Any]:
    listed = orders.said(found)
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": found.transcript.language or "",
        "duration": (found.transcript.duration_ms or 0) / 1000,
        "text": orders.joined(listed),
        "usage": usage(found),
    }
    if request.segments:
        measures = found.measures or (None,) * len(found.transcript.segments)
        numbered = enumerate(zip(found.transcript.segments, measures, strict=True))
        answer["segments"] = [_segment(number, segment, measured) for number, (segment, measured) in numbered]
    if request.words:
        answer["words"] = [
            {"word": one.word.text, "start": one.word.start_ms / 1000, "end": one.word.end_ms / 1000} for one in listed
        ]
    return answer


def _segment(number: int, segment: Segment, measured: Measures | None) -> dict[str, Any]:
    known = measured or Measures()
    return {
        "id": number,
        "seek": known.seek,
        "start": segment.start_ms / 1000,
        "end": segment.end_ms / 1000,
        "text": segment.text,
        "tokens": list(known.tokens),
        "temperature": known.temperature,
        "avg_logprob": known.avg_logprob,
        "compression_ratio": known.compression_ratio,
        "no_speech_prob": known.no_speech_prob,
    }


def _diarized(request: TranscriptionRequest, found: Recognised) -> dict[str, Any]:
    return {
        "task": "transcribe",
        "duration": (found.transcript.duration_ms or 0) / 1000,
        "text": orders.joined(orders.said(found)),
        "segments": diarized_segments(found),
        "usage": usage(found),
    }


_OBJECTS = {"json": _plain, "verbose_json": _verbose, "diarized_json": _diarized}


def diarized_segments(found: Recognised) -> list[dict[str, Any]]:
    """Runs of one voice each, which are also the events of a stream."""
    listed = orders.said(found)
    voices = orders.voices(listed)
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": run[0].word.start_ms / 1000,
            "end": run[-1].word.end_ms / 1000,
            "text": orders.joined(run),
            "speaker": letters(voices[run[0].speaker]) if run[0].speaker else "",
        }
        for number, run in enumerate(orders.runs(listed))
    ]


def event(content: Mapping[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {wire.dump(content)}\n\n"


def delta(said: str) -> str:
    return event({"type": "transcript.text.delta", "delta": said})


def done(said: str, used: Mapping[str, Any]) -> str:
    return event({"type": "transcript.text.done", "text": said, "usage": used})


def failure(message: str, *, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    kind = {401: "invalid_request_error", 402: "insufficient_quota", 429: "rate_limit_error"}.get(status)
    kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def models() -> dict[str, Any]:
    """What GET /v1/models answers."""
    return {"object": "list", "data": [model(name) for name in MODELS]}


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "memweb"}
