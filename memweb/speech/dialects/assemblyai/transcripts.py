"""The server half of AssemblyAI's pre-recorded transcripts: a request read, a transcript said, and what is cut from it.

What each parameter does on this machine (`provider=assemblyai`, and AssemblyAI's own POST /v2/transcript):

    language_code              honoured; without one and without detection it is en_us, as with the provider
    language_detection, language_codes
                               honoured: detected
    language_confidence_threshold
                               honoured: below it the transcript is an error
    punctuate, format_text     honoured: without marks; in lower case (numerals stay as the engine writes them)
    disfluencies               honoured: hesitations are left out unless it is true
    filter_profanity           honoured for English: the first letter and stars
    custom_spelling            honoured: `from` words or phrases become `to`
    word_boost, keyterms_prompt
                               honoured: favoured, 400 characters in all; boost_param only as "default"
    prompt, temperature        honoured
    speaker_labels, speakers_expected, speaker_options.max_speakers_expected
                               honoured: "A", "B" ...; the numbers are the most voices there can be
    multichannel, dual_channel honoured
    audio_start_from, audio_end_at
                               honoured, in milliseconds; times count from the start of the whole file
    speech_threshold           honoured: below it the transcript is an error
    webhook_url, webhook_auth_header_name, webhook_auth_header_value
                               for the shell
    speech_model, speech_models taken as labels: the engine on this machine answers, and speech_model_used names it
    remove_audio_tags          nothing to remove: the engine writes none
    sentiment_analysis, entity_detection, auto_highlights, content_safety, iab_categories, auto_chapters,
    summarization, redact_pii, redact_pii_audio, topics, speech_understanding, domain and what belongs to them
                               refused when set to a true value
    anything else              refused by its name
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memweb.speech import text
from memweb.speech.dialects import orders
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.orders import MOST_SPEAKERS, Limit, Order, Said
from memweb.speech.dialects.parameters import Parameters
from memweb.speech.dialects.wording import Wording, sequence
from memweb.speech.recognition import Hints, Recognised

LACKING = {
    "sentiment_analysis": "sentiments are not read",
    "entity_detection": "entities are not detected",
    "auto_highlights": "phrases are not highlighted",
    "content_safety": "content is not judged",
    "content_safety_confidence": "content is not judged",
    "iab_categories": "topics are not found",
    "custom_topics": "topics are not found",
    "topics": "topics are not found",
    "auto_chapters": "chapters are not made",
    "summarization": "nothing is summarised",
    "summary_model": "nothing is summarised",
    "summary_type": "nothing is summarised",
    "redact_pii": "nothing is redacted, for what is spoken in words would be missed",
    "redact_pii_policies": "nothing is redacted",
    "redact_pii_sub": "nothing is redacted",
    "redact_pii_audio": "nothing is redacted",
    "redact_pii_audio_quality": "nothing is redacted",
    "redact_pii_audio_options": "nothing is redacted",
    "redact_pii_return_unredacted": "nothing is redacted",
    "speech_understanding": "no language model is asked",
    "language_detection_options": "detection has no options",
    "keyterms_prompt_options": "favoured words have no strength",
    "domain": "there is one model for every field",
}
LABELS = ("speech_model", "speech_models", "remove_audio_tags")
OWN = [
    "language_code",
    "language_codes",
    "language_detection",
    "language_confidence_threshold",
    "punctuate",
    "format_text",
    "disfluencies",
    "filter_profanity",
    "custom_spelling",
    "word_boost",
    "boost_param",
    "keyterms_prompt",
    "prompt",
    "temperature",
    "speaker_labels",
    "speakers_expected",
    "speaker_options",
    "multichannel",
    "dual_channel",
    "audio_start_from",
    "audio_end_at",
    "speech_threshold",
]
LANGUAGES = ("language_codes", "language_code")
LONGEST_MS = 7 * 24 * 3600 * 1000
_FEATURES = [
    "sentiment_analysis",
    "entity_detection",
    "auto_highlights",
    "content_safety",
    "iab_categories",
    "auto_chapters",
    "summarization",
    "redact_pii",
    "redact_pii_audio",
]
_RESULTS = [
    "chapters",
    "summary",
    "entities",
    "sentiment_analysis_results",
    "auto_highlights_result",
    "content_safety_labels",
    "iab_categories_result",
    "summary_type",
    "summary_model",
    "redact_pii_policies",
    "redact_pii_sub",
    "redact_pii_audio_quality",
    "topics",
    "language_detection_options",
]

_UNTOLD = ("text", "words", "utterances", "confidence", "audio_duration", "language_confidence", "error")


@dataclass(frozen=True, slots=True)
class TranscriptRequest:
    """A request that can be honoured."""

    order: Order
    echoed: Mapping[str, Any]
    """What the client gave, as it gave it: a transcript repeats it."""
    language_code: str
    """As the client wrote it; empty where the language is detected."""


def read_request(
    query: Mapping[str, list[str]], given: Mapping[str, Any], further: tuple[str, ...] = ()
) -> TranscriptRequest:
    """What is asked for; names in `further` are somebody else's. `given` is the body the query was made of.

    Raises RefusedParameter.
    """
    parameters = Parameters(query)
    parameters.only([*OWN, *LABELS, *LACKING, *further])
    parameters.refuse(LACKING)
    for name in LABELS:
        parameters.words(name, 10, 100)
    detect, language = _language(parameters)
    most = _most_speakers(parameters)
    channels = parameters.flag("multichannel") or parameters.flag("dual_channel")
    speakers = parameters.flag("speaker_labels")
    if speakers and channels:
        raise RefusedParameter("speaker_labels", "speaker_labels and multichannel exclude each other.")
    if most is not None and not speakers:
        raise RefusedParameter("speakers_expected", "speakers_expected needs speaker_labels.")
    start_ms, end_ms = _span(parameters)
    order = Order(
        hints=_hints(parameters, language),
        speakers=speakers,
        most_speakers=most,
        channels=channels,
        start_ms=start_ms,
        end_ms=end_ms,
        least_certainty=_limit(parameters, "language_confidence_threshold") if detect else None,
        least_speech=_limit(parameters, "speech_threshold"),
        wording=_wording(parameters),
    )
    code = "" if detect else parameters.word("language_code") or parameters.word("language_codes") or "en_us"
    return TranscriptRequest(order, {name: given[name] for name in (*OWN, *LABELS) if name in given}, code)


def _language(parameters: Parameters) -> tuple[bool, str | None]:
    """Whether it is to be detected, and else which it is."""
    named, language = parameters.language(LANGUAGES)
    detect = parameters.flag("language_detection")
    if detect and language is not None:
        raise RefusedParameter("language_detection", "language_detection and language_code exclude each other.")
    if not detect and not named:
        return False, "en"
    if parameters.word("language_confidence_threshold") and language is not None:
        raise RefusedParameter(
            "language_confidence_threshold", "language_confidence_threshold needs language_detection."
        )
    return language is None, language


def _hints(parameters: Parameters, language: str | None) -> Hints:
    parameters.choice("boost_param", ("default",), "default")
    boosted, keyterms = parameters.words("word_boost", 100, 50), parameters.words("keyterms_prompt", 100, 50)
    return Hints(
        language=language,
        favoured=orders.favoured("word_boost" if boosted else "keyterms_prompt", boosted + keyterms),
        prompt=parameters.said("prompt", orders.MOST_FAVOURED),
        temperature=parameters.real("temperature", 0, 1) or 0.0,
    )


def _most_speakers(parameters: Parameters) -> int | None:
    name = "speaker_options"
    expected = parameters.count("speakers_expected", 1, MOST_SPEAKERS)
    for options in parameters.objects(name):
        inner = Parameters({key: [str(value)] for key, value in options.items() if value is not None})
        inner.refuse({key: f"{name} has max_speakers_expected only" for key in options if key != _MOST})
        expected = inner.count(_MOST, 1, MOST_SPEAKERS) or expected
    return expected


_MOST = "max_speakers_expected"


def _span(parameters: Parameters) -> tuple[int, int | None]:
    start = parameters.whole("audio_start_from", 0, LONGEST_MS, 0)
    end = parameters.count("audio_end_at", 0, LONGEST_MS)
    if end is not None and end <= start:
        raise RefusedParameter("audio_end_at", "audio_end_at must be later than audio_start_from.")
    return start, end


def _limit(parameters: Parameters, name: str) -> Limit | None:
    share = parameters.real(name, 0, 1)
    return Limit(name, share) if share else None


def _wording(parameters: Parameters) -> Wording:
    return Wording(
        fillers=parameters.flag("disfluencies"),
        profanity="filter_profanity" if parameters.flag("filter_profanity") else "",
        spellings=_spellings(parameters.objects("custom_spelling")),
        marks=parameters.flag("punctuate", True),
        capitals=parameters.flag("format_text", True),
    )


def _spellings(rules: list[dict[str, Any]]) -> dict[tuple[str, ...], str]:
    name = "custom_spelling"
    spellings: dict[tuple[str, ...], str] = {}
    for rule in rules:
        heard, written = rule.get("from"), rule.get("to")
        sources = [heard] if isinstance(heard, str) else heard
        if not isinstance(sources, list) or not isinstance(written, str) or not written.strip():
            raise RefusedParameter(name, f"{name} is a list of objects with from, a list of words, and to, one text.")
        for source in sources:
            found = sequence(source) if isinstance(source, str) else ()
            if not found:
                raise RefusedParameter(name, f"{name} has a from that is no word.")
            spellings[found] = text.line(written)
    if len(spellings) > 1000:
        raise RefusedParameter(name, f"{name} takes 1000 spellings at most.")
    return spellings


def waiting(
    request: TranscriptRequest, *, id: str, status: str, audio_url: str, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A transcript that is queued or processing; with `more`, one with something to tell besides."""
    order = request.order
    unset: dict[str, Any] = dict.fromkeys([*OWN, *LABELS, *_RESULTS, *_UNTOLD])
    told: dict[str, Any] = {
        "punctuate": order.wording.marks,
        "format_text": order.wording.capitals,
        "disfluencies": order.wording.fillers,
        "filter_profanity": bool(order.wording.profanity),
        "speaker_labels": order.speakers,
        "multichannel": order.channels,
        "language_detection": not request.language_code,
    }
    told |= dict.fromkeys(_FEATURES, False)
    own = {"id": id, "status": status, "audio_url": audio_url, "language_code": request.language_code or None}
    return {**unset, **told, **request.echoed, **own, **(more or {})}


