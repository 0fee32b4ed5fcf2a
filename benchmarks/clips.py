"""Real speech to measure with: a folder with manifest.json (file, reference, language) and the recordings it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SECOND = 32_000
"""Bytes of a second of 16 kHz s16le mono."""


@dataclass(frozen=True)
class Clip:
    """One recording: 16 kHz s16le mono, and what is said in it ("" where nothing is)."""

    name: str
    pcm: bytes
    reference: str
    language: str

    @property
    def seconds(self) -> float:
        return len(self.pcm) / SECOND


def read(path: Path) -> bytes:
    """Any recording as 16 kHz s16le mono."""
    import av

    resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    made = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            made += resampler.resample(frame)
    made += resampler.resample(None)
    return b"".join(part.to_ndarray().astype("<i2").tobytes() for part in made)


def clips(folder: Path) -> list[Clip]:
    """Every clip of the folder's manifest."""
    entries = json.loads((folder / "manifest.json").read_text())
    return [
        Clip(each["file"], read(folder / each["file"]), each["reference"], each["language"] or "") for each in entries
    ]


def voice_bounds(pcm: bytes) -> tuple[float, float]:
    """Seconds of the first and the end of the last 20 ms within 35 dB of the clip's loudest."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    level = 10 * np.log10(np.square(blocks).mean(axis=1) + 1)
    loud = np.flatnonzero(level > level.max() - 35)
    return float(loud[0] * 0.02), float((loud[-1] + 1) * 0.02)
