"""The gateway's live socket on a real server: speech in, words out, keys cut, memory bounded, nothing leaked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.gateway.conftest import PHRASES, heard
from tests.running import RunningServer
from tests.server.raw import Raw, frame
from tests.waiting import Stopwatch

pytestmark = pytest.mark.process

PATH = "/serve/ws/v2/audio-stream"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def key(either_gateway: RunningServer) -> str:
    return either_gateway.key()


def address(server: RunningServer, key: str, provider: str, **params: str) -> str:
    return f"{server.ws_url}{PATH}?{urlencode({'provider': provider, 'api_key': key, **params})}"


@pytest.mark.speech
async def test_the_published_example_runs_to_its_end(
    either_gateway: RunningServer, key: str, two_cities: bytes
) -> None:
    """Connect, 100 ms chunks, an empty commit without a sample rate, read until the server closes."""
    received: list[dict[str, Any]] = []
    url = address(either_gateway, key, "elevenlabs", model_id="scribe_v2_realtime", language_code="en")
    async with connect_async(url) as socket:

        async def receive() -> None:
            async for message in socket:
                received.append(json.loads(message))  # noqa: PERF401

        receiving = asyncio.create_task(receive())
        for at in range(0, len(two_cities), 3200):
            chunk = base64.b64encode(two_cities[at : at + 3200]).decode()
            message = {"message_type": "input_audio_chunk", "audio_base_64": chunk, "commit": False}
            await socket.send(json.dumps(message | {"sample_rate": 16000}))
            await asyncio.sleep(0.1)
        await socket.send(json.dumps({"message_type": "input_audio_chunk", "audio_base_64": "", "commit": True}))
        async with asyncio.timeout(90):
            await receiving
        assert socket.close_code == 1000
    assert received[0]["message_type"] == "session_started"
    committed = [frame["text"] for frame in received if frame["message_type"] == "committed_transcript"]
    assert heard(committed) == list(PHRASES), committed


async def turns(gateway: RunningServer, key: str, pcm: bytes, **params: str) -> list[str]:
    """What is said in three times real time, turn by turn."""
    async with connect_async(address(gateway, key, "assemblyai", **params)) as socket:
        for at in range(0, len(pcm), 3200):
            await socket.send(pcm[at : at + 3200])
            await asyncio.sleep(0.033)
        await socket.send('{"type": "Terminate"}')
        async with asyncio.timeout(60):
            received = [json.loads(message) async for message in socket]
    return [frame["transcript"] for frame in received if frame["type"] == "Turn" and frame["end_of_turn"]]


@pytest.mark.speech
async def test_a_client_says_how_much_silence_ends_a_turn(
    either_gateway: RunningServer, key: str, two_cities: bytes
) -> None:
    patient, hasty = await asyncio.gather(
        turns(either_gateway, key, two_cities, min_turn_silence="6000", max_turn_silence="6000"),
        turns(either_gateway, key, two_cities, end_of_turn_confidence_threshold="0", min_turn_silence="250"),
    )
    assert len(patient) == 1
    assert len(hasty) > 2
    assert heard(patient) == list(PHRASES), patient


@pytest.mark.speech
async def test_the_seeds_other_dialect_runs_to_its_end(
    either_gateway: RunningServer, key: str, two_cities: bytes
) -> None:
    """Raw PCM in binary frames, ended by the published session_termination."""
    url = address(either_gateway, key, "assemblyai", sample_rate="16000", disable_partial_transcripts="true")
    async with connect_async(url) as socket:
        for at in range(0, len(two_cities), 3200):
            await socket.send(two_cities[at : at + 3200])
            await asyncio.sleep(0.1)
        await socket.send('{"type": "session_termination"}')
        async with asyncio.timeout(60):
            received = [json.loads(message) async for message in socket]
        assert socket.close_code == 1000
    assert received[0]["type"] == "Begin"
    assert received[-1]["type"] == "Termination"
    turns = [frame for frame in received if frame["type"] == "Turn"]
    assert all(turn["end_of_turn"] for turn in turns)
    assert heard(turn["transcript"] for turn in turns) == list(PHRASES), turns


def test_begin_comes_before_any_model_is_loaded(server: RunningServer) -> None:
    url = address(server, server.key(), "assemblyai")
    with contextlib.ExitStack() as ends, Stopwatch() as watch:
        socket = ends.enter_context(connect(url, compression=None))
        assert json.loads(socket.recv(timeout=5))["type"] == "Begin"
    assert watch.seconds < 1, "the official client gives up after a second"


@pytest.mark.parametrize("provider", ["assemblyai", "elevenlabs"])
def test_revoking_a_key_cuts_its_live_sockets_within_five_seconds(either_gateway: RunningServer, provider: str) -> None:
    doomed, kept = either_gateway.key(), either_gateway.key()
    with (
        connect(address(either_gateway, doomed, provider), compression=None) as socket,
        connect(address(either_gateway, kept, provider), compression=None) as other,
    ):
        socket.recv(timeout=5), other.recv(timeout=5)
        either_gateway.ask(
            f"from memweb.gateway import keys\nkeys.revoke_key(key=keys.usable().get(prefix={doomed[:15]!r}))"
        )
        began = time.monotonic()
        error = json.loads(socket.recv(timeout=8))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=8)
        assert time.monotonic() - began < 5
        assert "no longer valid" in error["error"]
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == (4001 if provider == "assemblyai" else 1000)
        with pytest.raises(TimeoutError):
            other.recv(timeout=1)


def test_no_frame_brings_a_1011_or_an_error_in_the_log(either_gateway: RunningServer, key: str) -> None:
    chance = random.Random(20261121)
    before = len(either_gateway.log())  # other tests share this server, and one provokes a traceback on purpose
    for number in range(60):
        provider = ("assemblyai", "elevenlabs")[number % 2]
        with (
            contextlib.suppress(ConnectionClosed),
            connect(address(either_gateway, key, provider), compression=None) as socket,
        ):
            for _ in range(20):
                socket.send(hostile(chance))
            socket.send('{"type": "Terminate"}')
            while True:
                socket.recv(timeout=20)
        assert socket.close_code not in (1011, 1006), socket.close_code
    assert "Traceback" not in either_gateway.log()[before:]


def hostile(chance: random.Random) -> str | bytes:
    pieces = [
        "", "{}", "[]", "nul", '{"type":', '{"type":"UpdateConfiguration","x":{"y":[1e400]}}', '{"type":"KeepAlive"}',
        '{"message_type":"input_audio_chunk","audio_base_64":"%%%"}', '{"message_type":"input_audio_chunk"}',
        '{"message_type":"input_audio_chunk","audio_base_64":"AAAA","sample_rate":-1}', '{"type":"ForceEndpoint"}',
        '{"message_type":"input_audio_chunk","audio_base_64":"AAA=","commit":true}', "\u202e\x00",
    ]  # fmt: skip
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(5000))
    return chance.choice(pieces)


def test_a_flood_of_audio_costs_bounded_memory(server: RunningServer, two_cities: bytes) -> None:
    key = server.key()
    web = psutil.Process(server.pid)
    with connect(address(server, key, "assemblyai"), compression=None) as warm:
        warm.recv(timeout=20)
    before = peak = web.memory_info().rss
    speech = frame(2, two_cities[:200_000])
    engines = web.children(recursive=True)
    assert engines
    with Raw(server.port) as flood:
        assert flood.status(f"{PATH}?provider=assemblyai&api_key={key}") == 101
        flood.socket.settimeout(2)
        for engine in engines:
            engine.suspend()  # a quick engine would swallow the flood: this one takes nothing
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * MIB:
                sent += flood.socket.send(speech[sent % len(speech) :])
                peak = max(peak, web.memory_info().rss)
        for engine in engines:
            engine.resume()
        assert sent < 32 * MIB, "the server takes no more than its engine does"
    assert peak - before < 32 * MIB
    with connect(address(server, key, "assemblyai"), compression=None) as after:
        assert json.loads(after.recv(timeout=20))["type"] == "Begin"


def test_a_key_is_in_no_log_no_answer_and_no_file(tmp_path: Path) -> None:
    with RunningServer(tmp_path, env={"MEMWEB_LOG_LEVEL": "DEBUG"}) as server:
        key = server.manage("createkey", "--name", "control-marker")
        wrong = key[:-6] + "planted"
        for secret in (key, wrong):
            for path, *headers in (
                [f"{PATH}?provider=elevenlabs&api_key={secret}"],
                [f"{PATH}?provider=nobody&api_key={secret}"],
                [f"{PATH}?provider=assemblyai", f"Authorization: {secret}"],
                ["/v1/speech-to-text/realtime", f"xi-api-key: {secret}"],
                [f"/v3/ws?token={secret}"],
                [f"/v3/ws?sample_rate=x&x={secret}", f"Authorization: {secret}"],
            ):
                with Raw(server.port) as raw:
                    head = raw.open(path, *headers)
                    body = b"" if "101" in head[:20] else raw.rest()
                assert secret[10:] not in head + body.decode("latin-1")
            with Raw(server.port) as raw:
                raw.socket.sendall(f"GET {PATH}?api_key={secret} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                raw.socket.shutdown(1)
                assert secret[10:].encode() not in raw.rest()
        rows = server.manage("dumpdata")
        server.stop()
        files = [path for path in server.data_dir.rglob("*") if path.is_file()]
        assert not [path for path in files if contains(path, key[10:], wrong[10:])]
        assert key[10:] not in rows
        assert wrong[10:] not in rows
        assert "control-marker" in rows, "the search finds what is there"
        database = [path for path in files if ".sqlite3" in path.name]  # none where the rows are in PostgreSQL
        assert not database or any(contains(path, "control-marker") for path in database)  # perhaps in its journal
        assert "/v3/ws" in server.log()


def contains(path: Path, *needles: str) -> bool:
    data = path.read_bytes()
    return any(needle.encode() in data for needle in needles)