def failed(request: TranscriptRequest, *, id: str, audio_url: str, error: str) -> dict[str, Any]:
    """A transcript that came to nothing."""
    return waiting(request, id=id, status="error", audio_url=audio_url, more={"error": error})


def completed(request: TranscriptRequest, found: Recognised, *, id: str, audio_url: str) -> dict[str, Any]:
    """A transcript. Raises RefusedParameter where the recording misses a limit that was set."""
    found = orders.fulfil(request.order, found)
    listed = orders.said(found)
    voices = orders.voices(listed)
    parted = request.order.speakers or request.order.channels
    spoken = {
        "text": orders.joined(listed),
        "words": [_word(one, voices) for one in listed],
        "utterances": [_utterance(run, voices) for run in orders.runs(listed)] if parted else None,
        "confidence": round(orders.confidence(listed), 4),
        "audio_duration": round((found.transcript.duration_ms or 0) / 1000),
        "audio_channels": found.channels,
        "language_code": request.language_code or found.transcript.language,
        "language_confidence": found.language_confidence,
        "speech_model_used": found.engine,
    }
    if any(one.word.estimated for one in listed):
        spoken["timing"] = "estimated"
    return waiting(request, id=id, status="completed", audio_url=audio_url, more=spoken)


def _word(one: Said, voices: Mapping[str, int]) -> dict[str, Any]:
    word = one.word
    item: dict[str, Any] = {
        "text": word.text,
        "start": word.start_ms,
        "end": max(word.start_ms, word.end_ms),
        "confidence": 0.0 if word.confidence is None else word.confidence,
        "speaker": _voice(one, voices),
    }
    return item if one.channel is None else item | {"channel": str(one.channel + 1)}


def _utterance(run: list[Said], voices: Mapping[str, int]) -> dict[str, Any]:
    first = run[0]
    utterance: dict[str, Any] = {
        "speaker": _voice(first, voices),
        "text": orders.joined(run),
        "start": first.word.start_ms,
        "end": max(one.word.end_ms for one in run),
        "confidence": round(orders.confidence(run), 4),
        "words": [_word(one, voices) for one in run],
    }
    return utterance if first.channel is None else utterance | {"channel": str(first.channel + 1)}


def _voice(one: Said, voices: Mapping[str, int]) -> str | None:
    """ "A" for the first voice; in a recording of channels their number."""
    if one.channel is not None:
        return str(one.channel + 1)
    return letters(voices[one.speaker]) if one.speaker else None


def letters(number: int) -> str:
    """A, B ... Z, AA, AB ..."""
    first, last = divmod(number, 26)
    return (letters(first - 1) if first else "") + chr(ord("A") + last)
