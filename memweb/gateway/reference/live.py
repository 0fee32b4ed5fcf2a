"""The tables of the live pages, out of what the sockets themselves go by."""

from __future__ import annotations

from dataclasses import dataclass

from memweb.gateway.relay import LOST
from memweb.speech.dialects.assemblyai import server as assemblyai
from memweb.speech.dialects.elevenlabs import server as elevenlabs

WHEN = {
    "auth": "The key was revoked, or has run out.",
    "funds": "The balance is used up. What was paid for is said first.",
    "capacity": "No engine of this machine is free. Try again.",
    "session_limit": "Three hours are over, or the time that its token allows.",
    "provider": "The engine had a fault. Try again.",
}
"""Why the gateway itself ends a session, as both dialects say it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the handshake that changes something here. `example` is one value of it."""

    name: str
    values: str
    does: str
    example: str
    beside: str = ""
    """Another one it needs, as name=value."""


PARAMETERS = {
    "elevenlabs": (
        Parameter(
            "audio_format",
            "pcm_8000, pcm_16000, pcm_22050, pcm_24000, pcm_44100, pcm_48000, ulaw_8000",
            "What the sound is: 16 bit, one channel. pcm_16000 where absent.",
            "pcm_48000",
        ),
        Parameter("language_code", "en, pt, de, …", "What is spoken; detected where absent.", "en"),
        Parameter(
            "secondary_languages", "as above, repeated", "The language is detected, whatever language_code says.", "de",
            "language_code=en",
        ),
        Parameter("commit_strategy", "manual, vad", "Who ends a segment: you, or silence. manual where absent.", "vad"),
        Parameter(
            "vad_silence_threshold_secs", "0.3 to 3.0", "With vad: the silence that ends a segment.", "0.8",
            "commit_strategy=vad",
        ),
        Parameter(
            "vad_threshold", "0.1 to 0.9", "With vad: how loud, above the room, a voice must be.", "0.6",
            "commit_strategy=vad",
        ),
        Parameter(
            "min_speech_duration_ms", "50 to 2000", "With vad: a shorter sound is no voice.", "250",
            "commit_strategy=vad",
        ),
        Parameter(
            "min_silence_duration_ms", "50 to 2000", "With vad: no shorter silence ends a segment.", "1800",
            "commit_strategy=vad",
        ),
        Parameter("include_timestamps", "true, false", "The words with their times follow each segment.", "true"),
        Parameter("include_language_detection", "true, false", "The language follows each segment.", "true"),
        Parameter("inactivity_timeout", "1 to 3600", "Seconds without sound that end it; 15 where absent.", "60"),
        Parameter("model_id", "any", "A label: the engine here answers, and says its name.", "scribe_v2_realtime_x"),
    ),
    "assemblyai": (
        Parameter("sample_rate", "8000 to 48000", "Of the sound: 16 bit, one channel. 16000 where absent.", "48000"),
        Parameter("encoding", "pcm_s16le, pcm_mulaw", "How it is written. pcm_s16le where absent.", "pcm_mulaw"),
        Parameter(
            "language_code", "en, pt, de, …", "What is spoken. language_codes and language are the same; several are "
            "detected. English where absent, with an English speech_model.", "de",
        ),
        Parameter("language_detection", "true, false", "Detects it where none is given.", "true"),
        Parameter(
            "speech_model", "any", "A label. Without a language, models that are not English detect.", "u3-rt-pro"
        ),
        Parameter("format_turns", "true, false", "Each turn ends twice: as spoken, then formatted.", "true"),
        Parameter("include_partial_turns", "true, false", "false: only ends of turns come.", "false"),
        Parameter("disable_partial_transcripts", "true, false", "true: only ends of turns come.", "true"),
        Parameter("min_turn_silence", "0 to 60000", "Milliseconds of silence after words that end a sentence.", "600"),
        Parameter(
            "min_end_of_turn_silence_when_confident", "0 to 60000", "The older name of min_turn_silence.", "600"
        ),
        Parameter("max_turn_silence", "0 to 60000", "Milliseconds of silence that end any turn.", "2000"),
        Parameter(
            "end_of_turn_confidence_threshold", "0 to 1", "At 0, every turn counts as one that ends a sentence.", "0"
        ),
        Parameter("vad_threshold", "0 to 1", "How loud, above the room, a voice must be.", "0.6"),
        Parameter("inactivity_timeout", "5 to 3600", "Seconds without sound that end it; 300 where absent.", "60"),
    ),
}  # fmt: skip
LACKING = {"elevenlabs": elevenlabs.LACKING, "assemblyai": assemblyai.LACKING}
"""What is refused when it is set to a true value, and why."""


@dataclass(frozen=True, slots=True)
class End:
    """How one reason to end a session is told in each dialect."""

    when: str
    elevenlabs: str
    assemblyai: str


def ends() -> list[End]:
    """Every reason that is not the client's own."""
    return [
        *(End(when, elevenlabs.FAILING[code], str(assemblyai.CLOSING[code])) for code, when in WHEN.items()),
        End("No sound came for too long.", "close 1000 alone", str(assemblyai.CLOSING["idle"])),
        End("A message could not be understood.", "it goes on", str(assemblyai.CLOSING["input"])),
        End("The client has read nothing for 20 seconds.", "close 1008", "close 1008"),
        End("The line to the provider itself was lost.", f"close {LOST[0]}", f"close {LOST[0]}"),
    ]
