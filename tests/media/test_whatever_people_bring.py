"""A file becomes PCM, or a sentence: every kind, every trouble, and nothing else on the machine is read."""

from __future__ import annotations

import io
import os
import signal
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil
import pytest

from memweb.engines import wire
from memweb.media import decode, decoder, kinds
from memweb.media.errors import Died, NotMedia, Stuck
from tests import media_files
from tests.media_files import KINDS, VIDEO

NOT_A_RECORDING = f"This is no recording. memweb reads {kinds.NAMES}."
A_LIST = "The file is a playlist or a description, which names media elsewhere. Bring the media itself."
UNREADABLE = "The file is damaged: no sound could be read from it."


def read(path: Path) -> tuple[bytes, decode.Media]:
    with decode.recording(path) as media:
        return b"".join(media.pieces()), media


def said(file: BinaryIO, demuxer: str, **what: Any) -> list[wire.Frame]:
    """What the child says, here in this process."""
    out = io.BytesIO()
    told = {"stream": False, "piece": decode.LARGE_PIECE, "most_ms": decode.LONGEST_MS, "format": demuxer, **what}
    decoder.Decoder(out, told).run(file)
    out.seek(0)
    return list(iter(lambda: wire.read(out) or (), ()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_whatever_its_name(tmp_path: Path, kind: str) -> None:
    path = media_files.make(tmp_path / f"a.{kind}", media_files.tone(2), picture=kind in VIDEO)
    path = path.rename(tmp_path / "invoice.pdf")
    pcm, media = read(path)
    assert abs(len(pcm) / 32_000 - 2) < 0.15
    assert np.sqrt(np.mean(np.frombuffer(pcm, np.int16).astype(float) ** 2)) > 1000
    assert not media.cut


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac"])
def test_what_the_child_says_of_a_file(tmp_path: Path, kind: str) -> None:
    path = media_files.make(tmp_path / f"a.{kind}", media_files.tone(12))
    with path.open("rb") as file:
        frames = said(file, kind)
    assert frames[0][0]["t"] == "info"
    assert (frames[0][0]["channels"], frames[0][0]["rate"]) == (1, media_files.RATE)
    sound = b"".join(body for _, body in frames)
    assert frames[-1][0] == {"t": "end", "ms": len(sound) // 32, "damaged": False, "whole": True}
    assert abs(len(sound) / 32_000 - 12) < 0.15
    assert len(frames) == 4, "ten seconds a piece"


@pytest.mark.parametrize("data", [b"nothing", b"RIFF" + bytes(80)])
def test_what_the_child_says_of_what_is_no_file(data: bytes) -> None:
    assert said(io.BytesIO(data), "wav") == [({"t": "refused", "message": UNREADABLE}, b"")]


def test_a_recording_that_changes_on_its_way_goes_on(tmp_path: Path) -> None:
    """Two recordings joined, of 44.1 and of 48 kHz: what stands between them is passed over."""
    one = media_files.make(tmp_path / "a.mp3", media_files.tone(3, rate=44_100), rate=44_100)
    other = media_files.make(tmp_path / "b.mp3", media_files.tone(3))
    both = tmp_path / "both.mp3"
    both.write_bytes(one.read_bytes() + other.read_bytes())
    pcm, media = read(both)
    assert abs(len(pcm) / 32_000 - 6) < 0.3
    assert not media.cut


PLAYLIST = "#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
CONCAT = "ffconcat version 1.0\nfile '/etc/passwd'\n"
STRANGE = {
    "nothing": (b"", "The file is empty."),
    "a playlist": (PLAYLIST.encode(), A_LIST),
    "a list of files": (CONCAT.encode(), A_LIST),
    "a session description": (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", A_LIST),
    "a manifest": (b"<?xml version='1.0'?><MPD/>", A_LIST),
    "a page": (b"<!doctype html><p>Hello", NOT_A_RECORDING),
    "a program": (b"\x7fELF" + bytes(200), NOT_A_RECORDING),
    "notes, not sound": (b"MThd" + bytes(200), NOT_A_RECORDING),
    "zeros": (bytes(100_000), NOT_A_RECORDING),
    "a picture": (b"\xff\xd8\xff\xe0" + bytes(200), None),
    "a head alone": (b"RIFF\x24\x00\x00\x00WAVE", None),
    "no channels": (
        b"RIFF" + struct.pack("<I", 100) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 0, 16000, 0, 0, 16)
        + b"data" + struct.pack("<I", 64) + bytes(64), None,
    ),
    "a film cut before its index": (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(5000), None),
    "text in UTF-16": ("\ufeffMinutes of the meeting".encode("utf-16-le") * 99, NOT_A_RECORDING),
    "noise in an MP3's clothes": (b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\x55" * 9000, None),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_recording_is_refused_in_words(tmp_path: Path, name: str) -> None:
    content, sentence = STRANGE[name]
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(NotMedia) as refused:
        read(path)
    assert str(refused.value) == (sentence or str(refused.value))
    assert str(refused.value).endswith(".")


def test_an_archive_under_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotMedia, match="no recording"):
        read(media_files.archive(tmp_path / "a.mp3"))


def test_a_film_without_sound_is_told_as_such(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(NotMedia, match="no sound"):
        read(path)


@pytest.mark.parametrize("kind", ["wav", "mp4", "flac"])
def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    path = media_files.make(tmp_path / f"a.{kind}", media_files.tone(8))
    content = path.read_bytes()
    if kind == "mp4":  # its index is at the end: with it the front, as streamed files have it
        path = media_files.make(tmp_path / "a.mkv", media_files.tone(8))
        content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    pcm, media = read(path)
    assert 3 < len(pcm) / 32_000 < 6
    assert media.cut


def test_a_list_of_files_is_opened_by_no_demuxer_that_is_forced(tmp_path: Path) -> None:
    """Even where the demuxer of playlists is forced, no protocol is allowed that could reach what they name."""
    secret = media_files.make(tmp_path / "secret.wav", media_files.tone(1))
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    assert said(io.BytesIO(listed), "hls") == [({"t": "refused", "message": UNREADABLE}, b"")]


def test_a_decoder_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media_files.make(tmp_path / "a.wav", media_files.tone(1))
    monkeypatch.setattr(decode, "SILENT_S", 0.0)
    media = decode.recording(path)
    with pytest.raises(Stuck):
        media.__enter__()
    assert not psutil.pid_exists(media._child.pid)


@pytest.mark.parametrize("lenient", [True, False])
def test_a_decoder_that_dies_on_the_way_leaves_what_it_gave(tmp_path: Path, lenient: bool) -> None:
    path = media_files.make(tmp_path / "a.wav", media_files.tone(600))
    with decode.Media(path, lenient=lenient) as media:
        pieces = media.pieces()
        next(pieces)
        os.kill(media._child.pid, signal.SIGKILL)
        if not lenient:
            with pytest.raises(Died):
                list(pieces)
            return
        list(pieces)
        assert media.cut


def test_a_decoder_that_dies_at_once_is_told(tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "a.wav", media_files.tone(600))
    with decode.recording(path) as media:
        os.kill(media._child.pid, signal.SIGKILL)
        media._reading.read()
        with pytest.raises(Died, match="could not be decoded"):
            list(media.pieces())


def test_a_recording_longer_than_a_day_is_refused(tmp_path: Path) -> None:
    path = media_files.make(tmp_path / "a.wav", media_files.tone(3))
    with path.open("rb") as file:
        assert "longer than" in said(file, "wav", most_ms=500)[-1][0]["message"]


def test_the_names_told_are_those_read() -> None:
    for kind in ("WAV", "MP3", "WebM", "MPEG"):
        assert kind in kinds.NAMES
