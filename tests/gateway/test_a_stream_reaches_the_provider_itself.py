"""With the operator's key a pulled stream is heard by the provider itself, whose every message comes back verbatim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from memweb.gateway.providers.line import LineFailed, LineFull, open_line
from memweb.speech.pcm import RATE

Part = Callable[[ServerConnection], Coroutine[Any, Any, None]]
SECOND = b"\1\0" * RATE
QUERY = {"brand_new": ["1", "two"], "sample_rate": ["16000"]}


async def talk(
    settings: Any,
    provider: str,
    plays: Callable[[ServerConnection], Coroutine[Any, Any, None]],
    sound: Iterable[bytes] = (SECOND,),
) -> list[str]:
    """Open a line to a stand-in that plays this part, feed it the sound, finish; what came back."""
    async with serve(plays, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        setattr(settings, f"{provider.upper()}_API_KEY", "operator-key")
        setattr(settings, f"{provider.upper()}_WS_URL", f"ws://127.0.0.1:{port}")
        line = await open_line(provider, QUERY, "session")
        for piece in sound:
            await line.feed(piece)
        await line.commit()
        await line.finish()
        try:
            async with asyncio.timeout(20):
                return [message async for message in line.messages()]
        finally:
            await line.close()


def asked(socket: ServerConnection) -> tuple[dict[str, list[str]], Any]:
    assert socket.request is not None
    return parse_qs(urlsplit(socket.request.path).query), socket.request.headers


async def test_assemblyai_hears_the_sound_and_its_words_come_back_as_they_are(settings: Any) -> None:
    got: list[str | bytes] = []
    words = ['{"type": "Begin",  "id": "x"}', '{"type":"Turn","transcript":"\\u00e9 \u00e9"}', '{"type":"Termination"}']

    async def plays(socket: ServerConnection) -> None:
        query, headers = asked(socket)
        assert (query["brand_new"], headers["authorization"]) == (["1", "two"], "operator-key")
        await socket.send(words[0])
        async for message in socket:
            got.append(message)
            if isinstance(message, str) and json.loads(message)["type"] == "Terminate":
                await socket.send(words[1])
                await socket.send(words[2])
                return

    assert await talk(settings, "assemblyai", plays) == words
    assert b"".join(part for part in got if isinstance(part, bytes)) == SECOND


def exacting(got: list[bytes]) -> Part:
    """A part of AssemblyAI's: sound is refused, and the session ended, unless 50 to 1000 ms come at a time."""

    async def plays(socket: ServerConnection) -> None:
        async for message in socket:
            if isinstance(message, str):
                if json.loads(message)["type"] == "Terminate":
                    await socket.send('{"type":"Termination"}')
                    return
                continue
            ms = len(message) * 1000 // len(SECOND)
            if not 50 <= ms <= 1000:
                said = f"Input duration violation: {ms} ms. Expected between 50 and 1000 ms"
                await socket.send(json.dumps({"type": "Error", "error": said, "error_code": 3007}))
                await socket.close(3007, said)
                return
            got.append(message)

    return plays


@pytest.mark.parametrize("frame_ms", [1, 6, 20, 24, 100])
async def test_frames_of_any_decoder_are_gathered_until_the_provider_takes_them(settings: Any, frame_ms: int) -> None:
    """A stream's decoder gives a few ms at a time, and a last piece of hardly any."""
    got: list[bytes] = []
    sound = b"".join(number.to_bytes(2, "little") for number in range(1, RATE * 3 // 10 + 17))
    pieces = [sound[at : at + 32 * frame_ms] for at in range(0, len(sound), 32 * frame_ms)]

    assert await talk(settings, "assemblyai", exacting(got), pieces) == ['{"type":"Termination"}']
    heard = b"".join(got)
    assert (heard[: len(sound)], heard[len(sound) :].strip(b"\0")) == (sound, b"")
    assert len(heard) < len(sound) + 1600
    assert max(map(len, got)) < 2 * 3200


async def test_what_fills_a_piece_up_is_not_told_as_heard(settings: Any) -> None:
    """A provider places the last word within the silence that was added: the stream is no longer for that."""
    turn: dict[str, Any] = {
        "type": "Turn",
        "turn_order": 0,
        "end_of_turn": True,
        "turn_is_formatted": True,
        "transcript": "Hi",
    }
    turn["words"] = [{"text": "Hi", "start": 0, "end": 50, "word_is_final": True}]

    async def plays(socket: ServerConnection) -> None:
        async for message in socket:
            if isinstance(message, str) and json.loads(message)["type"] == "Terminate":
                await socket.send(json.dumps(turn))
                await socket.send('{"type":"Termination"}')
                return

    async with serve(plays, "127.0.0.1", 0) as server:
        settings.ASSEMBLYAI_API_KEY = "operator-key"
        settings.ASSEMBLYAI_WS_URL = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        line = await open_line("assemblyai", QUERY, "session")
        await line.feed(SECOND[: 32 * 20])
        await line.finish()
        async with asyncio.timeout(20):
            assert len([message async for message in line.messages()]) == 2
        assert line.told_ms == 20
        await line.close()


async def test_elevenlabs_never_says_that_all_is_said(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memweb.gateway.providers.remote.LAST_WORDS_S", 0.3)
    committed = '{"message_type":"committed_transcript","text":"Hello"}'

    async def plays(socket: ServerConnection) -> None:
        assert asked(socket)[1]["xi-api-key"] == "operator-key"
        async for message in socket:
            if json.loads(message)["commit"]:
                await socket.send(committed)

    assert committed in await talk(settings, "elevenlabs", plays)


async def test_a_session_that_the_provider_ends_is_a_failure(settings: Any) -> None:
    async def plays(socket: ServerConnection) -> None:
        await socket.close(3008, "Session expired")

    async with serve(plays, "127.0.0.1", 0) as server:
        settings.ASSEMBLYAI_API_KEY = "operator-key"
        settings.ASSEMBLYAI_WS_URL = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        line = await open_line("assemblyai", QUERY, "session")
        with pytest.raises(LineFailed):
            assert [message async for message in line.messages()] == []
        await line.close()


@pytest.mark.parametrize(("status", "kind"), [(429, LineFull), (401, LineFailed), (500, LineFailed)])
async def test_a_refusal_is_told_without_the_key(settings: Any, status: int, kind: type[LineFailed]) -> None:
    async def plays(socket: ServerConnection) -> None:
        raise AssertionError("nobody gets in")

    def refuse(socket: ServerConnection, request: Any) -> Any:
        return socket.respond(status, "No.\n")

    async with serve(plays, "127.0.0.1", 0, process_request=refuse) as server:
        settings.ASSEMBLYAI_API_KEY = "operator-key"
        settings.ASSEMBLYAI_WS_URL = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        with pytest.raises(LineFailed) as refused:
            await open_line("assemblyai", QUERY, "session")
    assert type(refused.value) is kind
    assert "operator-key" not in str(refused.value)
