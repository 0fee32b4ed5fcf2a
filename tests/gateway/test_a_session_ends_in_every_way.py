"""How a live session ends: by the client, the engine, the clock, the account; and what is said before it closes."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from memweb.engines.errors import AtCapacity, EngineMissing
from memweb.gateway import seats as seating
from memweb.gateway.keys import Caller
from memweb.gateway.providers import local
from memweb.speech.events import Failed
from tests.gateway.scripted import CALLER, Client, Purse, ScriptedEngine

SECOND = bytes(32000)
CHUNK = {"message_type": "input_audio_chunk", "audio_base_64": base64.b64encode(SECOND).decode(), "commit": False}
COMMIT = {"message_type": "input_audio_chunk", "audio_base_64": "", "commit": True}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are checked elsewhere: here everyone may stream."""
    monkeypatch.setattr(seating, "_allowed", lambda callers, used: callers)


@pytest.mark.parametrize("end", [{"type": "Terminate"}, {"type": "session_termination"}, {"terminate_session": True}])
@pytest.mark.parametrize("provider", ["assemblyai", "elevenlabs"])
async def test_every_form_of_ending_brings_the_rest_and_close_1000(provider: str, end: dict[str, Any]) -> None:
    client = Client(provider, ScriptedEngine())
    client.say(SECOND if provider == "assemblyai" else CHUNK)
    client.say(end)
    await client.over()
    assert client.closed == (1000, "")
    assert client.engine.closed
    if provider == "assemblyai":
        assert client.kinds[0] == "Begin"
        assert client.kinds[-2:] == ["Turn", "Termination"]
        assert client.frames[-1]["audio_duration_seconds"] == 1
    else:
        assert client.kinds[0] == "session_started"
        assert client.kinds[-1] == "committed_transcript"


async def test_commits_leave_the_session_open() -> None:
    client = Client("elevenlabs", ScriptedEngine())
    for _ in range(3):
        client.say(CHUNK)
        client.say(COMMIT)
    await client.until("committed_transcript")
    client.say({"type": "Terminate"})
    await client.over()
    assert client.kinds.count("committed_transcript") == 4


async def test_audio_after_the_end_is_not_heard() -> None:
    client = Client("assemblyai", ScriptedEngine())
    client.say(SECOND)
    client.say({"type": "Terminate"})
    client.say(SECOND)
    await client.over()
    assert client.engine.fed == len(SECOND)


async def test_a_client_that_leaves_frees_the_engine() -> None:
    client = Client("assemblyai", ScriptedEngine())
    client.say(SECOND)
    client.leave()
    await client.over()
    assert client.engine.closed
    assert client.closed is None


async def test_a_client_that_leaves_is_missed_while_the_engine_is_busy() -> None:
    class Busy(ScriptedEngine):
        async def feed(self, pcm: bytes) -> None:
            await asyncio.sleep(3600)

    client = Client("assemblyai", Busy())
    for _ in range(10):
        client.say(SECOND)
    client.leave()
    await client.over()
    assert client.engine.closed


async def test_silence_on_the_socket_closes_it_after_the_last_words() -> None:
    client = Client("elevenlabs", ScriptedEngine(), inactivity_timeout="1")
    client.say(CHUNK)
    await client.over()
    assert client.closed is not None
    assert client.closed[0] == 1000
    assert client.kinds[-1] == "committed_transcript"


async def test_waiting_for_the_engine_is_not_silence() -> None:
    class Slow(ScriptedEngine):
        async def feed(self, pcm: bytes) -> None:
            await asyncio.sleep(2)
            await super().feed(pcm)

    client = Client("elevenlabs", Slow(), inactivity_timeout="1")
    client.say(CHUNK)
    await client.until("partial_transcript")
    assert client.closed is None
    client.leave()
    await client.over()


@pytest.mark.parametrize(("provider", "code"), [("assemblyai", 3009), ("elevenlabs", 1000)])
async def test_a_full_machine_says_so_in_words(provider: str, code: int) -> None:
    class Full(ScriptedEngine):
        async def open(self, language: str | None) -> ScriptedEngine:
            raise AtCapacity(8, 8)

    client = Client(provider, Full())
    await client.over()
    assert "8 live sessions" in client.frames[-1]["error"]
    assert client.kinds[-1] in ("Error", "resource_exhausted")
    assert client.closed is not None
    assert client.closed[0] == code


async def test_a_missing_engine_is_told_in_words() -> None:
    class Missing(ScriptedEngine):
        async def open(self, language: str | None) -> ScriptedEngine:
            raise EngineMissing("Only English can be dictated here.")

    client = Client("assemblyai", Missing())
    await client.over()
    assert client.frames[-1]["error"] == "Only English can be dictated here."


@pytest.mark.parametrize(
    ("provider", "kind", "code"), [("assemblyai", "Error", 4002), ("elevenlabs", "quota_exceeded", 1000)]
)
async def test_an_empty_balance_ends_the_session_after_the_words_that_were_paid_for(
    provider: str, kind: str, code: int
) -> None:
    engine = ScriptedEngine()
    client = Client(provider, engine, purse=Purse(pays_ms=2000), include_timestamps="true")
    for _ in range(3):
        client.say(SECOND if provider == "assemblyai" else CHUNK)
    await client.over()
    assert engine.fed == 2 * len(SECOND), "what is not paid for is not heard"
    assert client.kinds[-1] == kind
    assert any("sentence 0" in json.dumps(frame) for frame in client.frames), "what is paid for is said"
    assert client.closed is not None
    assert client.closed[0] == code
    assert client.purse.told == [1000, 2000, 3000]


