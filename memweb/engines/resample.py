"""Streamed PCM from any usual rate to the 16 kHz the engines want.

A polyphase windowed-sinc filter (Kaiser), since the engines' own resampler was measured to invent words. Everything
at or above half the lower rate is at least 80 dB down; the pass band is flat up to 0.44 of the lower rate.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
"""What is tested. Any other rate between the first and the last works too."""

_STOP_BAND_DB = 90.0  # designed for a little more than the 80 promised
_TRANSITION = 0.06  # its width, as a fraction of the lower rate
_BLOCK = 4096  # outputs made at a time: bounds the memory of one huge feed

Samples = NDArray[np.float64]


@lru_cache(maxsize=16)
def _bank(up: int, down: int) -> Samples:
    """One row of taps per phase: shape (up, taps). Each row sums to 1, so that a constant stays one."""
    lower = min(1.0, up / down)  # the lower of the two rates, in input rates
    width = _TRANSITION * lower
    half = ceil((_STOP_BAND_DB - 7.95) / (14.36 * width) / 2) + 1
    beta = 0.1102 * (_STOP_BAND_DB - 8.7)
    cutoff = lower - width  # twice the middle of the transition, which ends at half the lower rate
    offsets = np.arange(-half + 1, half + 1) - np.arange(up)[:, None] / up
    inside = np.clip(1 - (offsets / half) ** 2, 0, None)
    taps = cutoff * np.sinc(cutoff * offsets) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    bank: Samples = taps / taps.sum(axis=1, keepdims=True)
    return bank


class Resampler:
    """One stream. Feed s16le mono in pieces of any length, torn samples included; what comes back joins without a seam.

    After `flush` the output holds exactly floor(n * rate_out / rate_in) samples for n samples fed, in place: nothing
    is shifted by the filter. Then it begins anew.
    """

    def __init__(self, rate_in: int, rate_out: int = RATE) -> None:
        """Raises ValueError for a rate outside 8 to 96 kHz."""
        for rate in (rate_in, rate_out):
            if not RATES[0] <= rate <= RATES[-1]:
                raise ValueError(f"A sample rate of {rate} Hz is not supported; use 8000 to 96000.")
        divisor = gcd(rate_in, rate_out)
        self._up, self._down = rate_out // divisor, rate_in // divisor
        self._bank = _bank(self._up, self._down)
        self._half: int = self._bank.shape[1] // 2
        self._begin()

    def _begin(self) -> None:
        self._torn = b""
        self._taken = 0  # input samples so far
        self._made = 0  # output samples so far
        self._window = np.zeros(self._half - 1)  # input still needed; its first sample is number _first
        self._first = 1 - self._half

    def feed(self, pcm: bytes) -> bytes:
        data = self._torn + pcm
        whole = len(data) // 2 * 2
        self._torn = data[whole:]
        if self._up == self._down:
            return data[:whole]
        fresh = np.frombuffer(data[:whole], dtype="<i2").astype(np.float64)
        self._taken += len(fresh)
        return self._extend(fresh, self._ready())

    def flush(self) -> bytes:
        """The rest: what the filter still held back. A torn last sample is dropped."""
        rest = b"" if self._up == self._down else self._extend(np.zeros(self._half), self._owed())
        self._begin()
        return rest

    def _ready(self) -> int:
        """How many outputs in all have every input they lean on: output m leans on inputs up to m*down//up + half."""
        return max(self._made, ((self._taken - self._half) * self._up - 1) // self._down + 1)

    def _owed(self) -> int:
        return self._taken * self._up // self._down

    def _extend(self, fresh: Samples, until: int) -> bytes:
        self._window = np.concatenate((self._window, fresh))
        parts = []
        while self._made < until:
            stop = min(until, self._made + _BLOCK)
            parts.append(self._outputs(self._made, stop))
            self._made = stop
        self._forget()
        return b"".join(parts)

    def _outputs(self, start: int, stop: int) -> bytes:
        places = np.arange(start, stop, dtype=np.int64) * self._down
        inputs, phases = np.divmod(places, self._up)
        runs = np.lib.stride_tricks.sliding_window_view(self._window, 2 * self._half)
        rows = runs[inputs - (self._half - 1) - self._first]
        values = np.einsum("ij,ij->i", rows, self._bank[phases])
        made: bytes = np.clip(np.rint(values), -32768, 32767).astype("<i2").tobytes()
        return made

    def _forget(self) -> None:
        """Keep only the input that the next output leans on."""
        unneeded = self._made * self._down // self._up - (self._half - 1) - self._first
        if unneeded > 0:
            self._window = self._window[unneeded:].copy()
            self._first += unneeded
