"""Whisper inside a worker: utterances found by energy, read whole, with word times and confidence.

Every call costs about the same up to 30 s of audio (the encoder reads windows of that length), so finals come by
utterance and partials as rarely as the machine needs.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memweb.engines.protocol import RATE, Line, Spoken, Want, to_ms
from memweb.speech.endpoint import Endpointer, Rules, Utterance
from memweb.speech.events import SpeechBegan

Samples = npt.NDArray[np.float32]

RULES = Rules(hangover_ms=500, max_ms=15_000)
FIRST_WORDS_S = 1.0
"""Less speech than this makes partials of guesses."""
SURE = 0.5
"""A language detected with less probability is asked again at the next utterance."""
FIRST_GUESS_S = 2.5
"""... and with less speech than this it is not asked for a partial at all: a wrong one brings nonsense."""
TOKENS_A_SECOND = 25
"""More than any language needs; bounds what a decoder caught in a loop can cost."""
LAST_BYTES = 2 * RATE // 5
"""200 ms of PCM."""
REPEATING = 2.4
"""A compression ratio above this is a loop, by Whisper's own rule."""
_LOOKBACK = RATE


def load_model(folder: str, threads: int) -> Any:
    """Load a faster-whisper model from a folder: on CUDA where there is any, else on the CPU in int8."""
    import ctranslate2
    from faster_whisper import WhisperModel

    if ctranslate2.get_cuda_device_count() > 0:
        try:
            return WhisperModel(folder, device="cuda", compute_type="float16")
        except (RuntimeError, ValueError):
            pass  # a card without its libraries: the CPU can do it
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)


def speaks_only_english(model: Any) -> bool:
    """True for models such as tiny.en, which can be asked for no other language."""
    return not model.model.is_multilingual


def samples_of(pcm: bytes) -> Samples:
    """s16le PCM as float32 from -1 to 1."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def spoken(words: Any, offset_ms: int) -> list[Spoken]:
    """faster-whisper's words as ours, `offset_ms` later."""
    return [
        Spoken(
            word.word.strip(),
            offset_ms + round(1000 * word.start),
            offset_ms + round(1000 * word.end),
            round(word.probability, 3),
        )
        for word in words or ()
        if word.word.strip()
    ]


class Whisper:
    """A loaded model, shared by every ear."""

    intervals: tuple[float, ...] = (2.0, 4.0)

    def __init__(self, folder: str, threads: int) -> None:
        self.name = Path(folder).name
        self.model = load_model(folder, threads)
        self.read(np.zeros(RATE, np.float32), "en", words=False, vad=False)  # the first call is the slowest

    def open(self, language: str | None, base: int) -> WhisperEar:
        """Open an ear for a language, or None to let the first utterance decide."""
        if speaks_only_english(self.model):
            language = "en"
        return WhisperEar(self, language.split("-")[0].lower() if language else None, base)

    def read(
        self, samples: Samples, language: str | None, *, words: bool, vad: bool = True
    ) -> tuple[list[Any], str, float]:
        """Return the segments, the language and its probability; nothing where no voice is found."""
        from faster_whisper.vad import get_speech_timestamps

        if vad and not get_speech_timestamps(samples):
            return [], language or "", 0.0  # else a whole encoding would be spent on asking noise for its language
        found, info = self.model.transcribe(
            samples,
            language=language,
            beam_size=1,
            temperature=(0.0, 0.4) if words else 0.0,
            vad_filter=vad,
            max_new_tokens=20 + TOKENS_A_SECOND * len(samples) // RATE if len(samples) < 15 * RATE else None,
            condition_on_previous_text=False,
            word_timestamps=words,
            without_timestamps=not words,
        )
        return list(found), info.language, info.language_probability


