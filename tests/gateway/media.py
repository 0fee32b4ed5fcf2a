"""Real media made for tests: the same speech in every format of the contract, and media that means harm."""

from __future__ import annotations

import io
import struct
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48_000
# name: (muxer, audio codec, with a picture)
FORMATS: dict[str, tuple[str, str, bool]] = {
    "wav": ("wav", "pcm_s16le", False),
    "mp3": ("mp3", "libmp3lame", False),
    "flac": ("flac", "flac", False),
    "ogg": ("ogg", "libopus", False),
    "aac": ("adts", "aac", False),
    "m4a": ("ipod", "aac", False),
    "aiff": ("aiff", "pcm_s16be", False),
    "mp4": ("mp4", "aac", True),
    "mov": ("mov", "aac", True),
    "webm": ("webm", "libopus", True),
    "mkv": ("matroska", "ac3", True),
    "avi": ("avi", "libmp3lame", True),
    "flv": ("flv", "aac", True),
    "mpeg": ("mpeg", "mp2", True),
    "ts": ("mpegts", "aac", True),
    "wmv": ("asf", "wmav2", True),
}
_PICTURES = {"webm": "libvpx", "mpeg": "mpeg2video", "avi": "mpeg4", "flv": "flv1", "wmv": "wmv2"}


def tone(seconds: float, rate: int = RATE, channels: int = 1) -> np.ndarray[Any, Any]:
    """s16 samples, a channel a row; each channel has a tone of its own."""
    at = np.arange(int(seconds * rate)) / rate
    return np.stack([(8000 * np.sin(2 * np.pi * (440 + 330 * n) * at)).astype(np.int16) for n in range(channels)])


def made(path: Path, samples: np.ndarray[Any, Any], *, rate: int = RATE) -> Path:
    """The samples in a file of the format that its ending names."""
    muxer, codec, picture = FORMATS[path.suffix[1:]]
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w", format=muxer) as container:
        pictures: Any = container.add_stream(_PICTURES.get(path.suffix[1:], "mpeg4"), rate=25) if picture else None
        track: Any = container.add_stream(codec, rate=rate, layout=layout)
        track.codec_context.bit_rate = 128_000
        if picture:
            _show(container, pictures, samples.shape[1] / rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T.reshape(1, -1)), format="s16", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        _encode(container, track, frame, rate, layout)
    return path


def _encode(container: Any, track: Any, frame: Any, rate: int, layout: str) -> None:
    resampler: Any = av.AudioResampler(format=track.codec_context.format, layout=layout, rate=rate)
    fifo = av.AudioFifo()
    for converted in (*resampler.resample(frame), *resampler.resample(None)):
        fifo.write(converted)
    if not track.codec_context.is_open:
        track.codec_context.open()
    size = track.codec_context.frame_size or 1024
    while fifo.samples:
        container.mux(track.encode(fifo.read(size, partial=True)))
    container.mux(track.encode(None))


def _show(container: Any, stream: Any, seconds: float) -> None:
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    for number in range(int(seconds * 25)):
        frame: Any = av.VideoFrame(32, 32, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def wav(seconds: float = 1.0, rate: int = 16_000, channels: int = 1) -> bytes:
    """A WAV file of tones."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writing:
        writing.setnchannels(channels)
        writing.setsampwidth(2)
        writing.setframerate(rate)
        writing.writeframes(tone(seconds, rate, channels).T.tobytes())
    return file.getvalue()


def lying_wav() -> bytes:
    """A head that promises four gigabytes, and a second of sound."""
    body = wav()
    return body[:4] + struct.pack("<I", 0xFFFFFFFF) + body[8:40] + struct.pack("<I", 0xFFFFFFF0) + body[44:]


def bomb(path: Path, minutes: int) -> Path:
    """Silence in a few bytes for each second: small on the disk, endless when decoded."""
    with av.open(str(path), "w", format="flac") as container:
        track: Any = container.add_stream("flac", rate=8000, layout="mono")
        track.codec_context.open()
        size = track.codec_context.frame_size
        frame: Any = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for number in range(minutes * 60 * 8000 // size):
            frame.pts = number * size
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path


def hostile(canary: str, secret: Path) -> dict[str, bytes]:
    """Files that name others, say more than they have, or are nothing: by what they are."""
    sound = wav()
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    return {
        "nothing": b"",
        "zeroes": bytes(100_000),
        "noise": np.random.default_rng(7).bytes(100_000),
        "text": b"It was the best of times, it was the worst of times.\n" * 50,
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(500),
        "an archive": b"PK\x03\x04" + bytes(500),
        "a program": b"\x7fELF\x02\x01\x01" + bytes(500),
        "a playlist of a file": playlist.format(secret.as_uri()).encode(),
        "a playlist of a path": playlist.format(secret).encode(),
        "a playlist of an address": playlist.format(canary).encode(),
        "a playlist of itself": playlist.format("upload.m3u8").encode(),
        "a playlist after a mark": b"\xef\xbb\xbf\n" + playlist.format(secret).encode(),
        "a concat script": f"ffconcat version 1.0\nfile {secret}\n".encode(),
        "a session description": f"v=0\no=- 0 0 IN IP4 0.0.0.0\nm=audio 5004 RTP/AVP 0\na=control:{canary}\n".encode(),
        "a smil file": f'<smil><body><audio src="{canary}"/></body></smil>'.encode(),
        "a head alone": sound[:44],
        "half a head": sound[:20],
        "an mp4 head alone": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
        "an ogg head alone": b"OggS" + bytes(200),
        "a matroska head alone": b"\x1a\x45\xdf\xa3" + bytes(200),
        "an mp4 with a huge box": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x7f\xff\xff\xffmoov" + bytes(64),
        "nested mp4 boxes": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00\x10\x00\x00moov" * 5000,
        "an endless id3 tag": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(2000),
    }
