"""Arithmetic of raw audio: s16le, that is signed 16-bit little-endian samples. 16 kHz mono unless said otherwise.

Lengths are counted in samples of one channel, bytes, or integer milliseconds, and conversions round down, so that a
length made from bytes never claims audio that is not there. Levels are fractions of full scale, 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from struct import pack, unpack

RATE = 16_000
SAMPLE_BYTES = 2
FULL_SCALE = 32768
QUIETEST_DB = -96.0
"""What digital silence is called: below the step of one bit."""


def ms_of_samples(samples: int, rate: int = RATE) -> int:
    return samples * 1000 // rate


def samples_of_ms(ms: int, rate: int = RATE) -> int:
    return ms * rate // 1000


def ms_of_bytes(count: int, rate: int = RATE, channels: int = 1) -> int:
    return ms_of_samples(count // (SAMPLE_BYTES * channels), rate)


def bytes_of_ms(ms: int, rate: int = RATE, channels: int = 1) -> int:
    """A whole number of samples of every channel."""
    return samples_of_ms(ms, rate) * SAMPLE_BYTES * channels


def silence(ms: int, rate: int = RATE) -> bytes:
    return bytes(bytes_of_ms(ms, rate))


def samples(pcm: bytes | bytearray | memoryview) -> tuple[int, ...]:
    """The samples as integers, -32768 to 32767, on a machine of either byte order. A trailing odd byte is ignored."""
    count = len(pcm) // SAMPLE_BYTES
    return unpack(f"<{count}h", memoryview(pcm)[: count * SAMPLE_BYTES])


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a stretch is, as fractions of full scale. A constant offset of the microphone counts for nothing in
    `rms`, and for all it is in `peak`, since it brings clipping nearer."""

    rms: float
    peak: float

    @property
    def db(self) -> float:
        return decibels(self.rms)


def level(pcm: bytes | bytearray | memoryview) -> Level:
    values = samples(pcm)
    if not values:
        return Level(0.0, 0.0)
    count = len(values)
    mean = sum(values) / count
    power = sum(map(mul, values, values)) / count - mean * mean
    peak = max(max(values), -min(values))
    return Level(math.sqrt(max(0.0, power)) / FULL_SCALE, peak / FULL_SCALE)


def decibels(fraction: float) -> float:
    """Full scale is 0 dBFS; nothing is below QUIETEST_DB."""
    return max(QUIETEST_DB, 20 * math.log10(fraction)) if fraction > 0 else QUIETEST_DB


def mono(pcm: bytes, channels: int) -> bytes:
    """Interleaved channels mixed into one: their mean, which cannot clip. A torn last frame is left out."""
    if channels == 1:
        return pcm
    frame = SAMPLE_BYTES * channels
    values = samples(pcm[: len(pcm) // frame * frame])
    tracks = [values[channel::channels] for channel in range(channels)]
    mixed = [sum(column) // channels for column in zip(*tracks, strict=True)]
    return pack(f"<{len(mixed)}h", *mixed)


def _mu_law_table() -> tuple[bytes, bytes]:
    """Low and high byte of each of the 256 codes (ITU-T G.711): 8 segments of 16 steps, bits inverted on the wire."""
    low, high = bytearray(256), bytearray(256)
    for code in range(256):
        bits = ~code & 0xFF
        magnitude = (((bits & 0x0F) << 3) + 0x84 << (bits >> 4 & 7)) - 0x84
        low[code], high[code] = (-magnitude if bits & 0x80 else magnitude).to_bytes(2, "little", signed=True)
    return bytes(low), bytes(high)


_MU_LAW_LOW, _MU_LAW_HIGH = _mu_law_table()


def decode_mu_law(data: bytes) -> bytes:
    """G.711 mu-law, one byte a sample, to s16le at the same rate."""
    pcm = bytearray(SAMPLE_BYTES * len(data))
    pcm[0::2] = data.translate(_MU_LAW_LOW)
    pcm[1::2] = data.translate(_MU_LAW_HIGH)
    return bytes(pcm)


class Framer:
    """Cuts bytes, arriving in any pieces, into frames of one size. A sample torn between two pieces is mended."""

    def __init__(self, frame_bytes: int) -> None:
        if frame_bytes <= 0:
            raise ValueError("A frame needs at least one byte.")
        self._size = frame_bytes
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        whole = len(self._held) // self._size * self._size
        taken = bytes(self._held[:whole])
        del self._held[:whole]
        return [taken[at : at + self._size] for at in range(0, whole, self._size)]

    def flush(self) -> bytes:
        """What is left, shorter than a frame and perhaps empty; without the torn half of a sample."""
        rest = bytes(self._held[: len(self._held) // SAMPLE_BYTES * SAMPLE_BYTES])
        self._held.clear()
        return rest
