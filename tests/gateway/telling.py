"""What sockets, callbacks and doors really say, by the names that the reference has for it: it is held to this."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from memweb.gateway import conductor, doors, till
from memweb.gateway import streams as pulled
from memweb.gateway.reference import blocks
from memweb.speech import envelope
from memweb.speech.dialects import FAILURES, LiveServer, failed, live_server
from memweb.speech.dialects.contract import Audio, Bad, Command, Commit, Configure, KeepAlive, Terminate
from memweb.speech.events import Event, Failed, Final, Partial, SpeechBegan, Warned
from memweb.speech.transcript import Segment, Word

SESSION = "de5d9927-73a6-4be8-b52d-b4c07be37e6b"
TASK = "3f0c6a52-6d9e-4f0b-8f5e-0a1f6f0f2b11"
FILE_TASK = "ec24b3a1f0d94c6e8b7a5d3c2f1e0a9b"
WORDS = ("It", 120, 300), ("was", 300, 480), ("late.", 480, 900)
SAID = Segment("0", 120, 900, "It was late.", tuple(Word(*word, estimated=True) for word in WORDS), language="en")
SOUND = "AAAA" * 3200
ROWS = [
    {"start_time": 0.0, "end_time": 2.98, "text": "Hello, how are you today?", "speaker": "SPEAKER_00"},
    {"start_time": 2.98, "end_time": 6.78, "text": "I'm doing well, thank you.", "speaker": "SPEAKER_01"},
]
TURNS = [
    {"start": 0.0, "end": 2.98, "speaker": "SPEAKER_00"},
    {"start": 2.98, "end": 6.78, "speaker": "SPEAKER_01"},
]


def server_of(provider: str, **query: str) -> LiveServer:
    return live_server(provider, {name: [value] for name, value in query.items()}, SESSION)


def told(provider: str) -> dict[str, dict[str, Any]]:
    """Every kind of message that the server's half of a dialect says, by its kind, from one short session."""
    if provider == "elevenlabs":
        server = server_of(
            provider, language_code="en", commit_strategy="vad", include_timestamps="true",
            include_language_detection="true",
        )  # fmt: skip
    else:
        server = server_of(provider)
    frames = server.begins(1_796_000_000, "moonshine-tiny-en")
    events: list[Event] = [SpeechBegan(120), Partial("It was", 120, 480), Final(SAID), Warned("lag", "2000")]
    for event in events:
        frames += server.says(event)
    frames += server.ends(14_000, 15_000)
    said = [json.loads(frame) for frame in frames]
    return {name_of(frame): frame for frame in said}


def name_of(frame: dict[str, Any]) -> str:
    """What the reference calls a message of a server."""
    kind = str(frame.get("message_type") or frame["type"])
    return f"{kind}, its end" if frame.get("end_of_turn") else kind


def failure(provider: str, code: str) -> dict[str, Any]:
    """The last frame of a session that fails."""
    assert code in FAILURES
    event: Failed = failed(code, till.EMPTY if code == "funds" else "")
    (frame,) = server_of(provider).says(event)
    told: dict[str, Any] = json.loads(frame)
    return told


def refused(frame: object, provider: str = "elevenlabs") -> dict[str, Any]:
    """What the server says to a message it does not take."""
    (command,) = server_of(provider).accept(json.dumps(frame))
    assert isinstance(command, Bad)
    told: dict[str, Any] = json.loads(command.frames[0])
    return told


def understood(provider: str, frame: object) -> list[type[Command]]:
    """What the server's half of a dialect takes a message for."""
    server = server_of(provider)
    server.accept(json.dumps({"message_type": "input_audio_chunk", "audio_base_64": SOUND}))
    return [type(command) for command in server.accept(json.dumps(frame))]


MEANT: dict[str, dict[str, Sequence[type[Command]]]] = {
    "elevenlabs": {
        "input_audio_chunk": [Audio],
        "input_audio_chunk, a commit": [Commit],
        "Terminate": [Terminate],
        "KeepAlive": [KeepAlive],
    },
    "assemblyai": {
        "ForceEndpoint": [Commit],
        "UpdateConfiguration": [Configure],
        "KeepAlive": [KeepAlive],
        "Terminate": [Terminate],
    },
}
"""What each message of a client that the reference shows is taken for."""


def callbacks() -> dict[str, dict[str, Any]]:
    bodies = {
        "words of a file": envelope.rows_callback(FILE_TASK, ROWS, 6.78, "whisper-1"),
        "voices of a file": envelope.rows_callback(FILE_TASK, TURNS, 6.78, "pyannote"),
        "a task that failed": envelope.failed_callback(FILE_TASK, 500, "The file has no sound that can be read."),
        "a test": envelope.rows_callback("test-9f86d081884c7d65", [], 0.0, "test"),
    }
    return {name: json.loads(body) for name, body in bodies.items()}


def streams() -> dict[str, dict[str, Any]]:
    partial = json.dumps({"message_type": "partial_transcript", "text": "It was"})
    bodies = {
        "status 0": envelope.stream_callback(TASK, 0, transcript=partial),
        "status 14": envelope.stream_callback(TASK, 14, pulled.STOPPED),
        "status 16": envelope.stream_callback(TASK, 16, "Every place is taken."),
        "status 402": envelope.stream_callback(TASK, 402, conductor.EMPTY),
        "status -1": envelope.stream_callback(TASK, -1, envelope.SOURCE_ENDED),
    }
    return {name: json.loads(body) for name, body in bodies.items()}


def errors() -> dict[str, dict[str, Any]]:
    """How each way in says no to a key."""
    return {
        "/serve/": doors.GATEWAY.body(401, "Unauthorized"),
        "/serve/api/v2/audio-stream/": envelope.stream_failure(401, "Unauthorized"),
        "ElevenLabs' addresses": doors.ELEVENLABS.body(401, "Unauthorized"),
        "AssemblyAI's addresses": doors.ASSEMBLYAI.body(401, "Unauthorized"),
        "OpenAI's addresses": doors.OPENAI.body(401, "Unauthorized"),
    }


def shown() -> dict[str, dict[str, Any]]:
    """Every message of a server, callback and error, by the name of its block in the reference."""
    kinds = {
        "elevenlabs": told("elevenlabs")
        | {"invalid_request": refused({"message_type": "x"}), "quota_exceeded": failure("elevenlabs", "funds")},
        "assemblyai": told("assemblyai") | {"Error": failure("assemblyai", "funds")},
        "callbacks": callbacks(),
        "streams": streams(),
        "errors": errors(),
    }
    return {f"{kind}/{name}": frame for kind, frames in kinds.items() for name, frame in frames.items()}


def meant() -> dict[str, dict[str, Any]]:
    """Every message of a client that the reference shows, by the name of its block; each is in MEANT."""
    return {
        f"{kind}/{frame.name}": json.loads(frame.block.text)
        for kind, names in MEANT.items()
        for frame in blocks.frames(kind)
        if frame.sender == "client" and frame.block is not None and frame.name in names
    }
