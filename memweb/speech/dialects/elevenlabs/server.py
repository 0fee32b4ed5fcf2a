"""The server half of ElevenLabs realtime.

Handshake parameters, and what each does here:

    audio_format               honoured: pcm_8000, 16000, 22050, 24000, 44100, 48000, ulaw_8000; others refused
    language_code              honoured; absent or "auto": detected
    secondary_languages        honoured by detection, also where language_code is given
    commit_strategy            honoured: manual (default), vad; turn_prediction refused
    include_timestamps         honoured: committed_transcript_with_timestamps follows
    include_language_detection honoured: final_transcript with language_code follows
    inactivity_timeout         honoured: whole seconds from 1 to 3600, 15 where absent
    vad_silence_threshold_secs honoured with commit_strategy=vad, as the next three: this silence makes a commit
    vad_threshold              honoured: how loud, above the noise of the room, a voice must be
    min_speech_duration_ms     honoured: a shorter sound is no voice
    min_silence_duration_ms    honoured: no shorter silence makes a commit
                               (without any of these four the engine's own pauses do)
    model_id                   taken as a label: the engine on this machine answers
    enable_logging             true or false, no difference: audio and text are not logged
    keyterms, no_verbatim, entity_detection, entity_redaction, transcript_edit, filter_background_audio
                               refused when set to a true value
    diarize, num_speakers, tag_audio_events, timestamps_granularity, and unknown ones: ignored, as the provider does

With commit_strategy=manual one committed_transcript answers each commit, and one comes by itself when 90 s have
gathered; with vad one comes for each final of the engine, and one with empty text for a commit that found no words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, cast

from memweb.speech.dialects import ending, warning, wire
from memweb.speech.dialects.contract import Audio, Bad, Command, Commit, Encoding, KeepAlive, ServerSettings
from memweb.speech.dialects.intake import Intake, decoded
from memweb.speech.dialects.parameters import Parameters
from memweb.speech.dialects.silences import loudness
from memweb.speech.dialects.words import spread
from memweb.speech.events import Committed, Ended, Event, Failed, Final, Partial, Warned
from memweb.speech.transcript import Segment, Word
from memweb.speech.turns import TurnRules

FORMATS: Mapping[str, tuple[Encoding, int]] = {
    **{f"pcm_{rate}": ("pcm_s16le", rate) for rate in (8000, 16000, 22050, 24000, 44100, 48000)},
    "ulaw_8000": ("pcm_mulaw", 8000),
}
LACKING = {
    "keyterms": "words cannot be favoured",
    "no_verbatim": "filler words are not removed",
    "entity_detection": "entities are not detected",
    "entity_redaction": "nothing is redacted",
    "transcript_edit": "transcripts are not edited",
    "filter_background_audio": "background voices are not filtered",
}
HINTS = {
    "vad_silence_threshold_secs": (0.3, 3.0),
    "vad_threshold": (0.1, 0.9),
    "min_speech_duration_ms": (50, 2000),
    "min_silence_duration_ms": (50, 2000),
}
FAILING = {
    "auth": "auth_error",
    "funds": "quota_exceeded",
    "capacity": "resource_exhausted",
    "rate": "rate_limited",
    "input": "input_error",
    "session_limit": "session_time_limit_exceeded",
    "idle": "insufficient_audio_activity",
    "provider": "transcriber_error",
    "unknown": "error",
}
LEAST_COMMIT_MS = 300
LONGEST_SEGMENT_MS = 90_000
IDLE_S = 15
SILENCE_S, SPEECH_MS = 1.5, 100
"""The provider's, where only others are given."""


