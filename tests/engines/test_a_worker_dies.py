"""An engine process may be killed at any moment: it comes back, and no word is lost or said twice."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from memweb.engines import live, pool, wire
from memweb.engines.errors import AtCapacity
from memweb.engines.live import LiveStream
from memweb.speech.events import Failed
from tests.engines.conftest import SECOND, Clip, Heard, listen, speak, transcribed
from tests.running import ROOT
from tests.waiting import PATIENCE, none_is_left
from tests.wer import wer, words

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("engines")]


def _worker() -> pool.WorkerProcess:
    return pool.current().workers[0]


async def _killed_after(stream: LiveStream, pcm: bytes, kills: tuple[int, ...]) -> Heard:
    """Speak at four times the pace of life; kill the worker at the given seconds of audio."""
    heard = Heard()
    hearing = asyncio.create_task(listen(stream, heard))
    begin = 0
    for second in kills:
        await speak(stream, pcm[begin : second * SECOND], pace=4.0)
        begin = second * SECOND
        pid = _worker().pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    await speak(stream, pcm[begin:], pace=4.0)
    await stream.finish()
    await hearing
    await stream.close()
    return heard


def _contiguous(heard: Heard) -> None:
    assert [segment.key for segment in heard.finals] == [str(number) for number in range(len(heard.finals))]
    for before, after in zip(heard.finals, heard.finals[1:], strict=False):
        assert after.start_ms >= before.end_ms


@pytest.mark.parametrize("kills", [(5,), (12,), (6, 15)])
async def test_killed_mid_speech_nothing_is_lost_or_doubled(clip: Clip, kills: tuple[int, ...]) -> None:
    pcm = clip("printing.flac")
    whole = await transcribed(pcm)
    heard = await _killed_after(await live.open_stream("en"), pcm, kills)
    assert _worker().restarts == len(kills)
    _contiguous(heard)
    assert wer(whole.text, heard.text) <= 0.1 + 0.05 * len(kills)
    assert abs(len(words(whole.text)) - len(words(heard.text))) <= 2 + 2 * len(kills)


@pytest.mark.parametrize("retells", [True, False], ids=["", "broken twin"])
async def test_what_a_dead_worker_had_not_heard_is_told_to_the_next(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, retells: bool
) -> None:
    def forgetful(stream: LiveStream) -> list[bytes]:
        return [wire.pack({"t": "open", "s": stream.number, "language": "en", "base": stream._sent})]

    pcm = clip("printing.flac")
    whole = await transcribed(pcm)
    if not retells:
        monkeypatch.setattr(LiveStream, "retell", forgetful)
    stream, heard = await live.open_stream("en"), Heard()
    pid = await _pid()
    os.kill(pid, signal.SIGSTOP)  # so that it hears nothing of six seconds
    hearing = asyncio.create_task(listen(stream, heard))
    await speak(stream, pcm[: 6 * SECOND])
    os.kill(pid, signal.SIGKILL)
    await speak(stream, pcm[6 * SECOND :], pace=4.0)
    await stream.finish()
    await hearing
    await stream.close()
    lost = len(words(whole.text)) - len(words(heard.text))
    assert abs(lost) <= 4 if retells else lost > 5


async def test_killed_in_another_language_the_utterance_is_read_again(clip: Clip) -> None:
    pcm = clip("es.flac")
    heard = await _killed_after(await live.open_stream("es"), pcm, (3,))
    _contiguous(heard)
    reference = "Las arenas son blanquecinas de grano medio y tiene muy poca asistencia."
    assert wer(reference, heard.text, "es") <= 0.35
    assert abs(len(words(heard.text, "es")) - 12) <= 2


async def test_a_commit_and_an_ending_survive_the_death_of_the_worker(clip: Clip) -> None:
    stream = await live.open_stream("en")
    await speak(stream, clip("quilter.flac"))
    pid = await _pid()
    os.kill(pid, signal.SIGSTOP)  # so that it cannot answer before it dies
    await stream.commit()
    await stream.finish()
    os.kill(pid, signal.SIGKILL)
    heard = await listen(stream, Heard())
    assert "gospel" in heard.text


async def _pid() -> int:
    async with asyncio.timeout(60):
        await _worker().ready.wait()
    pid = _worker().pid
    assert pid is not None
    return pid


async def test_what_is_kept_for_the_retelling_is_bounded(two_cities: bytes) -> None:
    stream = await live.open_stream("en")
    hearing = asyncio.create_task(listen(stream, Heard()))
    most = 0
    for at in range(0, len(two_cities), SECOND):
        await speak(stream, two_cities[at : at + SECOND])
        most = max(most, sum(len(pcm) for _, pcm in stream._kept))
    await speak(stream, bytes(20 * SECOND))
    most = max(most, sum(len(pcm) for _, pcm in stream._kept))
    await stream.finish()
    await hearing
    assert most <= 27 * SECOND  # 15 s before the engine, a line of 10 s, and slack


async def test_a_worker_that_dies_again_and_again_fails_its_streams_in_words() -> None:
    stream = await live.open_stream("en")
    heard = Heard()
    hearing = asyncio.create_task(listen(stream, heard))
    async with asyncio.timeout(120):
        while not hearing.done():
            pid = _worker().pid if pool.current().workers else None
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.2)
    failed = heard.events[-1]
    assert isinstance(failed, Failed)
    assert failed.retry
    assert "recording goes on" in failed.message
    await stream.close()
    again = await live.open_stream("en")  # a fresh worker, not the broken one
    await again.close()


@pytest.fixture
def unstartable(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Starts that are still to fail for want of a descriptor: append to it."""
    failing: list[int] = []
    start = pool.process.spawn

    def spawn(*arguments: str, link: socket.socket) -> subprocess.Popen[bytes]:
        if failing:
            raise OSError(failing.pop(), "Too many open files")
        return start(*arguments, link=link)

    monkeypatch.setattr(pool.process, "spawn", spawn)
    monkeypatch.setattr(pool, "START_AGAIN_S", 0)
    return failing


