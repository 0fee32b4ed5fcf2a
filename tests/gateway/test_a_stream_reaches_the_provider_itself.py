"""With the operator's key a pulled stream is heard by the provider itself, whose every message comes back verbatim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
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
    settings: Any, provider: str, plays: Callable[[ServerConnection], Coroutine[Any, Any, None]]
) -> list[str]:
    """Open a line to a stand-in that plays this part, feed it a second, finish; what came back."""
    async with serve(plays, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        setattr(settings, f"{provider.upper()}_API_KEY", "operator-key")
        setattr(settings, f"{provider.upper()}_WS_URL", f"ws://127.0.0.1:{port}")
        line = await open_line(provider, QUERY, "session")
        await line.feed(SECOND)
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