class WhisperEar:
    """One stream: an endpointer, and the utterances that wait for their turn."""

    def __init__(self, engine: Whisper, language: str | None, base: int) -> None:
        self._engine = engine
        self._language = language
        self._points = Endpointer(RULES, start_ms=0)
        self._base = base
        self._waiting: deque[Utterance] = deque()
        self._began = base  # where the open utterance starts
        self._looked = base  # up to where the last partial went
        self._pausing = False  # no voice just now: the utterance may be about to end
        self.heard = self.thought = self.settled = base

    def hear(self, pcm: bytes) -> list[int]:
        """Take s16le PCM; return the ms at which voices began."""
        self.heard += len(pcm) // 2
        began: list[int] = []
        for event in self._points.feed(pcm):
            if isinstance(event, SpeechBegan):
                began.append(to_ms(self._base) + event.at_ms)
                self._began = self._looked = self._at(event.at_ms)
            else:
                self._waiting.append(event)
                self._began = self._looked = self._at(event.end_ms)
        level = np.sqrt(np.mean(np.square(samples_of(pcm[-LAST_BYTES:])))) if pcm else 0.0
        self._pausing = 20 * np.log10(max(float(level), 1e-6)) < self._points.noise_db + RULES.above_floor_db
        self._mark()
        return began

    def want(self, interval_s: float) -> Want:
        """FINAL while an utterance waits, PARTIAL when the open one has grown by the interval."""
        if self._waiting:
            return Want.FINAL
        grown = self.heard - self._looked >= interval_s * RATE
        long_enough = self.heard - self._began >= (FIRST_WORDS_S if self._language else FIRST_GUESS_S) * RATE
        worth = self._points.speaking and not self._pausing and grown and long_enough
        return Want.PARTIAL if worth else Want.NOTHING

    def speak(self) -> list[Line]:
        """Read the oldest utterance that waits, else the open one as far as it goes."""
        if self._waiting:
            lines = self._read(self._waiting.popleft())
            self._mark()
            return lines
        pending = self._points.pending
        if pending is None:
            return []
        self._looked = self.heard
        self._mark()
        return self._guess(pending)

    def commit(self) -> list[Line]:
        """Read everything that was heard and start anew."""
        self._waiting.extend(self._points.flush())
        lines = [line for utterance in self._waiting for line in self._read(utterance)]
        self._waiting.clear()
        self._points = Endpointer(RULES, start_ms=0)
        self._base = self._began = self._looked = self.heard
        self._mark()
        return lines

    def close(self) -> None:
        """Nothing to free: the model is the engine's."""

    def _at(self, ms: int) -> int:
        return self._base + ms * RATE // 1000

    def _mark(self) -> None:
        """Work out what is thought and what is settled."""
        if self._waiting:
            first = self._at(self._waiting[0].start_ms)
            self.thought, self.settled = first, max(self.settled, first)
        elif self._points.speaking:
            self.thought = max(self._looked, self._began)
            self.settled = max(self.settled, self._began - RULES.margin_ms * RATE // 1000)
        else:
            self.thought, self.settled = self.heard, max(self.settled, self.heard - _LOOKBACK)

    def _read(self, utterance: Utterance) -> list[Line]:
        samples = samples_of(utterance.pcm)
        segments, language, sure = self._engine.read(samples, self._language, words=True)
        text = _joined(segments)
        if not text:
            return []
        if self._language is None and sure >= SURE:
            self._language = language
        offset = to_ms(self._base) + utterance.start_ms
        words = [word for segment in segments for word in spoken(segment.words, offset)]
        start = words[0].start_ms if words else offset
        end = words[-1].end_ms if words else to_ms(self._base) + utterance.end_ms
        return [Line(text, start, end, True, words, language, self._at(utterance.end_ms))]

    def _guess(self, utterance: Utterance) -> list[Line]:
        segments, language, sure = self._engine.read(samples_of(utterance.pcm), self._language, words=False)
        if sure < SURE or any(segment.compression_ratio > REPEATING for segment in segments):
            return []
        offset = to_ms(self._base)
        text = _joined(segments)
        return [Line(text, offset + utterance.start_ms, offset + utterance.end_ms, False, [], language)] if text else []


def _joined(segments: list[Any]) -> str:
    return re.sub(r"\s+", " ", "".join(segment.text for segment in segments)).strip()
