"""Moonshine tiny-en inside a worker: voice activity on every block, decoding only when a turn is given.

Two native transcribers share the work. `vad` skips transcription: it costs about 8 ms per second of audio and tells
when a line opens and closes. `decoder` gets the audio in one call when words are wanted, because each of its updates
decodes the whole open line again. Samples go in through numpy's pointer and no audio comes back.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memweb.engines.protocol import RATE, Line, Want, spread, to_ms

Samples = npt.NDArray[np.float32]

FIRST_WORDS_S = 0.5
"""A line shorter than this gives words that the next update takes back."""
MOST_AT_ONCE = 10 * RATE
"""Samples decoded in one turn: a backlog of one stream must not hold up the others for long."""
LOOKBACK = RATE
"""The voice detector may date a line's start back by less than this."""
TAIL = 2 * RATE // 5
"""A forced cut can leave a line that goes over the end of the one before and adds less than this: an echo of its last
sound ("Yes."). Real lines that reach back like this add 0.7 s and more."""
QUIET_FEED = 2 * RATE
RENEW_AFTER = 600 * RATE
"""A native stream keeps every line it ever had; a fresh one is taken in the first silence after this many samples."""


class NativeLine(NamedTuple):
    start: int
    end: int
    complete: bool
    text: str


class Stream:
    """One native stream of a transcriber."""

    def __init__(self, transcriber: Any) -> None:
        self._owner = transcriber
        self._lib = transcriber._lib
        self._handle: int | None = self._check(self._lib.moonshine_create_stream(transcriber._handle, 0))
        self._check(self._lib.moonshine_start_stream(transcriber._handle, self._handle))

    def add(self, samples: Samples) -> None:
        pointer = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._check(
            self._lib.moonshine_transcribe_add_audio_to_stream(
                self._owner._handle, self._handle, pointer, len(samples), RATE, 0
            )
        )

    def lines(self, after: int) -> list[NativeLine]:
        """Update, and return the lines from index `after` on."""
        from moonshine_voice.moonshine_api import TranscriptC

        out = ctypes.POINTER(TranscriptC)()
        self.update(out)
        transcript = out.contents
        return [_line(transcript.lines[index]) for index in range(after, transcript.line_count)]

    def update(self, out: Any) -> None:
        """Bring the native transcript up to date and point `out` at it; it stays so until the next update."""
        self._check(self._lib.moonshine_transcribe_stream(self._owner._handle, self._handle, 0, ctypes.byref(out)))

    def stop(self) -> None:
        self._check(self._lib.moonshine_stop_stream(self._owner._handle, self._handle))

    def free(self) -> None:
        if self._handle is not None:
            self._lib.moonshine_free_stream(self._owner._handle, self._handle)
            self._handle = None

    def _check(self, code: int) -> int:
        from moonshine_voice.errors import check_error

        if code < 0:
            check_error(code)
        return code


def _line(line: Any) -> NativeLine:
    text = ctypes.string_at(line.text).decode("utf-8", "ignore") if line.text else ""
    start = round(line.start_time * RATE)
    return NativeLine(start, start + round(line.duration * RATE), bool(line.is_complete), text.strip())


class Moonshine:
    """The bundled English model, loaded. Shared by every ear: a second one brings no speed."""

    name = "moonshine-tiny-en"
    intervals: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __init__(self) -> None:
        from moonshine_voice import ModelArch, get_model_path
        from moonshine_voice.transcriber import Transcriber

        # The native default of 0.5 s between updates would blur when a line closes; the worker keeps the cadence.
        options = {"return_audio_data": "false", "transcription_interval": "0.03"}
        path = get_model_path("tiny-en")
        self.decoder = Transcriber(path, ModelArch.TINY, options=options)
        self.vad = Transcriber(path, ModelArch.TINY, options={**options, "skip_transcription": "true"})

    def open(self, language: str | None, base: int) -> MoonshineEar:
        """Open an ear. The language is English whatever is asked: the caller chooses the engine."""
        return MoonshineEar(self, base)


