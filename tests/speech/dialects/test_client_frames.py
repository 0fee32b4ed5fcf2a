"""What the client halves send is what the providers' own clients send."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from assemblyai.streaming.v3.models import ForceEndpoint, RealTimeParameters, TerminateSession
from elevenlabs.types.input_audio_chunk_payload import InputAudioChunkPayload

from memweb.speech.dialects import LiveOptions, live_client

PCM = bytes(range(256)) * 4


def test_elevenlabs_audio_is_the_json_its_own_client_would_send() -> None:
    client = live_client("elevenlabs")
    client.query(LiveOptions(sample_rate=48000))
    frame = json.loads(client.audio(PCM))
    InputAudioChunkPayload.model_validate(frame)
    assert b64decode(frame["audio_base_64"]) == PCM
    assert (frame["message_type"], frame["commit"], frame["sample_rate"]) == ("input_audio_chunk", False, 48000)


def test_elevenlabs_commits_with_an_empty_chunk_and_ends_in_the_same_way() -> None:
    client = live_client("elevenlabs")
    commit = client.commit()
    assert isinstance(commit, str)
    empty = {"message_type": "input_audio_chunk", "audio_base_64": "", "commit": True, "sample_rate": 16000}
    assert json.loads(commit) == empty
    assert client.ends() == (commit,)
    assert not client.says_ended


def test_assemblyai_audio_is_binary_and_its_ends_are_the_real_one_then_the_published_one() -> None:
    client = live_client("assemblyai")
    assert client.audio(PCM) == PCM
    assert json.loads(client.commit() or "") == ForceEndpoint().model_dump()
    first, second = client.ends()
    assert json.loads(first) == TerminateSession().model_dump()
    assert json.loads(second) == {"type": "session_termination"}
    assert client.says_ended


@pytest.mark.parametrize(
    ("provider", "options", "query"),
    [
        (
            "elevenlabs",
            LiveOptions(),
            {"model_id": "scribe_v2_realtime", "audio_format": "pcm_16000", "commit_strategy": "vad",
             "include_timestamps": "true", "language_code": "en"},
        ),
        (
            "elevenlabs",
            LiveOptions(language=None, sample_rate=8000, timestamps=False, extra=(("commit_strategy", "manual"),)),
            {"model_id": "scribe_v2_realtime", "audio_format": "pcm_8000", "commit_strategy": "manual",
             "include_timestamps": "false", "include_language_detection": "true"},
        ),
        (
            "assemblyai",
            LiveOptions(),
            {"sample_rate": "16000", "encoding": "pcm_s16le", "speech_model": "universal-streaming-english",
             "format_turns": "true", "language_code": "en"},
        ),
        (
            "assemblyai",
            LiveOptions(language=None, partials=False, extra=(("x", "1"), ("x", "2"))),
            {"sample_rate": "16000", "encoding": "pcm_s16le", "speech_model": "universal-streaming-multilingual",
             "format_turns": "true", "language_detection": "true", "disable_partial_transcripts": "true",
             "include_partial_turns": "false", "x": "2"},
        ),
    ],
)  # fmt: skip
def test_the_handshake_asks_for_what_the_options_say(
    provider: str, options: LiveOptions, query: dict[str, Any]
) -> None:
    asked = live_client(provider).query(options)
    assert dict(asked) == query
    assert len(asked) == len(query) + max(0, len(options.extra) - 1)


def test_the_handshake_is_one_the_official_model_takes() -> None:
    query = dict(live_client("assemblyai").query(LiveOptions(language="de")))
    assert RealTimeParameters.model_validate(query).language_code == "de"


def test_an_unknown_provider_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        live_client("whoever")
