"""Real speech through the page's socket, the built-in gateway and the real engine, on one server."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest

from memweb.media import decode
from tests.dictation.evidence import kept_text, record_of, spooled_sha256
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.speech]

KNOWN = ("best of times", "worst of times", "age of wisdom", "epoch of belief", "season of light", "spring of hope")


def pieces(path: Path, seconds: float) -> list[bytes]:
    """The recording in 100 ms frames of 16 kHz."""
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 1
        rate, pcm = file.getframerate(), file.readframes(file.getnframes())
    if rate != 16000:
        import numpy as np

        heard = np.frombuffer(pcm, "<i2").astype(float)
        at = np.arange(int(len(heard) * 16000 / rate)) * rate / 16000
        pcm = np.interp(at, np.arange(len(heard)), heard).astype("<i2").tobytes()
    pcm = pcm[: int(seconds * 32000)]
    return [pcm[at : at + 3200] for at in range(0, len(pcm) - 3199, 3200)]


async def speak(page: PageClient, sound: list[bytes]) -> None:
    """As a microphone: a frame each tenth of a second."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, pcm in enumerate(sound):
        page.make(pcm)
        await asyncio.sleep(max(0.0, began + (number + 1) / 10 - loop.time()))


def assert_known(text: str) -> None:
    missing = [phrase for phrase in KNOWN if phrase not in text.lower()]
    assert len(missing) <= 1, f"{missing} not in {text!r}"


@pytest.mark.parametrize("provider", ["assemblyai", "elevenlabs"])
async def test_spoken_words_are_read_while_they_are_spoken(
    tmp_path: Path, wheel_speech: dict[str, Path], provider: str
) -> None:
    sound = pieces(wheel_speech["two_cities"], 30)
    with RunningServer(tmp_path) as server:
        async with PageClient(server, server.sign_in(), provider=provider) as page:
            await speak(page, sound)
            assert page.log, "no final came while speech went on"
            await page.ended()
        assert page.last("state")["engine"]  # type: ignore[index]
        assert spooled_sha256(server, page.record_id) == page.sha256
        assert_known(kept_text(server, page.record_id))
        assert page.text == kept_text(server, page.record_id)
        assert page.doubled == []


async def test_what_the_stronger_engine_heard_live_is_not_heard_by_it_again(tmp_path: Path, speech_clips: Path) -> None:
    with decode.Media(speech_clips / "es.flac") as media:
        pcm = b"".join(media.pieces())
    sound = [pcm[at : at + 3200] for at in range(0, len(pcm) - 3199, 3200)]
    with RunningServer(tmp_path, worker=True) as server:
        async with PageClient(server, server.sign_in(), language="es") as page:
            await speak(page, sound)
            await page.ended()
        of = f"objects.filter(record_id='{page.record_id}')"
        done = f"from transcripts.models import Job\nprint(*Job.{of}.filter(status='done'))"
        until(lambda: "second_pass" in server.ask(done), 90, "the second pass")
        heard = server.ask(f"from transcripts.models import Version\nprint([(v.kind, v.model) for v in Version.{of}])")
        assert heard == "[('live', 'whisper-base')]"


async def test_a_server_killed_in_mid_speech_loses_no_words(tmp_path: Path, wheel_speech: dict[str, Path]) -> None:
    sound = pieces(wheel_speech["two_cities"], 30)
    with RunningServer(tmp_path) as server:
        async with PageClient(server, server.sign_in()) as page:
            speaking = asyncio.create_task(speak(page, sound))
            await asyncio.sleep(8.5)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await speaking
            await page.ended()
        assert spooled_sha256(server, page.record_id) == page.sha256
        text = kept_text(server, page.record_id)
        assert_known(text)
        assert text.lower().count("best of times") == 1
        assert record_of(server, page.record_id)["connections"] == 2