@pytest.mark.parametrize(("rate", "encoding", "second"), [("8000", "pcm_mulaw", 8000), ("48000", "pcm_s16le", 96000)])
async def test_audio_is_charged_as_it_was_given(rate: str, encoding: str, second: int) -> None:
    client = Client("assemblyai", ScriptedEngine(), sample_rate=rate, encoding=encoding)
    client.say(bytes(second))
    client.say(bytes(second // 2))
    client.leave()
    await client.over()
    assert client.purse.told == [1000, 1500]


async def test_an_engine_that_fails_ends_the_session_with_its_words() -> None:
    client = Client("assemblyai", ScriptedEngine())
    client.say(SECOND)
    await client.until("Turn")
    client.engine.events.put_nowait(Failed("provider", "The speech engine stopped.", retry=True))
    await client.over()
    assert (client.frames[-1]["type"], client.frames[-1]["error"]) == ("Error", "The speech engine stopped.")
    assert client.closed is not None
    assert client.closed[0] == 3005


async def test_an_engine_that_never_ends_does_not_keep_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(ScriptedEngine):
        async def finish(self) -> None:
            return

    monkeypatch.setattr(local, "FINISH_SECONDS", 0.5)
    client = Client("assemblyai", Endless())
    client.say({"type": "Terminate"})
    await client.over()
    assert client.kinds[-1] == "Termination"
    assert client.closed == (1000, "")


async def test_a_fault_in_the_engine_is_not_swallowed() -> None:
    class Broken(ScriptedEngine):
        async def feed(self, pcm: bytes) -> None:
            raise RuntimeError("a fault")

    client = Client("assemblyai", Broken())
    client.say(SECOND)
    with pytest.raises(RuntimeError, match="a fault"):
        await client.over()
    assert client.engine.closed


async def test_a_client_that_does_not_read_is_cut_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "UNREAD_SECONDS", 0.3)
    client = Client("assemblyai", ScriptedEngine())
    await client.until("Begin")
    client.reads.clear()
    client.say(SECOND)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while not client.engine.closed:
            await asyncio.sleep(0.01)
        client.reads.set()
    await client.over()


async def test_a_token_bounds_its_session() -> None:
    client = Client("assemblyai", ScriptedEngine(), Caller(1, 1, None, True, session_seconds=1))
    await client.over()
    assert client.closed is not None
    assert client.closed[0] == 3008


async def test_a_session_whose_key_no_longer_counts_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seating, "CHECK_SECONDS", 0.2)
    gone = Caller(1, 1, 7, True)
    monkeypatch.setattr(seating, "_allowed", lambda callers, used: callers - {gone})
    cut, kept = Client("assemblyai", ScriptedEngine(), gone), Client("assemblyai", ScriptedEngine(), CALLER)
    await cut.over()
    assert cut.closed is not None
    assert cut.closed[0] == 4001
    assert not kept.session.done()
    kept.leave()
    await kept.over()


async def test_a_database_that_is_away_cuts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    asked: list[int] = []

    def away(callers: object, used: object) -> None:
        asked.append(1)
        raise OperationalError

    monkeypatch.setattr(seating, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(seating, "_allowed", away)
    client = Client("assemblyai", ScriptedEngine())
    async with asyncio.timeout(10):
        while len(asked) < 3:
            await asyncio.sleep(0.01)
    assert not client.session.done()
    client.leave()
    await client.over()


@pytest.mark.parametrize(
    ("encoding", "rate", "sound"),
    [("pcm_s16le", "8000", bytes(16000)), ("pcm_mulaw", "8000", b"\xff" * 8000), ("pcm_s16le", "48000", bytes(96000))],
)
async def test_every_encoding_reaches_the_engine_as_16_khz(encoding: str, rate: str, sound: bytes) -> None:
    client = Client("assemblyai", ScriptedEngine(), encoding=encoding, sample_rate=rate)
    for at in range(0, len(sound), 777):
        client.say(sound[at : at + 777])
    client.say({"type": "Terminate"})
    await client.over()
    assert client.engine.fed == 32000
    assert client.frames[-1]["audio_duration_seconds"] == 1


HOSTILE = [
    "",
    "[]",
    "null",
    "{",
    "1e999",
    '{"type":{}}',
    '{"message_type":"x"}',
    "\ud800",
    "[" * 3000,
    '{"type":"Turn"}',
]


@pytest.mark.parametrize("message", [*HOSTILE, b"", b"\x00", b"\xff" * 1001], ids=range(len(HOSTILE) + 3))
@pytest.mark.parametrize("provider", ["assemblyai", "elevenlabs"])
async def test_no_frame_breaks_a_session(provider: str, message: str | bytes) -> None:
    client = Client(provider, ScriptedEngine())
    client.say(message)
    client.leave()
    await client.over()
