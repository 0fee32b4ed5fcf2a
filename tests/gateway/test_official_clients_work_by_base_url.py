"""The providers' unmodified Python clients stream real speech; only their base URL is changed."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from assemblyai.streaming.v3 import (
    StreamingClient,
    StreamingClientOptions,
    StreamingEvents,
    StreamingParameters,
    TerminationEvent,
    TurnEvent,
)
from elevenlabs import AudioFormat, CommitStrategy, ElevenLabs, RealtimeEvents
from websockets.exceptions import InvalidStatus

from tests.gateway.conftest import PHRASES, heard
from tests.running import RunningServer
from tests.waiting import Stopwatch, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.speech,
    # The AssemblyAI client's own use of its WebSocket library.
    pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def key(either_gateway: RunningServer) -> str:
    return either_gateway.key()


def chunks(pcm: bytes, size: int = 3200) -> list[bytes]:
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


class Assembly:
    """A session of the AssemblyAI client, with what it reported."""

    def __init__(self, server: RunningServer, key: str, token: str = "", **options: Any) -> None:
        self.turns: list[TurnEvent] = []
        self.errors: list[Any] = []
        self.terminations: list[TerminationEvent] = []
        self.began: list[float] = []
        by = {"token": token} if token else {"api_key": key}
        self.client = StreamingClient(StreamingClientOptions(**by, api_host=server.ws_url))
        self.client.on(StreamingEvents.Begin, lambda _, event: self.began.append(time.monotonic()))
        self.client.on(StreamingEvents.Turn, lambda _, event: self.turns.append(event))
        self.client.on(StreamingEvents.Error, lambda _, error: self.errors.append(error))
        self.client.on(StreamingEvents.Termination, lambda _, event: self.terminations.append(event))
        self.client.connect(StreamingParameters(**{"sample_rate": 16000, **options}))

    def speak(self, pcm: bytes) -> None:
        def paced() -> Iterator[bytes]:
            for chunk in chunks(pcm):
                yield chunk
                time.sleep(0.1)

        self.client.stream(paced())

    def finish(self) -> float:
        """Terminate and wait as the client does; the seconds it took."""
        began = time.monotonic()
        self.client.disconnect(terminate=True)
        return time.monotonic() - began


def test_assemblyai_streams_speech_and_ends(either_gateway: RunningServer, key: str, two_cities: bytes) -> None:
    with Stopwatch() as watch:
        session = Assembly(either_gateway, key, format_turns=True)
        until(lambda: session.began)
    assert watch.seconds < 1, "the limit of the provider's JavaScript client"
    session.speak(two_cities)
    took = session.finish()
    assert session.errors == []
    assert took < 5, "the client waits no longer"
    ended = [turn for turn in session.turns if turn.end_of_turn and turn.turn_is_formatted]
    assert heard(turn.transcript for turn in ended) == list(PHRASES)
    assert [turn.turn_order for turn in ended] == list(range(len(ended)))
    assert any(not turn.end_of_turn for turn in session.turns), "words come while speech goes on"
    assert all(word.start <= word.end for turn in ended for word in turn.words)
    assert session.terminations[0].audio_duration_seconds == 14


def test_assemblyai_sees_a_wrong_key_as_http_401(either_gateway: RunningServer) -> None:
    session = Assembly(either_gateway, "sk-mem-wrong")
    assert [error.code for error in session.errors] == [401]


def test_assemblyai_opens_one_session_with_a_token(either_gateway: RunningServer, key: str) -> None:
    """The client sends it where a key would stand; it mints it by HTTP, whatever the server's address."""
    answer = httpx.get(f"{either_gateway.url}/v3/token?expires_in_seconds=60", headers={"Authorization": key})
    token = answer.json()["token"]
    session = Assembly(either_gateway, "", token)
    session.finish()
    assert (session.errors, len(session.began), len(session.terminations)) == ([], 1, 1)
    assert [error.code for error in Assembly(either_gateway, "", token).errors] == [401]


class Scribe:
    """A session of the ElevenLabs client, with what it reported."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.connection: Any = None

    async def open(self, server: RunningServer, key: str, **options: Any) -> Scribe:
        client = ElevenLabs(api_key=key, base_url=server.url)
        wanted = {"model_id": "scribe_v2_realtime", "audio_format": AudioFormat.PCM_16000, "sample_rate": 16000}
        self.connection = await client.speech_to_text.realtime.connect({**wanted, **options})
        for event in RealtimeEvents:
            self.connection.on(event, lambda *data, name=event.value: self.reports.append((name, *data)))
        return self

    async def speak(self, pcm: bytes, size: int = 3200) -> None:
        for chunk in chunks(pcm, size):
            await self.connection.send({"audio_base_64": base64.b64encode(chunk).decode()})
            await asyncio.sleep(0.1)

    async def until(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for that many reports of a kind."""
        async with asyncio.timeout(20):
            while len(found := self.of(name)) < count:
                await asyncio.sleep(0.02)
        return found

    def of(self, name: str) -> list[dict[str, Any]]:
        return [report[1] for report in self.reports if report[0] == name and len(report) > 1]


async def test_elevenlabs_commits_many_times_in_one_session(
    either_gateway: RunningServer, key: str, two_cities_48k: bytes
) -> None:
    scribe = await Scribe().open(
        either_gateway, key, audio_format=AudioFormat.PCM_48000, sample_rate=48000, language_code="en",
        commit_strategy=CommitStrategy.MANUAL, include_timestamps=True,
    )  # fmt: skip
    middle = 48000 * 2 * 6
    await scribe.speak(two_cities_48k[:middle], 9600)
    await scribe.connection.commit()
    await scribe.until("committed_transcript_with_timestamps", 1)
    await scribe.speak(two_cities_48k[middle:], 9600)
    await scribe.connection.commit()
    timed = await scribe.until("committed_transcript_with_timestamps", 2)
    plain = scribe.of("committed_transcript")
    await scribe.connection.close()
    assert [frame["text"] for frame in plain] == [frame["text"] for frame in timed]
    assert len(set(heard(frame["text"] for frame in plain))) >= 4, "one sentence may be cut by the commit"
    assert scribe.of("partial_transcript")
    assert scribe.of("error") == []
    words = [word for frame in timed for word in frame["words"] if word["type"] == "word"]
    assert words[-1]["end"] > 10
    assert all(one["start"] <= other["start"] for one, other in pairwise(words))


async def test_elevenlabs_finds_the_ends_of_utterances_by_itself(
    either_gateway: RunningServer, key: str, two_cities: bytes
) -> None:
    scribe = await Scribe().open(either_gateway, key, commit_strategy=CommitStrategy.VAD, language_code="en")
    await scribe.speak(two_cities)
    committed = await scribe.until("committed_transcript", 4)
    await scribe.connection.close()
    assert len(heard(frame["text"] for frame in committed)) >= 3


async def test_elevenlabs_sees_a_wrong_key_as_http_401(either_gateway: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await Scribe().open(either_gateway, "sk-mem-wrong")
    assert refusal.value.response.status_code == 401


def test_elevenlabs_mints_a_token(either_gateway: RunningServer, key: str) -> None:
    with httpx.Client() as http:
        client = ElevenLabs(api_key=key, base_url=either_gateway.url, httpx_client=http)
        assert client.tokens.single_use.create("realtime_scribe").token