def read_settings(query: Mapping[str, list[str]]) -> ServerSettings:
    """The settings a handshake asks for. Raises RefusedParameter."""
    parameters = Parameters(query)
    parameters.refuse(LACKING)
    parameters.flag("enable_logging")
    encoding, sample_rate = FORMATS[parameters.choice("audio_format", FORMATS, "pcm_16000")]
    given, language = parameters.language(["language_code"])
    hints = {name: value for name, within in HINTS.items() if (value := parameters.real(name, *within)) is not None}
    strategy = parameters.choice("commit_strategy", ("manual", "vad"), "manual")
    return ServerSettings(
        language=None if parameters.many("secondary_languages") else language,
        language_given=given,
        sample_rate=sample_rate,
        encoding=encoding,
        idle_timeout_s=parameters.whole("inactivity_timeout", 1, 3600, IDLE_S),
        commit=cast(Literal["manual", "vad"], strategy),
        model=wire.shortened(parameters.word("model_id", "scribe_v2_realtime"), 60),
        timestamps=parameters.flag("include_timestamps"),
        language_detection=parameters.flag("include_language_detection"),
        hints=hints,
        turns=turn_rules(hints) if hints and strategy == "vad" else None,
    )


def turn_rules(hints: Mapping[str, float]) -> TurnRules:
    """When a segment is committed by itself."""
    silence = max(1000 * hints.get("vad_silence_threshold_secs", SILENCE_S), hints.get("min_silence_duration_ms", 0))
    return TurnRules(
        silence_ms=int(silence),
        confident_ms=int(silence),
        min_speech_ms=int(hints.get("min_speech_duration_ms", SPEECH_MS)),
        above_floor_db=loudness(hints.get("vad_threshold")),
    )


class ElevenLabsServer:
    """One connection."""

    name = "elevenlabs"

    def __init__(self, query: Mapping[str, list[str]], session_id: str) -> None:
        self.settings = read_settings(query)
        self._session_id = session_id
        self._intake = Intake(self.settings.encoding, self.settings.sample_rate)
        self._committed_ms = 0
        self._waiting: list[Segment] = []  # manual: finals since the last commit
        self._asked = 0  # commits that the engine has not answered yet
        self._told = True  # vad: something was committed since the last commit was asked for

    def begins(self, now_s: float, engine: str = "") -> list[str]:
        settings = self.settings
        declared = settings.encoding, settings.sample_rate
        config: dict[str, Any] = {
            "sample_rate": settings.sample_rate,
            "audio_format": next(name for name, value in FORMATS.items() if value == declared),
            "language_code": settings.language,
            "model_id": settings.model,
            "commit_strategy": settings.commit,
            "include_timestamps": settings.timestamps,
            "include_language_detection": settings.language_detection,
            "enable_logging": False,
            **settings.hints,
        }
        if engine:
            config["engine"] = engine
        return [wire.dump({"message_type": "session_started", "session_id": self._session_id, "config": config})]

    def accept(self, message: str | bytes) -> list[Command]:
        frame = wire.read_object(message)
        if frame is None:
            return [_bad("input_error", "The frame is not a JSON object. Send audio as input_audio_chunk.")]
        asked = ending.common(frame)
        if asked is not None:
            return self._commit() if isinstance(asked, Commit) else [asked]
        if wire.kind(frame) == "keepalive":
            return [KeepAlive()]
        if wire.kind(frame) != "inputaudiochunk":
            return [_bad("invalid_request", "The message_type is not known. Send input_audio_chunk.")]
        return self._chunk(frame)

    def _chunk(self, frame: dict[str, Any]) -> list[Command]:
        audio = decoded(frame.get("audio_base_64") or "")
        if audio is None:
            return [_bad("input_error", "audio_base_64 is not base64.")]
        rate = wire.number(frame.get("sample_rate"))
        if audio and rate is not None and rate != self.settings.sample_rate:
            return [_bad("input_error", _wrong_rate(rate, self.settings))]
        pcm = self._intake.take(audio)
        heard: list[Command] = [Audio(pcm)] if pcm else []
        return heard + self._commit() if frame.get("commit") is True else heard

    def _commit(self) -> list[Command]:
        fresh_ms = self._intake.ms - self._committed_ms
        if fresh_ms < LEAST_COMMIT_MS:
            return [_bad("commit_throttled", _throttled(fresh_ms))]
        self._committed_ms = self._intake.ms
        self._asked += 1
        self._told = False
        return [Commit()]

    def says(self, event: Event) -> list[str]:
        if isinstance(event, Partial):
            return self._partial(event)
        if isinstance(event, Final):
            return self._final(event.segment)
        if isinstance(event, Committed):
            return self._answer()
        if isinstance(event, Ended):
            return self._rest()
        if isinstance(event, Failed):
            return [*self._rest(), wire.dump({"message_type": FAILING[event.code], "error": event.message})]
        if isinstance(event, Warned):
            return [wire.dump({"message_type": "warning", **warning.fields(event)})]
        return []

    def _partial(self, event: Partial) -> list[str]:
        texts = [segment.text for segment in self._waiting] + [event.text]
        return [wire.dump({"message_type": "partial_transcript", "text": " ".join(filter(None, texts))})]

    def _final(self, segment: Segment) -> list[str]:
        if not segment.text:
            return []
        if self.settings.commit == "vad":
            self._told = True
            self._committed_ms = max(self._committed_ms, segment.end_ms)
            return self._committed([segment])
        self._waiting.append(segment)
        if segment.end_ms - self._waiting[0].start_ms < LONGEST_SEGMENT_MS:
            return self._partial(Partial(""))
        self._committed_ms = max(self._committed_ms, segment.end_ms)
        return self._flush()

    def _answer(self) -> list[str]:
        if not self._asked:
            return []
        self._asked -= 1
        return self._flush() if self.settings.commit == "manual" or not self._told else []

    def _flush(self) -> list[str]:
        segments, self._waiting = self._waiting, []
        return self._committed(segments)

    def _committed(self, segments: list[Segment]) -> list[str]:
        text = " ".join(segment.text for segment in segments)
        language = next((segment.language for segment in segments if segment.language), self.settings.language)
        plain: dict[str, Any] = {"text": text} | ({"language_code": language} if language else {})
        words = [word for segment in segments for word in _words(segment)]
        timed = plain | {"words": _items(words)} | ({"timing": "estimated"} if _estimated(words) else {})
        frames = [{"message_type": "committed_transcript", **plain}]
        if self.settings.timestamps:
            frames.append({"message_type": "committed_transcript_with_timestamps", **timed})
        if self.settings.language_detection and language:
            suffix, body = ("_with_timestamps", timed) if self.settings.timestamps else ("", plain)
            frames.append({"message_type": f"final_transcript{suffix}", **body})
        return [wire.dump(frame) for frame in frames]

    def _rest(self) -> list[str]:
        return self._flush() if self._waiting else []

    def ends(self, audio_ms: int, session_ms: int) -> list[str]:
        return self._rest()

    def closing(self, failed: Failed) -> tuple[int, str]:
        """The error frame has said what it was, and the provider publishes no close codes."""
        return 1000, FAILING[failed.code]

    def idle(self) -> tuple[list[str], int, str]:
        return self._rest(), 1000, "No audio was received"