async def test_a_worker_that_could_not_be_started_is_started_again(unstartable: list[int], clip: Clip) -> None:
    unstartable += [errno.EMFILE] * (pool.TOO_MANY_CRASHES - 1)
    stream = await live.open_stream("en")
    await speak(stream, clip("quilter.flac"))
    await stream.finish()
    assert "gospel" in (await asyncio.wait_for(listen(stream, Heard()), 60)).text
    assert not unstartable
    await stream.close()


async def test_a_worker_that_never_starts_fails_its_streams_in_words(unstartable: list[int]) -> None:
    unstartable += [errno.EMFILE] * pool.TOO_MANY_CRASHES
    stream = await live.open_stream("en")
    failed = (await asyncio.wait_for(listen(stream, Heard()), 60)).events[-1]
    assert isinstance(failed, Failed)
    assert failed.retry
    await stream.close()
    again = await live.open_stream("en")
    assert again._worker is not stream._worker
    await again.close()


async def test_a_worker_that_nobody_understands_fails_its_streams_in_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool.WorkerProcess, "_take", lambda worker, head: head["no such key"])
    stream = await live.open_stream("en")
    failed = (await asyncio.wait_for(listen(stream, Heard()), 60)).events[-1]
    assert isinstance(failed, Failed)
    assert "is given up" in caplog.text
    assert _worker().closing
    await stream.close()


_PARENT = """
import asyncio, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "memweb.settings"
import django; django.setup()
from memweb.engines import live, pool
async def main():
    stream = await live.open_stream("en")
    await asyncio.wait_for(pool.current().workers[0].ready.wait(), 60)
    await stream.feed(open(sys.argv[1], "rb").read()) if len(sys.argv) > 1 else None
    print(pool.current().workers[0].pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("busy", [False, True])
def test_no_engine_outlives_a_killed_parent(tmp_path: Path, two_cities: bytes, *, busy: bool) -> None:
    speech = tmp_path / "speech.pcm"
    speech.write_bytes(two_cities[: 10 * SECOND])
    command = [sys.executable, "-c", _PARENT, *([str(speech)] if busy else [])]
    environment = {**os.environ, "MEMWEB_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as parent:
        assert parent.stdout is not None
        engine = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    none_is_left([engine], PATIENCE)


async def test_capacity_is_refused_in_words_and_given_back_at_once() -> None:
    streams = [await live.open_stream("en") for _ in range(8)]
    assert (live.capacity().used, live.capacity().total) == (8, 8)
    with pytest.raises(AtCapacity, match="8 live sessions at once") as refused:
        await live.open_stream("en")
    assert (refused.value.used, refused.value.total) == (8, 8)
    await streams[0].close()
    again = await live.open_stream("en")
    await asyncio.gather(*(stream.close() for stream in [*streams, again]))
    assert live.capacity().used == 0
