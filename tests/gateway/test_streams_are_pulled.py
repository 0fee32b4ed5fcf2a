"""Real sources of every kind become PCM, and nothing a user or a server names is followed unguarded."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memweb.gateway import guard, playlist, tuner
from memweb.gateway.pull import Source, SourceGone, SourceUseless
from tests.gateway import sources

SECONDS = 6
TONES = (500, 700, 900, 1100, 1300, 1500)
"""Of each second of the recording, in Hz: so that what is missing or doubled is seen."""


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tones") / "tones.wav"
    at = np.arange(sources.RATE) / sources.RATE
    sound = np.concatenate([np.sin(2 * np.pi * tone * at) for tone in TONES])
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sources.RATE)
        out.writeframes((sound * 20_000).astype("<i2").tobytes())
    return path


@pytest.fixture(autouse=True)
def listed(settings: Any) -> None:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]


async def pulled(url: str, seconds: float = 60.0) -> tuple[bytes, str]:
    """What the source gave until its end or for so long; and how it ended."""
    heard = bytearray()
    try:
        async with asyncio.timeout(30):
            async for piece in Source(url).pieces():
                heard += piece
                if len(heard) >= seconds * 32_000:
                    return bytes(heard), "enough"
    except (SourceGone, SourceUseless) as error:
        return bytes(heard), f"{type(error).__name__}: {error}"
    return bytes(heard), "ended"


def heard_tones(pcm: bytes) -> list[int]:
    """Which tones follow each other in the sound, each named once while it lasts."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    found = []
    for at in range(0, len(samples) - 1600, 1600):
        spectrum = np.abs(np.fft.rfft(samples[at : at + 1600]))
        if spectrum.max() > 1e5:
            found.append(min(TONES, key=lambda tone: abs(tone - 10 * int(spectrum.argmax()))))
    return [tone for tone, _ in itertools.groupby(found)]


@pytest.mark.parametrize(
    ("codec", "format"),
    [("libmp3lame", "mp3"), ("aac", "adts"), ("flac", "flac"), ("libopus", "ogg"), ("aac", "mpegts")],
)
async def test_a_recording_over_http_is_heard_whole(tones: Path, tmp_path: Path, codec: str, format: str) -> None:
    sources.encoded(tmp_path / "tones", tones, codec, format)
    with sources.web_server(tmp_path, {}, {}) as url:
        pcm, how = await pulled(f"{url}/tones")
    assert how == "ended"
    assert heard_tones(pcm) == list(TONES)
    assert abs(len(pcm) / 32_000 - SECONDS) < 0.3


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
async def test_a_finished_playlist_is_heard_whole(tones: Path, tmp_path: Path, kind: str) -> None:
    sources.segments(tmp_path, tones, kind)
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nnone.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=5\nall.m3u8\n"
    (tmp_path / "master.m3u8").write_text(master)
    with sources.web_server(tmp_path, {}, {}) as url:
        for name in ("all", "master"):
            pcm, how = await pulled(f"{url}/{name}.m3u8")
            assert how == "ended"
            assert heard_tones(pcm) == list(TONES)


def sound(group: str, uri: str, *more: str) -> str:
    return ",".join([f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="n"', *([f'URI="{uri}"'] if uri else []), *more])


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([sound("a", "de.m3u8"), sound("a", "en.m3u8", "DEFAULT=YES")], "en.m3u8"),
        ([sound("a", "de.m3u8", "DEFAULT=NO"), sound("a", "en.m3u8", "AUTOSELECT=YES")], "en.m3u8"),
        ([sound("a", "told.m3u8", "AUTOSELECT=YES"), sound("a", "en.m3u8", "DEFAULT=YES")], "en.m3u8"),
        ([sound("a", "en.m3u8"), sound("a", "de.m3u8")], "en.m3u8"),
        ([sound("b", "loud.m3u8", "DEFAULT=YES"), sound("a", "en.m3u8")], "en.m3u8"),
        ([sound("a", "told.m3u8"), sound("a", "", "DEFAULT=YES")], "low.m3u8"),
        ([sound("b", "loud.m3u8", "DEFAULT=YES")], "low.m3u8"),
        (['#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="a",DEFAULT=YES,URI="subs.m3u8"'], "low.m3u8"),
    ],
    ids=[
        "default",
        "autoselect",
        "default first",
        "the first",
        "of its group",
        "inside the variant",
        "none",
        "no sound",
    ],
)
def test_of_several_renditions_the_one_a_player_begins_with_is_heard(offered: list[str], chosen: str) -> None:
    low = ['#EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO="a"', "low.m3u8"]
    variants = ['#EXT-X-STREAM-INF:BANDWIDTH=900,AUDIO="b"', "high.m3u8", *low]
    body = "\n".join(["#EXTM3U", *offered, *variants]).encode()
    assert playlist.read(body, "http://127.0.0.1/all.m3u8") == playlist.Choice(f"http://127.0.0.1/{chosen}")


async def test_a_live_playlist_is_joined_near_its_end_and_followed(tones: Path, tmp_path: Path) -> None:
    lines = sources.segments(tmp_path, tones)
    live = sources.live_list(lines, window=4, ended=True)
    with sources.web_server(tmp_path, {"/live.m3u8": live}, {}) as url:
        pcm, how = await pulled(f"{url}/live.m3u8")
    assert how == "ended"
    assert heard_tones(pcm) == list(TONES[1:])  # of four there at first, the last three


