"""A real server with the built-in gateway, on either ASGI server, and real speech for it."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from memweb.engines.resample import Resampler
from memweb.gateway import limits
from tests.gateway.receiver import Receiver, receiving
from tests.running import RunningServer

SECONDS = 14
"""Of the recording that is streamed: five sentences' worth."""
PHRASES = ("best of times", "worst of times", "age of wisdom", "age of foolishness", "epoch of belief")


def heard(texts: Iterable[str]) -> list[str]:
    """Which of the phrases are in what came back."""
    said = " ".join(re.findall(r"[a-z']+", " ".join(texts).lower()))
    return [phrase for phrase in PHRASES if phrase in said]


@pytest.fixture(autouse=True)
def nobody_asked_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts of one test are others of the next, though their numbers are the same."""
    monkeypatch.setattr(limits, "requests", limits.Requests())


@pytest.fixture(scope="session")
def gateway(shared_server: RunningServer) -> RunningServer:
    """The server memweb starts."""
    return shared_server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Somebody whose webhook this is."""
    with receiving(Receiver()) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[RunningServer]:
    """One with a worker, with streams, and with an owner who is told at the receiver."""
    env = {"MEMWEB_ALLOW_PRIVATE_URLS": "127.0.0.1"}
    with RunningServer(tmp_path_factory.mktemp("telling"), worker=True, streams=True, env=env) as running:
        running.manage("setwebhook", receiver.url, "--user", "owner")
        yield running


@pytest.fixture(scope="session", params=["daphne", "uvicorn"])
def either_gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server memweb starts, and the one operators may choose instead."""
    if request.param == "daphne":
        yield request.getfixturevalue("shared_server")
        return
    with RunningServer(tmp_path_factory.mktemp("uvicorn"), server="uvicorn") as running:
        yield running


@pytest.fixture(scope="session")
def two_cities(wheel_speech: dict[str, Path]) -> bytes:
    """14 s of clear English, s16le 16 kHz mono."""
    with wave.open(str(wheel_speech["two_cities"])) as recording:
        rate = recording.getframerate()
        resampler = Resampler(rate)
        return resampler.feed(recording.readframes(SECONDS * rate)) + resampler.flush()


@pytest.fixture(scope="session")
def two_cities_48k(wheel_speech: dict[str, Path]) -> bytes:
    """The same as it was recorded: s16le 48 kHz mono."""
    with wave.open(str(wheel_speech["two_cities"])) as recording:
        assert recording.getframerate() == 48000
        return recording.readframes(SECONDS * 48000)
