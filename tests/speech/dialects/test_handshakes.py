"""Every documented handshake parameter is honoured, ignored as the provider does, or refused by name in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assemblyai.streaming.v3 import _base
from assemblyai.streaming.v3.models import RealTimeParameters
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import PROVIDERS, RefusedParameter, ServerSettings, live_server
from memweb.speech.dialects.assemblyai import server as assemblyai
from memweb.speech.dialects.elevenlabs import server as elevenlabs
from memweb.speech.turns import TurnRules


def settings_of(provider: str, **params: str | list[str]) -> ServerSettings:
    query = {name: [value] if isinstance(value, str) else value for name, value in params.items()}
    return live_server(provider, query, "id").settings


ELEVENLABS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"language": None, "language_given": False, "sample_rate": 16000, "encoding": "pcm_s16le",
          "idle_timeout_s": 15, "commit": "manual", "timestamps": False, "partials": True,
          "model": "scribe_v2_realtime"}),
    ({"language_code": "eng"}, {"language": "en", "language_given": True}),
    ({"language_code": "auto"}, {"language": None, "language_given": True}),
    ({"language_code": "en", "secondary_languages": ["es", "de"]}, {"language": None, "language_given": True}),
    ({"audio_format": "pcm_48000"}, {"sample_rate": 48000, "encoding": "pcm_s16le"}),
    ({"audio_format": "ulaw_8000"}, {"sample_rate": 8000, "encoding": "pcm_mulaw"}),
    ({"commit_strategy": "vad"}, {"commit": "vad"}),
    ({"include_timestamps": "True"}, {"timestamps": True}),
    ({"include_timestamps": "False"}, {"timestamps": False}),
    ({"include_timestamps": ""}, {"timestamps": False}),
    ({"include_language_detection": "true"}, {"language_detection": True}),
    ({"inactivity_timeout": "30"}, {"idle_timeout_s": 30}),
    ({"vad_threshold": "0.5", "min_silence_duration_ms": "100"},
     {"hints": {"vad_threshold": 0.5, "min_silence_duration_ms": 100.0}, "turns": None}),
    ({"commit_strategy": "vad", "vad_silence_threshold_secs": "0.7", "min_speech_duration_ms": "50"},
     {"turns": TurnRules(700, 700, min_speech_ms=50)}),
    ({"commit_strategy": "vad", "vad_threshold": "0.4", "min_silence_duration_ms": "2000"},
     {"turns": TurnRules(2000, 2000, min_speech_ms=100)}),
    ({"model_id": "scribe_v3_live"}, {"model": "scribe_v3_live"}),
    ({"enable_logging": "false", "keyterms": [], "no_verbatim": "false", "filter_background_audio": "False"}, {}),
    ({"diarize": "true", "num_speakers": "2", "tag_audio_events": "true", "timestamps_granularity": "character",
      "made_up": "x"}, {"language": None}),
]  # fmt: skip
ASSEMBLYAI: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"language": "en", "language_given": False, "sample_rate": 16000, "encoding": "pcm_s16le", "turns": None,
          "idle_timeout_s": 300, "commit": "vad", "timestamps": True, "partials": True, "format_turns": False}),
    ({"speech_model": "universal-streaming-multilingual"}, {"language": None, "language_given": False}),
    ({"speech_model": "whisper-rt"}, {"language": None}),
    ({"language_code": "en_us"}, {"language": "en", "language_given": True}),
    ({"language_codes": '["es"]'}, {"language": "es", "language_given": True}),
    ({"language_codes": '["es", "de"]'}, {"language": None, "language_given": True}),
    ({"language_codes": "[]", "language": "de"}, {"language": "de"}),
    ({"language": "multi"}, {"language": None, "language_given": True}),
    ({"language_detection": "True"}, {"language": None, "language_given": True, "language_detection": True}),
    ({"language_detection": "true", "language_code": "fr"}, {"language": "fr"}),
    ({"sample_rate": "8000", "encoding": "pcm_mulaw"}, {"sample_rate": 8000, "encoding": "pcm_mulaw"}),
    ({"format_turns": "False"}, {"format_turns": False}),
    ({"format_turns": "true"}, {"format_turns": True}),
    ({"disable_partial_transcripts": "true"}, {"partials": False}),
    ({"disable_partial_transcripts": "False"}, {"partials": True}),
    ({"include_partial_turns": "false"}, {"partials": False}),
    ({"inactivity_timeout": "5"}, {"idle_timeout_s": 5}),
    ({"end_of_turn_confidence_threshold": "0.4", "max_turn_silence": "1280"},
     {"hints": {"end_of_turn_confidence_threshold": 0.4, "max_turn_silence": 1280.0}, "turns": TurnRules(1280, 400)}),
    ({"min_turn_silence": "2000"}, {"turns": TurnRules(2000, 2000)}),
    ({"min_end_of_turn_silence_when_confident": "560", "end_of_turn_confidence_threshold": "0"},
     {"turns": TurnRules(560, 560)}),
    ({"keyterms_prompt": "[]", "word_boost": '["", null, false]', "llm_gateway": "{}", "redact_pii": "False"}, {}),
    ({"mode": "balanced", "enable_extra_session_information": "true", "max_speakers": "3", "token": "x"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "params", "wanted"),
    [*(("elevenlabs", *case) for case in ELEVENLABS), *(("assemblyai", *case) for case in ASSEMBLYAI)],
)
def test_a_parameter_is_honoured_or_ignored(provider: str, params: dict[str, Any], wanted: dict[str, Any]) -> None:
    settings = settings_of(provider, **params)
    assert {name: getattr(settings, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("provider", "name", "value", "words"),
    [
        ("elevenlabs", "audio_format", "opus", "Use pcm_8000, "),
        ("elevenlabs", "commit_strategy", "turn_prediction", "Use manual or vad."),
        ("elevenlabs", "include_timestamps", "maybe", "neither true nor false"),
        ("elevenlabs", "enable_logging", "2", "neither true nor false"),
        ("elevenlabs", "inactivity_timeout", "0", "from 1 to 3600"),
        ("elevenlabs", "inactivity_timeout", "1.5", "not a whole number"),
        ("elevenlabs", "vad_threshold", "nan", "not a number from 0.1 to 0.9"),
        ("elevenlabs", "vad_silence_threshold_secs", "soon", "not a number"),
        ("elevenlabs", "language_code", "english", "not an ISO language code"),
        *(("elevenlabs", name, "yes", "is not available here") for name in elevenlabs.LACKING),
        ("assemblyai", "encoding", "opus", "Use pcm_s16le or pcm_mulaw."),
        ("assemblyai", "encoding", "aac", "Use pcm_s16le or pcm_mulaw."),
        ("assemblyai", "sample_rate", "-1", "from 8000 to 48000"),
        ("assemblyai", "sample_rate", "1e400", "from 8000 to 48000"),
        ("assemblyai", "language_codes", "[", "not a JSON list"),
        ("assemblyai", "language_codes", "[" * 100_000, "not a JSON list"),
        ("assemblyai", "language_codes", "[7]", "not an ISO language code"),
        ("assemblyai", "format_turns", "perhaps", "neither true nor false"),
        ("assemblyai", "min_turn_silence", "x", "not a number"),
        ("assemblyai", "turn_left_pad_ms", "100", "Leave it out"),
        *(("assemblyai", name, '["x"]', "is not available here") for name in assemblyai.LACKING),
        ("assemblyai", "llm_gateway", '{"model": "x"}', "is not available here"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(provider: str, name: str, value: str, words: str) -> None:
    with pytest.raises(RefusedParameter) as refusal:
        settings_of(provider, **{name: value})
    assert refusal.value.name == name
    assert words in refusal.value.message
    assert refusal.value.message.startswith(name)
    assert refusal.value.message.endswith(".")
    assert len(refusal.value.message) < 200


def test_every_parameter_of_this_server_is_in_the_published_table() -> None:
    for module in (elevenlabs, assemblyai):
        for name in (*module.LACKING, *module.HINTS):
            assert name in (module.__doc__ or "")


def test_every_parameter_of_the_official_client_is_honoured_refused_or_told_to_be_ignored() -> None:
    riders = {  # these only shape an ability that is refused under its own name
        "redact_pii_policies", "redact_pii_sub", "max_speakers", "speaker_labels_revision_interval_ms",
        "voice_focus_threshold", "noise_suppression_threshold", "webhook_auth_header_name",
        "webhook_auth_header_value", "customer_support_audio_capture",
    }  # fmt: skip
    for name in RealTimeParameters.model_fields:
        assert name in riders or name in (assemblyai.__doc__ or ""), name


def test_the_query_of_the_official_client_is_understood() -> None:
    params = RealTimeParameters(sample_rate=16000, format_turns=False, language_codes=["es"])
    query = _base._build_uri("ws://localhost", params).partition("?")[2]
    pairs = dict(pair.split("=") for pair in query.split("&"))
    settings = settings_of(
        "assemblyai", language_codes='["es"]', **{n: v for n, v in pairs.items() if "codes" not in n}
    )
    assert (settings.language, settings.format_turns) == ("es", False)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(
    query=st.dictionaries(
        st.sampled_from(["audio_format", "language_code", "language_codes", "sample_rate", "format_turns", "keyterms"])
        | st.text(max_size=5),
        st.lists(st.text(max_size=20) | st.sampled_from(["true", "[", '["a"]', "1e99", "\ud800"]), max_size=3),
        max_size=5,
    )
)
def test_no_query_does_anything_but_open_or_be_refused(provider: str, query: dict[str, list[str]]) -> None:
    try:
        server = live_server(provider, query, "id")
    except RefusedParameter as refusal:
        refusal.message.encode()
    else:
        assert json.loads(server.begins(0.0)[0])
