"""Files as people have them, made here: every kind that is read, and every kind of trouble."""

from __future__ import annotations

import wave
import zipfile
from pathlib import Path

import av
import numpy as np

RATE = 48_000
KINDS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "mp3"),
    "m4a": ("ipod", "aac"),
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "opus": ("opus", "libopus"),
    "webm": ("webm", "libopus"),
    "mkv": ("matroska", "aac"),
    "mov": ("mov", "aac"),
    "mp4": ("mp4", "aac"),
    "avi": ("avi", "mp3"),
    "wma": ("asf", "wmav2"),
    "flv": ("flv", "aac"),
    "aiff": ("aiff", "pcm_s16be"),
    "ts": ("mpegts", "aac"),
    "mpg": ("mpeg", "mp2"),
    "caf": ("caf", "pcm_s16be"),
    "au": ("au", "pcm_s16be"),
    "mts": ("mpegts", "ac3"),
    "wv": ("wv", "wavpack"),
    "w64": ("w64", "pcm_s16le"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
}
OPTIONS = {"mts": {"mpegts_m2ts_mode": "1"}}
VIDEO = {"mp4": "mpeg4", "mov": "mpeg4", "mkv": "mpeg4", "webm": "libvpx-vp9", "avi": "mpeg4", "mpg": "mpeg2video"}


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    """A voice-like hum, mono int16."""
    t = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * 220 * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.int16)


def load(source: Path, rate: int = RATE) -> np.ndarray:
    """A recording as mono int16."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(source)) as container:
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts)


def make(path: Path, sound: np.ndarray, kind: str = "", *, rate: int = RATE, picture: bool = False) -> Path:
    """A file of this kind (else of its name's); with moving pictures where asked for."""
    container_format, codec = KINDS[kind or path.suffix.removeprefix(".")]
    options = OPTIONS.get(kind or path.suffix.removeprefix("."), {})
    with av.open(str(path), "w", format=container_format, options=options) as container:
        video = container.add_stream(VIDEO[kind or path.suffix[1:]], rate=25) if picture else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        stream = container.add_stream(codec, rate=rate, layout="mono")
        if codec == "wmav2":
            stream.bit_rate = 64_000
        if video is not None:
            for _ in range(25):
                container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
            container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=stream.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def archive(path: Path) -> Path:
    """A zip under another name."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "text")
    return path


def silence(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(int(seconds * 32_000)))
    return path
