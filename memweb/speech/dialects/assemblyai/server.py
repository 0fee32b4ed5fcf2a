"""The server half of AssemblyAI streaming v3.

Handshake parameters, and what each does here:

    sample_rate                 honoured: 8000 to 48000, 16000 where absent
    encoding                    honoured: pcm_s16le (default), pcm_mulaw; opus, ogg_opus, aac refused
    language_codes, language_code, language
                                honoured; several codes or "auto": detected
    language_detection          honoured where no language is given
    speech_model                without a language: the English models mean en, the others detection
    format_turns                honoured: a turn ends with a plain frame, then a formatted one
    disable_partial_transcripts, include_partial_turns
                                honoured: only ends of turns
    inactivity_timeout          honoured: whole seconds from 5 to 3600, 300 where absent
    min_turn_silence, min_end_of_turn_silence_when_confident
                                honoured: milliseconds of silence that end a turn whose words end a sentence
    max_turn_silence            honoured: milliseconds of silence that end any turn
    end_of_turn_confidence_threshold
                                honoured: at 0 every turn counts as one whose words end a sentence
    vad_threshold               honoured: how loud, above the noise of the room, a voice must be
                                (without any of these five the engine's own pauses end a turn)
    keyterms_prompt, word_boost, prompt, agent_context, speaker_labels, filter_profanity, redact_pii, voice_focus,
    noise_suppression_model, session_heartbeat, acknowledge_silence, llm_gateway, webhook_url, domain,
    interruption_delay, turn_left_pad_ms
                                refused when set to a true value
    mode, continuous_partials, enable_extra_session_information, and unknown ones: ignored, as the provider does

Within a session UpdateConfiguration changes what is honoured above, but for language, model, rate and encoding, which
are refused then.

Without format_turns the one end of a turn has turn_is_formatted false, though its text is as the engine gives it,
which may well have capitals and punctuation. Audio chunks of any length are taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from memweb.speech.dialects import ending, warning, wire
from memweb.speech.dialects.contract import (
    Audio,
    Bad,
    Command,
    Commit,
    Configure,
    Encoding,
    KeepAlive,
    RefusedParameter,
    ServerSettings,
)
from memweb.speech.dialects.intake import Intake, decoded
from memweb.speech.dialects.parameters import Parameters
from memweb.speech.dialects.silences import loudness
from memweb.speech.dialects.words import plain, spread
from memweb.speech.events import Event, Failed, Final, Partial, SpeechBegan, Warned
from memweb.speech.transcript import Word
from memweb.speech.turns import TurnRules

LACKING = {
    "keyterms_prompt": "words cannot be favoured",
    "word_boost": "words cannot be favoured",
    "prompt": "the engine takes no prompt",
    "agent_context": "the engine takes no context",
    "speaker_labels": "speakers are not told apart live",
    "filter_profanity": "no words are filtered",
    "redact_pii": "nothing is redacted",
    "voice_focus": "noise is not suppressed",
    "noise_suppression_model": "noise is not suppressed",
    "session_heartbeat": "no heartbeat is sent",
    "acknowledge_silence": "silence is not reported",
    "llm_gateway": "no language model is asked",
    "webhook_url": "a live session calls no webhook",
    "domain": "there is one model for every field",
    "interruption_delay": "the start of speech is told at once",
    "turn_left_pad_ms": "a turn begins where its words do",
}
HINTS = {
    "end_of_turn_confidence_threshold": (0, 1),
    "min_turn_silence": (0, 60_000),
    "min_end_of_turn_silence_when_confident": (0, 60_000),
    "max_turn_silence": (0, 60_000),
    "vad_threshold": (0, 1),
}
MIN_SILENCE_MS, MAX_SILENCE_MS = 400, 1280
"""The provider's, where only the other is given."""
CLOSING = {
    "auth": 4001,
    "funds": 4002,
    "capacity": 3009,
    "rate": 3007,
    "input": 3006,
    "session_limit": 3008,
    "idle": 4031,
    "provider": 3005,
    "unknown": 3005,
}
LANGUAGES = ("language_codes", "language_code", "language")
MODEL = "universal-streaming-english"
IDLE = "inactivity_timeout"
IDLE_S = 300
LONGEST_S = 3 * 3600


