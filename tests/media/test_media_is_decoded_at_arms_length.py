"""Every format of the contract becomes PCM; hostile media becomes a sentence, and touches nothing on its way."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from memweb.engines import process, talk, wire
from memweb.media import decode
from memweb.media.errors import NotMedia
from tests.gateway import media
from tests.gateway.test_users_urls_lead_nowhere_private import Canary


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    made = Canary("127.0.0.1")
    yield made
    made.close()


def pcm(path: Path, **wanted: int) -> bytes:
    with decode.Media(path, **wanted) as media:  # type: ignore[arg-type]
        return b"".join(media.pieces())


def refusal(path: Path) -> str:
    """Why it was refused; empty where it was not."""
    try:
        pcm(path)
    except NotMedia as error:
        return str(error)
    return ""


def pitch(sound: bytes) -> float:
    """The strongest frequency, in Hz."""
    samples = np.frombuffer(sound, "<i2")
    return float(np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples))


@pytest.mark.parametrize("name", media.FORMATS)
def test_each_format_becomes_the_same_sound(tmp_path: Path, name: str) -> None:
    path = media.made(tmp_path / f"sound.{name}", media.tone(2.0))
    path = path.rename(tmp_path / "as-people-name-it.txt")
    with decode.Media(path) as open_media:
        sound = b"".join(open_media.pieces())
        info = open_media.info
    assert abs(len(sound) / 32 - 2000) < 150, "encoders pad; none leaves out"
    assert abs(pitch(sound) - 440) < 3
    assert info.video == media.FORMATS[name][2]
    assert info.channels == 1


def test_channels_are_mixed_or_taken_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    path.write_bytes(media.wav(1.0, channels=2))
    assert [round(pitch(pcm(path, channel=number)), -1) for number in (0, 1)] == [440, 770]
    assert len(pcm(path)) == len(pcm(path, channel=1)) == 32_000
    with pytest.raises(NotMedia, match="2 channels"):
        pcm(path, channel=2)


@pytest.mark.parametrize(
    ("start", "end", "length"), [(0, 500, 500), (250, 750, 500), (900, 5000, 100), (1000, 2000, 0)]
)
def test_a_part_is_cut_to_the_sample(tmp_path: Path, start: int, end: int, length: int) -> None:
    path = tmp_path / "one.wav"
    path.write_bytes(media.wav(1.0))
    whole = pcm(path)
    assert pcm(path, start_ms=start, end_ms=end) == whole[start * 32 : end * 32]
    assert len(whole[start * 32 : end * 32]) == length * 32


def test_a_server_with_a_thousand_files_open_decodes_one_more(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    path.write_bytes(media.wav(1.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < 1024:
            held.append(os.open(os.devnull, os.O_RDONLY))
        assert len(pcm(path)) == 32_000
        ours, theirs = socket.socketpair()
        with ours, theirs, ours.makefile("rb") as reading:
            assert reading.fileno() > 1024
            theirs.sendall(wire.pack({"t": "end"}))
            assert talk.read(reading, lambda: None) == ({"t": "end"}, b"")
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    path = media.made(tmp_path / "sound.mp3", media.tone(4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 1500 < len(pcm(path)) / 32 < 2500
    lying = tmp_path / "lying.wav"
    lying.write_bytes(media.lying_wav())
    assert abs(len(pcm(lying)) / 32 - 1000) < 5


def test_hostile_media_is_refused_and_touches_nothing(tmp_path: Path, canary: Canary) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(media.wav())
    os.utime(secret, (1, 1))
    for name, body in media.hostile(f"http://127.0.0.1:{canary.port}/x.ts", secret).items():
        path = tmp_path / "upload.m3u8"
        path.write_bytes(body)
        began = time.monotonic()
        assert refusal(path).endswith("."), name
        assert time.monotonic() - began < 30, name
    assert secret.stat().st_atime == 1
    assert canary.hits == 0


def test_a_bomb_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "LONGEST_MS", 600_000)
    path = media.bomb(tmp_path / "bomb.flac", minutes=20)
    assert path.stat().st_size < 400_000
    with decode.Media(path) as opened:
        pieces = opened.pieces()
        size = sum(len(next(pieces)) for _ in range(100))
        assert psutil.Process(opened._child.pid).memory_info().rss < 300_000_000
        with pytest.raises(NotMedia, match="longer than"):
            size += sum(map(len, pieces))
    assert size <= 600_000 * 32


@pytest.mark.parametrize("what", ["MEMORY", "CPU_S"])
def test_a_decoder_that_takes_too_much_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The limits bite: the same file is decoded without them."""
    path = media.made(tmp_path / "short.mp3", media.tone(5.0))
    assert refusal(path) == ""
    monkeypatch.setattr(decode, what, 0)
    assert refusal(path)


