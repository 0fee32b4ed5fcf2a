"""What a client may send, in every generation's form, is understood; what cannot be used is answered, never raised."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from assemblyai.streaming.v3.models import ForceEndpoint, TerminateSession, UpdateConfiguration
from assemblyai.streaming.v3.models import KeepAlive as OfficialKeepAlive
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects import (
    PROVIDERS,
    Audio,
    Bad,
    Command,
    Commit,
    Configure,
    KeepAlive,
    LiveServer,
    Terminate,
    live_client,
    live_server,
)

SECOND = bytes(32_000)


def server_of(provider: str, **params: str) -> LiveServer:
    return live_server(provider, {name: [value] for name, value in params.items()}, "id")


def chunk(pcm: bytes, **more: Any) -> str:
    return json.dumps({"message_type": "input_audio_chunk", "audio_base_64": b64encode(pcm).decode(), **more})


def only(commands: list[Command]) -> Command:
    (command,) = commands
    return command


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "frame",
    [
        {"type": "Terminate"},
        {"type": "terminate"},
        {"type": "session_termination"},
        {"terminate_session": True},
        {"message_type": "Terminate"},
    ],
)
def test_every_form_of_ending_ends_with_either_provider(provider: str, frame: dict[str, Any]) -> None:
    assert server_of(provider).accept(json.dumps(frame)) == [Terminate()]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "frame",
    [
        {"message_type": "input_audio_chunk", "audio_base_64": "", "commit": True},
        {"message_type": "input_audio_chunk", "commit": True, "sample_rate": 16000},
        {"message_type": "commit"},
        {"type": "ForceEndpoint"},
        {"force_end_utterance": True},
    ],
)
def test_every_form_of_commit_commits_with_either_provider(provider: str, frame: dict[str, Any]) -> None:
    server = server_of(provider)
    server.accept(chunk(SECOND))
    assert server.accept(json.dumps(frame)) == [Commit()]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_understands_its_own_client_half(provider: str) -> None:
    client, server = live_client(provider), server_of(provider)
    assert server.accept(client.audio(SECOND)) == [Audio(SECOND)]
    assert server.accept(client.commit() or "") == [Commit()]
    server.accept(client.audio(SECOND))
    expected = Commit() if provider == "elevenlabs" else Terminate()
    assert all(server.accept(frame) == [expected] for frame in client.ends())


def test_audio_may_come_with_its_commit_and_with_every_other_field_left_out() -> None:
    server = server_of("elevenlabs")
    assert server.accept(chunk(SECOND)) == [Audio(SECOND)]
    assert server.accept(chunk(SECOND, commit=True, previous_text=None)) == [Audio(SECOND), Commit()]
    assert server.accept(json.dumps({"message_type": "input_audio_chunk"})) == []
    assert server.accept(chunk(SECOND, sample_rate="16000")) == [Audio(SECOND)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_half_a_sample_waits_for_its_other_half(provider: str) -> None:
    server = server_of(provider)
    heard: list[Command] = []
    for piece in (b"\1", b"\2\3", b"\4\5\6\7", b""):
        heard += server.accept(chunk(piece))
    assert heard == [Audio(b"\1\2"), Audio(b"\3\4\5\6")]


def test_mu_law_has_no_halves() -> None:
    assert server_of("elevenlabs", audio_format="ulaw_8000").accept(chunk(b"\1\2\3")) == [Audio(b"\1\2\3")]
    assert server_of("assemblyai", encoding="pcm_mulaw").accept(b"\1") == [Audio(b"\1")]


def test_assemblyai_takes_binary_audio_of_any_length_and_the_oldest_form() -> None:
    server = server_of("assemblyai")
    assert server.accept(b"\1\2") == [Audio(b"\1\2")]
    assert server.accept(SECOND * 3) == [Audio(SECOND * 3)]
    assert server.accept(b"") == []
    assert server.accept(json.dumps({"audio_data": b64encode(b"\1\2").decode()})) == [Audio(b"\1\2")]


def test_a_commit_of_too_little_is_throttled_and_nothing_else_happens() -> None:
    server = server_of("elevenlabs")
    server.accept(chunk(bytes(9_568)))  # 299 ms
    bad = only(server.accept(chunk(b"", commit=True)))
    assert isinstance(bad, Bad)
    assert (bad.code, bad.kind, bad.fatal) == (None, "commit_throttled", False)
    said = json.loads(bad.frames[0])
    assert said["message_type"] == "commit_throttled"
    assert said["error"].startswith("Commit request ignored: only 0.30s of uncommitted audio.")
    assert server.accept(chunk(bytes(32), commit=True)) == [Audio(bytes(32)), Commit()]  # 300 ms
    assert isinstance(only(server.accept(chunk(b"", commit=True))), Bad)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("{", "input_error"),
        ("[]", "input_error"),
        (SECOND, "input_error"),
        (json.dumps({"message_type": "input_audio_chunk", "audio_base_64": "?"}), "input_error"),
        (json.dumps({"message_type": "input_audio_chunk", "audio_base_64": "é"}), "input_error"),
        (json.dumps({"message_type": "input_audio_chunk", "audio_base_64": 7}), "input_error"),
        (chunk(SECOND, sample_rate=48000), "input_error"),
        (json.dumps({"message_type": "made_up"}), "invalid_request"),
        (json.dumps({}), "invalid_request"),
    ],
)
def test_elevenlabs_answers_what_it_cannot_use_and_goes_on(message: str | bytes, kind: str) -> None:
    server = server_of("elevenlabs")
    bad = only(server.accept(message))
    assert isinstance(bad, Bad)
    assert (bad.kind, bad.fatal, bad.code) == (kind, False, None)
    assert json.loads(bad.frames[0]) == {"message_type": kind, "error": bad.message}
    assert server.accept(chunk(SECOND)) == [Audio(SECOND)]


@pytest.mark.parametrize(
    "message",
    ["{", "[]", json.dumps({"type": "made_up"}), json.dumps({}), json.dumps({"audio_data": "?"})],
)
def test_assemblyai_ends_on_what_it_cannot_use_with_3006(message: str) -> None:
    bad = only(server_of("assemblyai").accept(message))
    assert isinstance(bad, Bad)
    assert (bad.code, bad.fatal) == (3006, True)
    assert json.loads(bad.frames[0]) == {"type": "Error", "error": bad.message, "error_code": 3006}


def test_the_official_client_s_own_messages_are_understood() -> None:
    server = server_of("assemblyai")
    assert server.accept(OfficialKeepAlive().model_dump_json()) == [KeepAlive()]
    assert server.accept(ForceEndpoint().model_dump_json()) == [Commit()]
    assert server.accept(TerminateSession().model_dump_json()) == [Terminate()]
    update = UpdateConfiguration(format_turns=True, max_turn_silence=900)
    assert server.accept(update.model_dump_json()) == [Configure({"format_turns": True, "max_turn_silence": 900})]
    assert server.settings.format_turns
    assert server.settings.hints == {"max_turn_silence": 900.0}
    assert server_of("elevenlabs").accept('{"type":"KeepAlive"}') == [KeepAlive()]


def test_parameters_may_change_within_a_session_and_the_others_stay() -> None:
    server = server_of("assemblyai", format_turns="true", disable_partial_transcripts="true")
    server.accept(json.dumps({"type": "UpdateConfiguration", "vad_threshold": 0.5}))
    assert (server.settings.format_turns, server.settings.partials) == (True, False)
    server.accept(json.dumps({"type": "UpdateConfiguration", "include_partial_turns": True, "format_turns": False}))
    assert (server.settings.format_turns, server.settings.partials) == (False, True)
    assert server.accept('{"end_utterance_silence_threshold": 700}') == [Configure({"max_turn_silence": 700})]
    assert server.settings.turns is not None
    assert server.settings.turns.silence_ms == 700
    assert server.settings.idle_timeout_s == 300
    server.accept(json.dumps({"type": "UpdateConfiguration", "inactivity_timeout": 40}))
    server.accept(json.dumps({"type": "UpdateConfiguration", "format_turns": True}))
    assert server.settings.idle_timeout_s == 40


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"keyterms_prompt": ["memweb"]}, "keyterms_prompt"),
        ({"language_codes": ["de"]}, "language_codes"),
        ({"language_detection": True}, "language_detection"),
        ({"speech_model": "universal-streaming-multilingual"}, "speech_model"),
        ({"inactivity_timeout": 4}, "inactivity_timeout"),
        ({"sample_rate": 8000}, "sample_rate"),
        ({"format_turns": "perhaps"}, "format_turns"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_in_a_warning_and_the_session_goes_on(
    change: dict[str, Any], name: str
) -> None:
    server = server_of("assemblyai")
    before = server.settings
    bad = only(server.accept(json.dumps({"type": "UpdateConfiguration", **change})))
    assert isinstance(bad, Bad)
    assert not bad.fatal
    assert json.loads(bad.frames[0])["type"] == "Warning"
    assert name in bad.message
    assert server.settings == before


@pytest.mark.parametrize("provider", PROVIDERS)
@given(
    messages=st.lists(
        st.binary(max_size=40)
        | st.text(max_size=40)
        | st.dictionaries(
            st.sampled_from(["type", "message_type", "audio_base_64", "audio_data", "commit", "sample_rate"])
            | st.sampled_from(["format_turns", "vad_threshold", "terminate_session", "language"]),
            st.sampled_from(["input_audio_chunk", "UpdateConfiguration", "KeepAlive", "commit", "AAAA", "A", "\ud800"])
            | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text(max_size=3), max_size=2),
        ).map(json.dumps),
        max_size=6,
    )
)  # fmt: skip
def test_no_client_frame_raises(provider: str, messages: list[str | bytes]) -> None:
    server = server_of(provider)
    for message in messages:
        for command in server.accept(message):
            assert isinstance(command, Command)
            if isinstance(command, Audio):
                assert len(command.pcm) % 2 == 0
