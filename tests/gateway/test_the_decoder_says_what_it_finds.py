"""What the decoder's child says, frame by frame. Here it runs in this process: what confines it is tested elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memweb.engines import wire
from memweb.gateway import tuner_child
from memweb.media.decoder import Decoder
from tests.gateway import media

HOUR = 3_600_000


def said(data: bytes, format: str | None = None, **what: Any) -> list[tuple[dict[str, Any], bytes]]:
    out = io.BytesIO()
    told = {"stream": False, "piece": 1 << 16, "most_ms": HOUR, **({"format": format} if format else {}), **what}
    Decoder(out, told).run(io.BytesIO(data))
    out.seek(0)
    frames = []
    while (frame := wire.read(out)) is not None:
        frames.append(frame)
    return frames


def kinds(frames: list[tuple[dict[str, Any], bytes]]) -> list[str]:
    return [head["t"] for head, _ in frames]


def pcm(frames: list[tuple[dict[str, Any], bytes]]) -> bytes:
    return b"".join(body for _, body in frames)


def test_a_file_is_told_then_decoded_then_summed_up() -> None:
    frames = said(media.wav(2.0, rate=48_000), "wav")
    assert frames[0][0] == {
        "t": "info", "format": "wav", "codec": "pcm_s16le", "channels": 1, "rate": 48_000, "duration_ms": 2000,
        "sound_ms": 2000, "video": False,
    }  # fmt: skip
    assert set(kinds(frames)[1:-1]) == {"pcm"}
    assert len(pcm(frames)) == pytest.approx(64_000, abs=200)
    assert frames[-1][0] == {"t": "end", "ms": len(pcm(frames)) // 32, "damaged": False, "whole": True}


def test_a_look_decodes_nothing() -> None:
    assert kinds(said(media.wav(1.0), "wav", probe=True)) == ["info", "end"]


def test_one_channel_can_be_had_alone_and_only_one_that_is_there() -> None:
    stereo = media.wav(1.0, channels=2)
    first, second = (np.frombuffer(pcm(said(stereo, "wav", channel=channel)), "<i2") for channel in (0, 1))
    assert len(first) == len(second) == 16_000
    assert not np.array_equal(first, second)
    (refused,) = said(stereo, "wav", channel=2)
    assert refused[0] == {"t": "refused", "message": "The file has 2 channels, and not so many as were asked for."}


def test_a_stream_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = media.made(tmp_path / "a.mp3", media.tone(2.0))
    frames = said(path.read_bytes(), stream=True)
    assert frames[0][0]["format"] == "mp3"
    assert len(pcm(frames)) == pytest.approx(64_000, abs=6000)


def test_what_is_cut_off_is_decoded_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = media.made(tmp_path / "a.flac", media.tone(4.0)).read_bytes()
    frames = said(whole[: len(whole) // 2], "flac")
    assert 32_000 < len(pcm(frames)) < 96_000
    assert frames[-1][0]["t"] == "end"


@pytest.mark.parametrize(
    ("data", "format", "message"),
    [
        (b"not media at all" * 99, "wav", "The file is damaged: no sound could be read from it."),
        (media.wav(0.0), "wav", "The file is damaged or empty: no sound could be read from it."),
    ],
)
def test_what_is_no_media_is_refused_with_its_reason(data: bytes, format: str, message: str) -> None:
    assert said(data, format)[-1][0] == {"t": "refused", "message": message}


def test_what_is_too_long_is_refused_while_it_is_decoded() -> None:
    frames = said(media.wav(3.0), "wav", most_ms=1000)
    assert frames[-1][0] == {"t": "refused", "message": "The file is longer than 0 hours."}


@pytest.mark.parametrize(
    ("what", "url", "options"),
    [
        (
            {"protocol": "rtmp", "user": "", "path": "/live/radio?key=1", "server": "rtmp://radio.example:1935"},
            "rtmp://127.0.0.1:7/live/radio?key=1",
            {"protocol_whitelist": "rtmp,tcp", "rtmp_tcurl": "rtmp://radio.example:1935/live"},
        ),
        (
            {"protocol": "rtsp", "user": "me:secret@", "path": "/cam", "server": "rtsp://cam.example"},
            "rtsp://me:secret@127.0.0.1:7/cam",
            {"protocol_whitelist": "rtsp,rtp,tcp", "rtsp_transport": "tcp"},
        ),
    ],
)
def test_a_source_is_asked_for_by_its_own_name_through_the_relay(
    what: dict[str, Any], url: str, options: dict[str, str]
) -> None:
    tuned = tuner_child.Tuned(io.BytesIO(), what, 7)
    assert tuned._readable(io.BytesIO()) == url
    assert options.items() <= tuned._options().items()


def test_the_tuner_listens_where_only_this_machine_comes() -> None:
    with tuner_child._listen() as listening:
        host, port = listening.getsockname()
    assert host == "127.0.0.1"
    assert port > 0
