"""The server half of ElevenLabs speech-to-text for whole files: a request read, a result said.

What each parameter does on this machine (`provider=elevenlabs`, and ElevenLabs' own POST /v1/speech-to-text):

    language_code, source_lang honoured; absent or "auto": detected
    secondary_language_codes   honoured: the language is detected
    target_lang                honoured for en: Whisper translates into English alone; others refused
    diarize                    honoured: speaker_id "speaker_0" ... on each word
    num_speakers               honoured as the most voices, 1 to 32; asks for diarize
    timestamps_granularity     honoured: word, character (spread over its word), segment (adds `segments`), none
    file_format                honoured: pcm_s16le_16, pcm_s16le_16000, other
    additional_formats         honoured: srt and txt, with their options; others refused
    keyterms                   honoured: favoured, 400 characters in all
    temperature 0 to 2, seed   honoured
    use_multi_channel, multichannel_output_style
                               honoured
    tag_audio_events, diarization_threshold, numbers_format, transcript_edit, no_verbatim, entity_detection,
    entity_redaction, entity_redaction_mode, use_speaker_library, detect_speaker_roles, webhook_id
                               refused when set to a true value
    model_id                   taken as a label: the engine on this machine answers
    enable_logging             true or false, no difference: audio and text are not logged
    anything else              refused by its name
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from memweb.speech import text
from memweb.speech.dialects import orders
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.orders import MOST_SPEAKERS, Order, Said
from memweb.speech.dialects.parameters import Parameters
from memweb.speech.formats import FORMATS
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.recognition import Hints, Recognised
from memweb.speech.transcript import Segment, Transcript

LACKING = {
    "tag_audio_events": "sounds that are not words are not named",
    "diarization_threshold": "the voices' likeness cannot be set",
    "numbers_format": "numbers are written as the engine writes them",
    "transcript_edit": "transcripts are not edited",
    "no_verbatim": "false starts are not removed",
    "entity_detection": "entities are not detected",
    "entity_redaction": "nothing is redacted",
    "entity_redaction_mode": "nothing is redacted",
    "use_speaker_library": "there is no library of voices",
    "detect_speaker_roles": "speakers have no roles",
    "webhook_id": "every webhook of the account is told",
}
GRANULARITIES = ("word", "none", "segment", "character")
RAW = ("pcm_s16le_16", "pcm_s16le_16000")
EXPORTED = ("srt", "txt")
OWN = [
    "model_id",
    "language_code",
    "secondary_language_codes",
    "source_lang",
    "target_lang",
    "diarize",
    "num_speakers",
    "timestamps_granularity",
    "file_format",
    "additional_formats",
    "keyterms",
    "temperature",
    "seed",
    "use_multi_channel",
    "multichannel_output_style",
    "enable_logging",
]


@dataclass(frozen=True, slots=True)
class Export:
    """One of `additional_formats`."""

    extension: str
    options: Options


@dataclass(frozen=True, slots=True)
class ScribeRequest:
    """A request that can be honoured."""

    order: Order
    granularity: str = "word"
    separate: bool = False
    """One transcript for each channel."""
    exports: tuple[Export, ...] = ()


def read_request(query: Mapping[str, list[str]], further: tuple[str, ...] = ()) -> ScribeRequest:
    """What is asked for; names in `further` are somebody else's. Raises RefusedParameter."""
    parameters = Parameters(query)
    parameters.only([*OWN, *LACKING, *further])
    parameters.refuse(LACKING)
    parameters.flag("enable_logging")
    parameters.said("model_id", 100)
    granularity = parameters.choice("timestamps_granularity", GRANULARITIES, "word")
    channels = parameters.flag("use_multi_channel")
    style = parameters.choice("multichannel_output_style", ("separate", "combined"), "separate")
    if channels and style == "combined" and granularity == "none":
        raise RefusedParameter("timestamps_granularity", "timestamps_granularity none cannot be combined by time.")
    most = parameters.count("num_speakers", 1, MOST_SPEAKERS)
    return ScribeRequest(
        Order(
            hints=_hints(parameters),
            speakers=_speakers(parameters, most, channels),
            most_speakers=most,
            channels=channels,
            raw=parameters.choice("file_format", (*RAW, "other"), "other") in RAW,
        ),
        granularity,
        channels and style == "separate",
        tuple(_export(one) for one in parameters.objects("additional_formats")),
    )


def _hints(parameters: Parameters) -> Hints:
    _, language = parameters.language(("language_code", "source_lang"))
    _, target = parameters.language(("target_lang",))
    if target not in (None, "en", language):
        raise RefusedParameter("target_lang", f"target_lang {target} is not available here: only en is.")
    return Hints(
        language=None if parameters.many("secondary_language_codes") else language,
        favoured=orders.favoured("keyterms", parameters.words("keyterms", 100, 50)),
        temperature=parameters.real("temperature", 0, 2) or 0.0,
        seed=parameters.count("seed", 0, 2**31 - 1),
        translate=target == "en" != language,
    )


def _speakers(parameters: Parameters, most: int | None, channels: bool) -> bool:
    speakers = parameters.flag("diarize", most is not None and not channels)
    if speakers and channels:
        raise RefusedParameter("diarize", "diarize and use_multi_channel exclude each other: a channel is a speaker.")
    if most is not None and not speakers:
        raise RefusedParameter("num_speakers", "num_speakers needs diarize.")
    return speakers