async def test_a_break_in_a_playlist_begins_anew(tones: Path, tmp_path: Path) -> None:
    lines = sources.segments(tmp_path, tones)
    at = [index for index, line in enumerate(lines) if line.startswith("#EXTINF")][3]
    lines.insert(at, "#EXT-X-DISCONTINUITY")
    (tmp_path / "broken.m3u8").write_text("\n".join(lines))
    with sources.web_server(tmp_path, {}, {}) as url:
        pcm, how = await pulled(f"{url}/broken.m3u8")
    assert how == "ended"
    assert heard_tones(pcm) == list(TONES)


async def test_a_radio_is_heard_until_it_is_cut(tones: Path, tmp_path: Path) -> None:
    mp3 = sources.encoded(tmp_path / "tones.mp3", tones, "libmp3lame", "mp3").read_bytes()

    def radio() -> Iterator[bytes]:
        yield from itertools.islice(itertools.cycle([mp3]), 2)

    with sources.web_server(tmp_path, {}, {"/radio": radio}) as url:
        pcm, how = await pulled(f"{url}/radio")
    assert how == "SourceGone: The source went away."
    assert heard_tones(pcm) == list(TONES) * 2


async def test_a_source_that_sends_nothing_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with sources.web_server(tmp_path, {}, {"/radio": lambda: iter(())}) as url:
        assert (await pulled(f"{url}/radio"))[1] == "SourceGone: The source sends nothing."
        assert (await pulled(f"{url}/empty"))[1] == "SourceUseless: The source sends nothing."


async def test_rtmp_is_heard_as_it_is_published(tones: Path, tmp_path: Path) -> None:
    with sources.rtmp_server(tmp_path) as url:
        publisher = sources.Publisher(f"{url}/stage", tones)
        try:
            began = time.monotonic()
            pcm, how = await pulled(f"{url}/stage", 3)
            assert how == "enough"
            assert time.monotonic() - began < 8
            heard = heard_tones(pcm)
            at = TONES.index(heard[0])
            assert heard == [*TONES, *TONES][at : at + len(heard)]
            assert len(heard) >= 3
        finally:
            publisher.stop()
        pcm, how = await pulled(f"{url}/nobody")
        assert (pcm, how.partition(":")[0]) == (b"", "SourceGone")


async def test_rtsp_is_heard(tones: Path) -> None:
    with sources.rtsp_server(tones) as url:
        pcm, how = await pulled(url, 3)
        assert how == "enough"
        assert heard_tones(pcm)[:3] == list(TONES[:3])
        pcm, how = await pulled(url.replace("/live", "/nothing"))
        assert pcm == b""
        assert how.startswith("Source")


@pytest.mark.parametrize(
    "body",
    [
        b"#EXTM3U\n#EXTINF:1,\nhttp://10.0.0.1/private.ts\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://10.0.0.1/list.m3u8\n",
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhostile.m3u8\n",
        b'#EXTM3U\n#EXT-X-MAP:URI="gopher://127.0.0.1/"\n#EXTINF:1,\nhostile.m3u8\n#EXT-X-ENDLIST\n',
        b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n',
        b"#EXTM3U\n#EXTINF:1,\nhostile.m3u8\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXTINF:x,\nhttp://[::1\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<html>No media here</html>",
        b"",
        b"\0" * 5000,
    ],
)
async def test_a_hostile_answer_leads_nowhere(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "hostile.m3u8").write_bytes(body)
    with sources.web_server(tmp_path, {}, {}) as url:
        pcm, how = await pulled(f"{url}/hostile.m3u8")
    assert pcm == b""
    assert how.startswith(("SourceUseless: ", "SourceGone: "))
    assert "10.0.0.1" not in how or "MEMWEB_ALLOW_PRIVATE_URLS" in how


async def test_a_private_source_is_not_touched(settings: Any) -> None:
    settings.ALLOW_PRIVATE_URLS = []
    for scheme in ("http", "rtmp", "rtsp"):
        with _canary() as (port, visits):
            _, how = await pulled(f"{scheme}://127.0.0.1:{port}/live")
            assert how.startswith("SourceUseless")
            assert visits == []


async def test_an_rtsp_server_that_sends_elsewhere_is_left() -> None:
    with _canary() as (elsewhere, visits):
        moved = f"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:{elsewhere}/live\r\n\r\n"
        with _canary(moved.encode()) as (port, first):
            pcm, how = await pulled(f"rtsp://127.0.0.1:{port}/live")
    assert pcm == b""
    assert how.startswith("Source")
    assert len(first) >= 1
    assert visits == []


async def test_a_password_is_in_no_list_of_processes() -> None:
    with _canary() as (port, visits):
        target = guard.resolve(f"rtsp://me:s3cret-of-the-camera@127.0.0.1:{port}/live", schemes=("rtsp",))
        async with tuner.tuned(target):
            arguments = _listed_arguments()
            assert [one for one in arguments if b"tuner_child" in one]
            assert [one for one in arguments if b"s3cret" in one] == []
            deadline = time.monotonic() + 20
            while not visits:  # what it is to ask for has reached it all the same
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)


def _listed_arguments() -> list[bytes]:
    """Of every process on this machine, as any of its users may read them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # one that has just ended
            found.append((process / "cmdline").read_bytes())
    return found


class _canary:
    """A port that notes who comes, and says one thing to them."""

    def __init__(self, says: bytes = b"") -> None:
        self._says = says
        self._visits: list[bytes] = []

    def __enter__(self) -> tuple[int, list[bytes]]:
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self._socket.getsockname()[1], self._visits

    def __exit__(self, *raised: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            with visitor:
                self._visits.append(visitor.recv(4096))
                visitor.sendall(self._says)
