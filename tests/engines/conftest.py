"""Real engines in real processes; weights are joined once for the session."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_django import Settings

from memweb.engines import live
from memweb.engines.live import LiveStream
from memweb.speech.events import Committed, Ended, Event, Failed, Final, Partial, SpeechBegan
from memweb.speech.transcript import Segment
from tests.engines.sounds import clip_pcm

SECOND = 32_000
Clip = Callable[[str], bytes]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One joined model for every test that only reads it."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def engine_folders(settings: Settings, models_dir: Path, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.MODELS_DIR = models_dir
    settings.WHISPER_MODEL_DIR = ""
    settings.LIVE_SLOTS = 8
    settings.LIVE_WORKERS = 1


@pytest_asyncio.fixture
async def engines() -> AsyncIterator[None]:
    """Engine processes started in the test end with it."""
    yield
    await live.close()


@pytest.fixture
def two_cities(wheel_speech: dict[str, Path]) -> bytes:
    """44 s of a novel's beginning, from the engine's own package."""
    return clip_pcm(wheel_speech["two_cities"])


@pytest.fixture
def clip(speech_clips: Path) -> Clip:
    """PCM of a clip by its file name."""
    return lambda name: clip_pcm(speech_clips / name)


@pytest.fixture
def wav(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Write PCM as a WAV file."""

    def write(pcm: bytes) -> Path:
        path = tmp_path / "recording.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(pcm)
        return path

    return write


@dataclass
class Heard:
    """Everything one stream said, in order."""

    events: list[Event] = field(default_factory=list)

    @property
    def finals(self) -> list[Segment]:
        return [event.segment for event in self.events if isinstance(event, Final)]

    @property
    def partials(self) -> list[Partial]:
        return [event for event in self.events if isinstance(event, Partial) and event.text]

    @property
    def began(self) -> list[SpeechBegan]:
        return [event for event in self.events if isinstance(event, SpeechBegan)]

    @property
    def committed(self) -> bool:
        """True when the last thing said answers a commit."""
        return isinstance(self.events[-1], Committed)

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.finals)


async def listen(stream: LiveStream, heard: Heard, until: Callable[[Heard], bool] | None = None) -> Heard:
    """Gather events until the stream is over, or until a condition holds. Fails loudly when neither comes."""
    async with asyncio.timeout(240):
        async for event in stream:
            heard.events.append(event)
            if isinstance(event, (Ended, Failed)) or (until and until(heard)):
                break
    return heard


async def speak(stream: LiveStream, pcm: bytes, *, pace: float = 0.0, piece: int = 3200) -> None:
    """Feed PCM: at once, or `pace` times as fast as real time."""
    for at in range(0, len(pcm), piece):
        await stream.feed(pcm[at : at + piece])
        if pace:
            await asyncio.sleep(piece / SECOND / pace)


async def transcribed(pcm: bytes, language: str | None = "en", *, pace: float = 0.0, piece: int = 3200) -> Heard:
    """Open a stream, say it all, and hear it to its end."""
    stream = await live.open_stream(language)
    heard = Heard()
    hearing = asyncio.create_task(listen(stream, heard))
    await speak(stream, pcm, pace=pace, piece=piece)
    await stream.finish()
    await hearing
    await stream.close()
    return heard