CONFINED = """
import json, os, resource, socket, sys
from memweb.media import decoder
decoder.cut_off()
import numpy
decoder.confine(1 << 28, 60)
told = {}
for name, address in {"out": ("127.0.0.1", %d)}.items():
    try:
        socket.create_connection(address, 2).close(); told[name] = "reached"
    except OSError as error:
        told[name] = "refused"
try:
    with open(%r, "w") as file: file.write("x" * 10); file.flush()
    told["write"] = "written"
except OSError: told["write"] = "refused"
try:
    bytearray(1 << 30); told["memory"] = "taken"
except MemoryError: told["memory"] = "refused"
print(json.dumps(told))
"""


def test_the_decoders_process_has_no_network_no_disk_and_little_memory(tmp_path: Path, canary: Canary) -> None:
    script = CONFINED % (canary.port, str(tmp_path / "written"))
    free = script.replace("decoder.cut_off()", "").replace("decoder.confine(1 << 28, 60)", "")
    told = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + text],
                env=process.environment(), capture_output=True, text=True, check=True,
            ).stdout
        )
        for text in (script, free)
    ]  # fmt: skip
    assert told[0] == {"out": "refused", "write": "refused", "memory": "refused"}
    assert told[1] == {"out": "reached", "write": "written", "memory": "taken"}, "the broken twin"


def limit(pid: int, name: str) -> int:
    """A process's own limit, hard and soft, as Linux tells it."""
    line = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith(name))
    soft, hard = line.removeprefix(name).split()[:2]
    assert soft == hard
    return int(soft)


def test_each_file_has_a_decoder_confined_by_itself(tmp_path: Path) -> None:
    """Forked from one server, each gives up rights of its own before it reads."""
    path = tmp_path / "long.wav"
    path.write_bytes(media.wav(20.0))
    with decode.Media(path) as one, decode.Media(path) as other:
        children = [media._child.pid for media in (one, other)]
        networks = {os.stat(f"/proc/{pid}/ns/net").st_ino for pid in [*children, os.getpid()]}
        assert len(networks) == 3
        for pid in children:
            assert limit(pid, "Max address space") < psutil.Process(pid).memory_info().vms + 2 * decode.MEMORY
            assert limit(pid, "Max cpu time") == decode.CPU_S
            assert limit(pid, "Max file size") == limit(pid, "Max core file size") == 0
            assert limit(pid, "Max open files") == 32
            open_now = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
            assert sum(not name.startswith("/dev/") for name in open_now) <= 3, "the file, the way out, standard error"
            assert not any(name.startswith("socket:") for name in open_now)


def test_a_decoder_that_crashes_takes_no_other_file_along(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(media.wav(20.0))
    whole = pcm(path)
    with decode.Media(path) as other, decode.Media(path) as crashing:
        os.kill(crashing._child.pid, signal.SIGSEGV)
        with pytest.raises(NotMedia):
            b"".join(crashing.pieces())
        assert pcm(path) == whole, "one that comes after it"
        assert b"".join(other.pieces()) == whole, "one that was there before"


def test_a_decoder_whose_file_is_let_go_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(media.wav(20.0))
    with decode.Media(path) as opened:
        pid = opened._child.pid
    assert not psutil.pid_exists(pid)


async def test_a_stream_is_decoded_as_it_comes(tmp_path: Path) -> None:
    """PCM is there long before the end: the first second's bytes bring sound, with nothing more to come."""
    for name in ("mp3", "ts", "ogg"):
        body = media.made(tmp_path / f"sound.{name}", media.tone(6.0)).read_bytes()
        async with decode.pipe() as stream:
            got = stream.pieces()
            half = len(body) // 2
            await stream.feed(body[:half])
            first = await asyncio.wait_for(anext(got), 20)
            assert first
            await stream.feed(body[half:])
            stream.end()
            rest = [piece async for piece in got]
        assert abs((len(first) + sum(map(len, rest))) / 32 - 6000) < 200, name
        assert stream.info is not None


async def test_a_stream_of_a_known_container_may_be_told_so() -> None:
    async with decode.pipe("wav") as stream:
        await stream.feed(media.wav(1.0))
        stream.end()
        assert abs(sum([len(piece) async for piece in stream.pieces()]) - 32_000) < 64


async def test_a_stream_that_is_no_media_says_so() -> None:
    for body in (b"", b"#EXTM3U\nhttp://127.0.0.1/\n", b"x" * 100_000):
        async with decode.pipe() as stream:
            feeding = asyncio.create_task(stream.feed(body))
            with pytest.raises(NotMedia):
                await asyncio.gather(_all(stream), _end(stream, feeding))


async def _all(stream: decode.Pipe) -> None:
    async for _ in stream.pieces():
        pass


async def _end(stream: decode.Pipe, feeding: asyncio.Task[None]) -> None:
    await feeding
    stream.end()


async def test_a_decoder_whose_stream_is_let_go_is_gone() -> None:
    async with decode.pipe() as stream:
        pid = stream._child.pid
    assert not psutil.pid_exists(pid)


def test_a_decoder_loads_only_what_decodes() -> None:
    """What else it would load is in the memory of each."""
    script = "import sys, av, memweb.media.decoder\nprint(*{'numpy', 'asyncio', 'django'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