def read_settings(query: Mapping[str, list[str]]) -> ServerSettings:
    """The settings a handshake asks for. Raises RefusedParameter."""
    parameters = Parameters(query)
    parameters.refuse(LACKING)
    model = parameters.word("speech_model", MODEL)
    given, language = parameters.language(LANGUAGES)
    detect = parameters.flag("language_detection")
    if not given and not detect and "english" in model:
        language = "en"
    hints = {name: value for name, within in HINTS.items() if (value := parameters.real(name, *within)) is not None}
    return ServerSettings(
        language=language,
        language_given=given or detect,
        sample_rate=parameters.whole("sample_rate", 8000, 48000, 16000),
        encoding=cast(Encoding, parameters.choice("encoding", ("pcm_s16le", "pcm_mulaw"), "pcm_s16le")),
        idle_timeout_s=parameters.whole(IDLE, 5, 3600, IDLE_S),
        commit="vad",
        model=wire.shortened(model, 60),
        timestamps=True,
        language_detection=detect,
        partials=not parameters.flag("disable_partial_transcripts") and parameters.flag("include_partial_turns", True),
        format_turns=parameters.flag("format_turns"),
        hints=hints,
        turns=turn_rules(hints),
    )


def turn_rules(hints: Mapping[str, float]) -> TurnRules | None:
    """When a turn ends, where anything is said about it."""
    if not hints:
        return None
    least = hints.get("min_turn_silence", hints.get("min_end_of_turn_silence_when_confident", MIN_SILENCE_MS))
    most = max(least, hints.get("max_turn_silence", MAX_SILENCE_MS))
    if hints.get("end_of_turn_confidence_threshold", 1) == 0:
        most = least
    return TurnRules(int(most), int(least), above_floor_db=loudness(hints.get("vad_threshold")))