def _export(asked: Mapping[str, Any]) -> Export:
    name = "additional_formats"
    if asked.get("format") not in EXPORTED:
        raise RefusedParameter(name, f"{name} can be {' or '.join(EXPORTED)} here.")
    options = {key: value for key, value in asked.items() if key != "format" and value is not None}
    read = Parameters({key: [value if isinstance(value, str) else json.dumps(value)] for key, value in options.items()})
    read.only([
        "include_speakers", "include_timestamps", "max_characters_per_line", "max_segment_chars",
        "max_segment_duration_s", "segment_on_silence_longer_than_s",
    ])  # fmt: skip
    plain = CaptionRules()
    columns = read.whole("max_characters_per_line", 10, 1000, plain.line_columns)
    characters = read.whole("max_segment_chars", columns, 10_000, columns * plain.lines)
    rules = CaptionRules(
        line_columns=columns,
        lines=max(1, characters // columns),
        most_ms=int(1000 * (read.real("max_segment_duration_s", 1, 600) or plain.most_ms / 1000)),
        pause_ms=int(1000 * (read.real("segment_on_silence_longer_than_s", 0, 600) or plain.pause_ms / 1000)),
    )
    speakers = read.flag("include_speakers", True)
    return Export(asked["format"], Options(speakers, read.flag("include_timestamps"), captions=rules))


def result(request: ScribeRequest, found: Recognised, transcription_id: str) -> dict[str, Any]:
    """The answer. Raises RefusedParameter where the recording misses a limit that was set."""
    found = orders.fulfil(request.order, found)
    if not request.separate:
        return _chunk(request, found) | {"transcription_id": transcription_id, "audio_duration_secs": _seconds(found)}
    channels = range(max(1, found.channels))
    return {
        "transcripts": [_chunk(request, _channel(found, number)) | {"channel_index": number} for number in channels],
        "transcription_id": transcription_id,
        "audio_duration_secs": _seconds(found),
    }


def _seconds(found: Recognised) -> float:
    return (found.transcript.duration_ms or 0) / 1000


def _channel(found: Recognised, number: int) -> Recognised:
    segments = tuple(segment for segment in found.transcript.segments if (segment.channel or 0) == number)
    return Recognised(
        Transcript(segments, found.transcript.language, found.transcript.duration_ms), found.language_confidence
    )


def _chunk(request: ScribeRequest, found: Recognised) -> dict[str, Any]:
    listed = orders.said(found)
    voices = orders.voices(listed)
    sure = found.language_confidence
    chunk: dict[str, Any] = {
        "language_code": found.transcript.language or "und",
        "language_probability": 1.0 if sure is None else sure,
        "text": orders.joined(listed),
        "words": _items(listed, voices, request.granularity),
    }
    if any(one.word.estimated for one in listed):
        chunk["timing"] = "estimated"
    if request.granularity == "segment":
        chunk["segments"] = [_row(segment, voices) for segment in found.transcript.segments]
    if request.exports:
        chunk["additional_formats"] = [_exported(one, found.transcript, voices) for one in request.exports]
    return chunk


def _items(listed: list[Said], voices: Mapping[str, int], granularity: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    end = 0
    for one in listed:
        if one.spaced:
            gap = {"text": " ", "start": end / 1000, "end": max(end, one.word.start_ms) / 1000, "type": "spacing"}
            items.append(gap | {"logprob": 0.0})
        items.append(_item(one, voices, granularity))
        end = one.word.end_ms
    if granularity in ("none", "segment"):
        return [{key: value for key, value in item.items() if key not in ("start", "end")} for item in items]
    return items


def _item(one: Said, voices: Mapping[str, int], granularity: str) -> dict[str, Any]:
    word = one.word
    item: dict[str, Any] = {
        "text": word.text,
        "start": word.start_ms / 1000,
        "end": word.end_ms / 1000,
        "type": word.kind,
        "logprob": math.log(max(word.confidence, 1e-9)) if word.confidence is not None else 0.0,
    }
    if one.speaker in voices:
        item["speaker_id"] = _voice(voices, one.speaker)
    if one.channel is not None:
        item["channel_index"] = one.channel
    if granularity == "character":
        item["characters"] = _characters(one)
    return item


def _characters(one: Said) -> list[dict[str, Any]]:
    """The characters of a word, spread evenly over its time."""
    start, span, count = one.word.start_ms, one.word.end_ms - one.word.start_ms, len(one.word.text)
    return [
        {
            "text": character,
            "start": (start + span * number // count) / 1000,
            "end": (start + span * (number + 1) // count) / 1000,
        }
        for number, character in enumerate(one.word.text)
    ]


def _voice(voices: Mapping[str, int], label: str | None) -> str:
    return f"speaker_{voices[label or '']}"


def _row(segment: Segment, voices: Mapping[str, int]) -> dict[str, Any]:
    row = {"text": segment.text, "start": segment.start_ms / 1000, "end": segment.end_ms / 1000}
    return row | ({"speaker_id": _voice(voices, segment.speaker)} if segment.speaker in voices else {})


def _exported(export: Export, transcript: Transcript, voices: Mapping[str, int]) -> dict[str, Any]:
    names = {label: _voice(voices, label) for label in voices}
    options = replace(export.options, title="", names=names)
    media = FORMATS[export.extension]
    return {
        "requested_format": export.extension,
        "file_extension": export.extension,
        "content_type": media.media_type.partition(";")[0],
        "is_base64_encoded": False,
        "content": text.clean(media.write(transcript, options).decode()),
    }