class MoonshineEar:
    """One stream: what the detector has seen, what the decoder has been given."""

    def __init__(self, engine: Moonshine, base: int) -> None:
        self._engine = engine
        self.heard = self.thought = self.settled = base
        self._ended = base  # where the last line closed
        self._renew(base)

    def _renew(self, base: int) -> None:
        self._base = base
        self._vad = Stream(self._engine.vad)
        self._decoder = Stream(self._engine.decoder)
        self._pending: list[Samples] = []
        self._fed = base
        self._seen = 0  # lines the detector has closed
        self._said = 0  # lines the decoder has closed
        self._open: NativeLine | None = None  # the detector's open line
        self._closing = False  # the detector has closed a line the decoder has not
        self._partial = False  # the decoder has an open line

    def hear(self, pcm: bytes) -> list[int]:
        """Take s16le PCM; return the ms at which lines opened. Never decodes."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)
        self._pending.append(samples)
        self.heard += len(samples)
        self._vad.add(samples)
        began = self._watch()
        if self._idle():
            self._skip_quiet()
        return began

    def _watch(self) -> list[int]:
        lines = self._vad.lines(self._seen)
        fresh = lines[1:] if self._open else lines
        closed = sum(line.complete for line in lines)
        self._seen += closed
        self._closing = self._closing or closed > 0
        self._open = lines[-1] if lines and not lines[-1].complete else None
        return [to_ms(self._base + line.start) for line in fresh]

    def _idle(self) -> bool:
        return self._open is None and not self._closing and not self._partial

    def _skip_quiet(self) -> None:
        """Silence needs no turn: give it to the decoder when enough has gathered, or start afresh after long."""
        self.thought = self.heard
        if self.heard - self._base > RENEW_AFTER and self.heard - self.settled >= LOOKBACK:
            self._free()
            self._renew(self.heard)
            self.settled = self.heard
        elif self.heard - self._fed >= QUIET_FEED:
            self._feed(self.heard - self._fed)
            self._collect()

    def want(self, interval_s: float) -> Want:
        """FINAL when a line has closed, PARTIAL when the open one has grown by the interval."""
        if self._closing or (self._partial and self._open is None and self._fed < self.heard):
            return Want.FINAL
        if self._open is None:
            return Want.NOTHING
        start = self._base + self._open.start
        if self.heard - start < FIRST_WORDS_S * RATE:
            return Want.NOTHING
        return Want.PARTIAL if self.heard - max(self._fed, start) >= interval_s * RATE else Want.NOTHING

    def speak(self) -> list[Line]:
        """Decode what has gathered, at most `MOST_AT_ONCE`."""
        self._feed(MOST_AT_ONCE)
        self._closing = self._closing and self._fed < self.heard
        return self._collect()

    def commit(self) -> list[Line]:
        """Make all that was heard final and start a new stretch."""
        lines: list[Line] = []
        while self._fed < self.heard:
            self._feed(MOST_AT_ONCE)
            lines += [line for line in self._collect() if line.final]
        self._decoder.stop()
        lines += self._collect()
        self._free()
        self._renew(self.heard)
        self.settled = self.thought = self.heard
        return lines

    def close(self) -> None:
        """Free the native streams."""
        self._free()

    def _free(self) -> None:
        self._vad.free()
        self._decoder.free()

    def _feed(self, most: int) -> None:
        whole = np.concatenate(self._pending) if self._pending else np.empty(0, np.float32)
        part, rest = whole[:most], whole[most:]
        self._pending = [rest] if len(rest) else []
        if len(part):
            self._decoder.add(np.ascontiguousarray(part))
            self._fed += len(part)

    def _collect(self) -> list[Line]:
        native = self._decoder.lines(self._said)
        closed = [line for line in native if line.complete]
        still = native[-1] if native and not native[-1].complete else None
        self._said += len(closed)
        self._partial = still is not None
        self.thought = self._fed
        ends = [self.settled, *(self._base + line.end for line in closed)]
        self.settled = max(*ends, self._base + still.start if still else self._fed - LOOKBACK)
        lines = [self._placed(line) for line in closed]
        return [*lines, self._placed(still)] if still else lines

    def _placed(self, line: NativeLine) -> Line:
        """A line in the stream's own time, beginning no earlier than the last one ended."""
        first, last = self._base + line.start, self._base + line.end
        text = "" if first < self._ended and last - self._ended < TAIL else line.text
        start, end = to_ms(max(first, self._ended)), to_ms(max(last, self._ended))
        if line.complete:
            self._ended = max(last, self._ended)
        words = spread(text, start, end) if line.complete else []
        return Line(text, start, end, line.complete, words, "en", last)