class AssemblyAIServer:
    """One connection. One final of the engine is one turn."""

    name = "assemblyai"

    def __init__(self, query: Mapping[str, list[str]], session_id: str) -> None:
        self.settings = read_settings(query)
        self._session_id = session_id
        self._intake = Intake(self.settings.encoding, self.settings.sample_rate)
        self._turn = 0
        self._started = False  # SpeechStarted was said for the turn to come
        self._shown = False  # a Turn frame of it with words was said

    def begins(self, now_s: float, engine: str = "") -> list[str]:
        configuration = {"model": engine or self.settings.model, "api_version": "v3"}
        expires_at = int(now_s) + LONGEST_S
        return [
            wire.dump(
                {"type": "Begin", "id": self._session_id, "expires_at": expires_at, "configuration": configuration}
            )
        ]

    def accept(self, message: str | bytes) -> list[Command]:
        if isinstance(message, bytes):
            return self._heard(message)
        frame = wire.read_object(message)
        if frame is None:
            return [_fatal("The frame is not a JSON object.")]
        asked = ending.common(frame)
        if asked is not None:
            return [asked]
        named = wire.kind(frame)
        if named == "keepalive":
            return [KeepAlive()]
        if named == "updateconfiguration":
            return self._configure(frame)
        if named == "inputaudiochunk":
            return self._chunk(frame.get("audio_base_64") or "", frame.get("commit") is True)
        if "audio_data" in frame:
            return self._chunk(frame["audio_data"], False)
        if "end_utterance_silence_threshold" in frame:
            return self._configure({"max_turn_silence": frame["end_utterance_silence_threshold"]})
        return [_fatal("The type of the message is not known.")]

    def _heard(self, data: bytes) -> list[Command]:
        pcm = self._intake.take(data)
        return [Audio(pcm)] if pcm else []

    def _chunk(self, base64: object, commit: bool) -> list[Command]:
        audio = decoded(base64)
        if audio is None:
            return [_fatal("The audio is not base64.")]
        return [*self._heard(audio), Commit()] if commit else self._heard(audio)

    def _configure(self, frame: dict[str, Any]) -> list[Command]:
        wanted = {name: value for name, value in frame.items() if name != "type" and value is not None}
        query = {name: [value if isinstance(value, str) else json.dumps(value)] for name, value in wanted.items()}
        try:
            settings = read_settings(query)
            _refuse_fixed(query)
        except RefusedParameter as refusal:
            return [Bad(None, "input", refusal.message, False, [_warning(3006, Warned("input", refusal.message))])]
        partials = {"disable_partial_transcripts", "include_partial_turns"} & query.keys()
        hints = {**self.settings.hints, **settings.hints}
        self.settings = replace(
            self.settings,
            partials=settings.partials if partials else self.settings.partials,
            format_turns=settings.format_turns if "format_turns" in query else self.settings.format_turns,
            idle_timeout_s=settings.idle_timeout_s if IDLE in query else self.settings.idle_timeout_s,
            hints=hints,
            turns=turn_rules(hints),
        )
        return [Configure(wanted)]

    def says(self, event: Event) -> list[str]:
        if isinstance(event, SpeechBegan):
            return self._start(event.at_ms)
        if isinstance(event, Partial):
            return self._partial(event)
        if isinstance(event, Final):
            return self._final(event)
        if isinstance(event, Failed):
            return [_error(CLOSING[event.code], event.message)]
        if isinstance(event, Warned):
            return [_warning(1000, event)]
        return []

    def _start(self, at_ms: int) -> list[str]:
        if self._started:
            return []
        self._started = True
        return [wire.dump({"type": "SpeechStarted", "timestamp": at_ms})]

    def _partial(self, event: Partial) -> list[str]:
        if not self.settings.partials or not (event.text or self._shown):
            return []
        start_ms = event.start_ms or 0
        words = spread(event.text, start_ms, max(start_ms, event.end_ms or 0))
        self._shown = bool(event.text)
        turn = self._frame(event.text, words, ended=False, formatted=False)
        return [*(self._start(words[0].start_ms) if words else []), turn]

    def _final(self, event: Final) -> list[str]:
        segment = event.segment
        if not segment.text:
            return self._partial(Partial(""))
        words = segment.words or spread(segment.text, segment.start_ms, segment.end_ms)
        more = {"language_code": segment.language} if segment.language else {}
        more |= {"speaker_label": segment.speaker} if segment.speaker else {}
        frames = self._start(segment.start_ms)
        if self.settings.format_turns:
            bare = tuple(replace(word, text=spelled) for word in words if (spelled := plain(word.text)))
            frames.append(self._frame(plain(segment.text), bare, ended=True, formatted=False, more=more))
        frames.append(self._frame(segment.text, words, ended=True, formatted=self.settings.format_turns, more=more))
        self._turn += 1
        self._started = self._shown = False
        return frames

    def _frame(
        self, text: str, words: tuple[Word, ...], *, ended: bool, formatted: bool, more: Mapping[str, Any] | None = None
    ) -> str:
        frame: dict[str, Any] = {
            "type": "Turn",
            "turn_order": self._turn,
            "turn_is_formatted": formatted,
            "end_of_turn": ended,
            "transcript": text,
            "end_of_turn_confidence": 1.0 if ended else 0.0,
            "words": [_item(word, ended) for word in words],
            "utterance": text if ended else "",
            **(more or {}),
        }
        if any(word.estimated for word in words):
            frame["timing"] = "estimated"
        return wire.dump(frame)

    def ends(self, audio_ms: int, session_ms: int) -> list[str]:
        seconds = {
            "audio_duration_seconds": (audio_ms + 500) // 1000,
            "session_duration_seconds": (session_ms + 500) // 1000,
        }
        return [wire.dump({"type": "Termination", **seconds})]

    def closing(self, failed: Failed) -> tuple[int, str]:
        reason = wire.shortened(failed.message, 100).encode()[:120].decode("utf-8", "ignore")
        return CLOSING[failed.code], reason

    def idle(self) -> tuple[list[str], int, str]:
        message = "Session idle for too long"
        return [_error(CLOSING["idle"], message)], CLOSING["idle"], message


def _refuse_fixed(query: Mapping[str, list[str]]) -> None:
    """What the engine of a session was chosen by, and what its sound is like."""
    for name in (*LANGUAGES, "language_detection", "speech_model", "sample_rate", "encoding"):
        if name in query:
            raise RefusedParameter(name, f"{name} cannot change within a session. Connect again with it.")


def _error(code: int, message: str) -> str:
    return wire.dump({"type": "Error", "error": message, "error_code": code})


def _warning(number: int, event: Warned) -> str:
    return wire.dump({"type": "Warning", "warning_code": number, **warning.fields(event)})


def _fatal(message: str) -> Bad:
    return Bad(3006, "input", message, True, [_error(3006, message)])


def _item(word: Word, final: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "text": word.text,
        "start": word.start_ms,
        "end": max(word.start_ms, word.end_ms),
        "confidence": 1.0 if word.confidence is None else float(word.confidence),
        "word_is_final": final,
    }
    return item | ({"speaker": word.speaker} if word.speaker else {})
