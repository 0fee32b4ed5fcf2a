"""What can be asked for with a recording: language, who listens, speakers, and each provider's own features.

Pure. `read` takes what a page, a form or a row holds and never raises: what makes no sense is left at its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Self

from memweb.accounts.choices import LANGUAGES
from memweb.speech import meter
from memweb.speech.text import line

WHISPER, ELEVENLABS, ASSEMBLYAI = "whisper-1", "elevenlabs", "assemblyai"
PYANNOTE = "pyannote"
"""Who tells speakers apart where Whisper listens."""
LISTENERS: dict[str, str] = {WHISPER: "Whisper", ELEVENLABS: "ElevenLabs", ASSEMBLYAI: "AssemblyAI"}
MODELS: dict[str, tuple[tuple[str, str], ...]] = {
    WHISPER: (("whisper-1", "Whisper"),),
    ELEVENLABS: (("scribe_v2", "Scribe 2"), ("scribe_v1", "Scribe 1")),
    ASSEMBLYAI: (("best", "Best"), ("nano", "Nano"), ("universal", "Universal"), ("slam-1", "Slam 1")),
}
MOST_SPEAKERS = 10
ANY, NONE = 0, -1
_LANGUAGES = {code for code, _ in LANGUAGES}
_LONGEST = 2000

_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,8}(?:\.\d{1,3})?)", re.ASCII)
"""1:02:15, 1:30, 90, 0:01.5."""

Kind = Literal["flag", "choice", "text", "list", "names", "spelling", "number", "time"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One of a provider's own parameters, as a person is asked for it."""

    name: str
    label: str
    note: str = ""
    kind: Kind = "flag"
    choices: tuple[tuple[str, str], ...] = ()
    least: float = 0
    most: float = 0
    on: bool = False
    """Whether the provider does this when it is not told: then it is told only when it shall not."""
    needs: str = ""
    """The box without which it says nothing: until that is ticked it is not shown."""