def _bad(kind: str, message: str) -> Bad:
    return Bad(None, kind, message, False, [wire.dump({"message_type": kind, "error": message})])


def _throttled(fresh_ms: int) -> str:
    return (
        f"Commit request ignored: only {fresh_ms / 1000:.2f}s of uncommitted audio. "
        f"At least {LEAST_COMMIT_MS / 1000:.1f}s is needed."
    )


def _wrong_rate(rate: float, settings: ServerSettings) -> str:
    return (
        f"sample_rate {rate:g} is not the {settings.sample_rate} Hz of the session. "
        "Connect with the matching audio_format."
    )


def _words(segment: Segment) -> tuple[Word, ...]:
    return segment.words or spread(segment.text, segment.start_ms, segment.end_ms)


def _estimated(words: list[Word]) -> bool:
    return any(word.estimated for word in words)


def _items(words: list[Word]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for word in words:
        if items:
            before = items[-1]["end"]
            after = max(before, word.start_ms / 1000)
            items.append({"text": " ", "start": before, "end": after, "type": "spacing", "logprob": 0.0})
        items.append(_item(word))
    return items


def _item(word: Word) -> dict[str, Any]:
    item: dict[str, Any] = {
        "text": word.text,
        "start": word.start_ms / 1000,
        "end": word.end_ms / 1000,
        "type": word.kind,
        "logprob": math.log(max(word.confidence, 1e-9)) if word.confidence is not None else 0.0,
    }
    return item | ({"speaker_id": word.speaker} if word.speaker else {})