_PII = "person name, phone number, email address or location"
FEATURES: dict[str, tuple[Feature, ...]] = {
    WHISPER: (),
    ELEVENLABS: (
        Feature("tag_audio_events", "Mark sounds", "Laughter, applause and the like, in brackets.", on=True),
        Feature(
            "timestamps_granularity", "Times", "Of each word, of each segment, or none.", "choice",
            (("word", "Each word"), ("segment", "Each segment"), ("none", "None")),
        ),
        Feature("target_lang", "Translate to", "A language code, such as en.", "text"),
    ),
    ASSEMBLYAI: (
        Feature("auto_chapters", "Chapters"),
        Feature("summarization", "Summary"),
        Feature("summary_model", "Manner of the summary", "", "choice",
                (("informative", "Informative"), ("conversational", "Conversational")), needs="summarization"),
        Feature("summary_type", "Form of the summary", "", "choice",
                (("bullets", "Points"), ("bullets_verbose", "Long points"), ("headline", "Headline"),
                 ("paragraph", "Paragraph"), ("gist", "Gist")), needs="summarization"),
        Feature("auto_highlights", "Key phrases"),
        Feature("entity_detection", "Names, places and things"),
        Feature("sentiment_analysis", "Mood of each sentence"),
        Feature("iab_categories", "Topics"),
        Feature("custom_topics", "Look for topics of your own"),
        Feature("topics", "Those topics", "One on each line.", "list", needs="custom_topics"),
        Feature("content_safety", "Sensitive content"),
        Feature("filter_profanity", "Cover swear words"),
        Feature("disfluencies", "Keep um and uh"),
        Feature("punctuate", "Punctuation", on=True),
        Feature("format_text", "Capitals and numbers", on=True),
        Feature("redact_pii", "Take out personal details"),
        Feature("redact_pii_policies", "Which details", f"One on each line, such as {_PII}.", "names",
                needs="redact_pii"),
        Feature("redact_pii_sub", "Put in their place", "", "choice",
                (("hash", "####"), ("entity_name", "[PERSON_NAME]")), needs="redact_pii"),
        Feature("word_boost", "Words to expect", "One on each line.", "list"),
        Feature("boost_param", "How strongly", "", "choice",
                (("default", "Normally"), ("low", "Weakly"), ("high", "Strongly"))),
        Feature("custom_spelling", "Spell as", "On each line: heard = written.", "spelling"),
        Feature("speech_threshold", "Least share of speech", "0 to 1; with less it is not transcribed.", "number",
                most=1),
        Feature("language_confidence_threshold", "Least certainty of the language", "0 to 1.", "number", most=1),
        Feature("audio_start_from", "Begin at", "Minutes and seconds, such as 1:30.", "time", most=10**9),
        Feature("audio_end_at", "End at", "Minutes and seconds, such as 1:30.", "time", most=10**9),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What a person asked for. `more` holds only what differs from the provider's own way."""

    language: str = ""
    """ISO 639-1; empty: detect."""
    provider: str = WHISPER
    model: str = ""
    speakers: int = NONE
    """NONE: not told apart; ANY: however many; else so many."""
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, given: object) -> Self:
        """From a mapping of any origin."""
        asked: Mapping[str, Any] = given if isinstance(given, dict) else {}
        provider = asked.get("provider")
        provider = provider if isinstance(provider, str) and provider in LISTENERS else WHISPER
        language, model = asked.get("language"), asked.get("model")
        more = asked.get("more")
        return cls(
            language=language if isinstance(language, str) and language in _LANGUAGES else "",
            provider=provider,
            model=model if isinstance(model, str) and model in dict(MODELS[provider]) else "",
            speakers=_speakers(asked.get("speakers")),
            more=_features(provider, more if isinstance(more, dict) else {}),
        )

    def kept(self) -> dict[str, Any]:
        """As JSON, for a row or a page."""
        return {
            "language": self.language, "provider": self.provider, "model": self.model, "speakers": self.speakers,
            "more": dict(self.more),
        }  # fmt: skip

    @property
    def tells_speakers(self) -> bool:
        return self.speakers != NONE

    def parameters(self, asset_id: str) -> dict[str, Any]:
        """The provider's own body for this recording. Only for providers with one: not for Whisper."""
        own = _elevenlabs(self) if self.provider == ELEVENLABS else _assemblyai(self)
        return {"asset_id": asset_id, **own, **self.more}

    def rate(self) -> Decimal:
        """The published price, in US dollars per hour."""
        if self.provider == WHISPER and self.tells_speakers:
            return meter.RATES[WHISPER] + meter.RATES["pyannote"]
        return meter.RATES[self.provider]


def _elevenlabs(options: Options) -> dict[str, Any]:
    own: dict[str, Any] = {"model_id": options.model or "scribe_v2", "diarize": options.tells_speakers}
    if options.language:
        own["language_code"] = options.language
        if "target_lang" in options.more:
            own["source_lang"] = options.language
    if options.speakers > 0:
        own["num_speakers"] = options.speakers
    return own


def _assemblyai(options: Options) -> dict[str, Any]:
    own: dict[str, Any] = {"speaker_labels": options.tells_speakers}
    if options.model:
        own["speech_model"] = options.model
    if options.language:
        own["language_code"] = options.language
    else:
        own["language_detection"] = True
    if options.speakers > 0:
        own["speakers_expected"] = options.speakers
    return own


def _speakers(given: object) -> int:
    try:
        count = int(str(given))
    except ValueError:
        return NONE
    return count if NONE <= count <= MOST_SPEAKERS else NONE


def _features(provider: str, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {feature.name: _value(feature, given[feature.name]) for feature in FEATURES[provider]
             if feature.name in given}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _value(feature: Feature, given: Any) -> Any:
    """As the provider takes it; None where it says nothing new."""
    match feature.kind:
        case "flag":
            value = given is True or str(given).lower() in ("true", "on", "yes", "1")
            return None if value == feature.on else value
        case "choice":
            return given if given in dict(feature.choices) and given != feature.choices[0][0] else None
        case "text":
            return line(str(given))[:40] or None
        case "list":
            return _lines(given) or None
        case "names":
            return [row.lower().replace(" ", "_") for row in _lines(given)] or None
        case "spelling":
            return _spelling(given) or None
        case "number":
            return _number(feature, given)
        case "time":
            return _number(feature, _milliseconds(given) if isinstance(given, str) else given)


def _lines(given: Any) -> list[str]:
    rows = given if isinstance(given, list) else str(given)[: _LONGEST * 4].splitlines()
    return [row for row in (line(str(row))[:200] for row in rows) if row][:200]


def _spelling(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, list):
        rows = [f"{_first(row.get('from'))} = {row.get('to')}" for row in given if isinstance(row, dict)]
    else:
        rows = _lines(given)
    pairs = [(heard.strip(), written.strip()) for heard, equals, written in (row.partition("=") for row in rows)]
    return [{"from": [heard], "to": written} for heard, written in pairs if heard and written]


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value)


def _milliseconds(written: str) -> int | None:
    found = _TIME.fullmatch(written.strip())
    if found is None:
        return None
    hours, minutes, seconds = found.groups(default="0")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def _number(feature: Feature, given: Any) -> float | int | None:
    try:
        value = float(str(given))
    except ValueError:
        return None
    if not feature.least < value <= feature.most:
        return None
    return int(value) if value.is_integer() and feature.most > 1 else value
