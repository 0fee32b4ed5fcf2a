"""Finding utterances by energy: PCM in, "speech began" and whole utterances out.

An engine that reads whole stretches (Whisper) is fed by utterance. What counts as a voice is a margin above the room's
own noise, learned from the quietest moments of the last seconds, so that a fan is not speech and a quiet speaker is.
When in doubt it errs towards hearing a voice: an engine can refuse noise, nobody can recover a word never heard.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from operator import mul

from memweb.speech import pcm
from memweb.speech.events import SpeechBegan

BLOCK_MS = 20
_SMOOTH_BLOCKS = 5  # 100 ms: what is called quiet must be quiet for this long
_FLOOR_SPAN_BLOCKS = 25  # the floor is the least of eight such half seconds
_FLOOR_SPANS = 8
_TRUST_FLOOR_BLOCKS = 50  # in the first second the floor may only fall: it may begin mid-word
_ONSET_BLOCKS = 10  # a voice must fill enough of this stretch
_STAYING_DB = 3.0  # a voice once heard may sink this far below the margin


@dataclass(frozen=True, slots=True)
class Rules:
    """What ends an utterance. Times are milliseconds, levels dBFS of the root mean square."""

    min_speech_ms: int = 120
    """Shorter sounds are clicks. Counted within 200 ms."""
    hangover_ms: int = 600
    """Silence that ends an utterance."""
    margin_ms: int = 300
    """Audio kept before the first and after the last sound of a voice: soft consonants live there."""
    max_ms: int = 20_000
    """A longer utterance is cut at the quietest moment of its last quarter."""
    above_floor_db: float = 7.0
    """How far above the noise of the room a voice is."""
    quietest_db: float = -60.0
    """What is never a voice, however quiet the room."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech between two silences. Utterances never overlap."""

    start_ms: int
    end_ms: int
    pcm: bytes
    """16 kHz s16le mono: all of it from `start_ms` to `end_ms`."""
    cut: bool = False
    """True where the speech goes on: too long, or asked for while someone spoke."""


class Endpointer:
    """One stream of 16 kHz s16le mono, fed in pieces of any length."""

    def __init__(self, rules: Rules | None = None, start_ms: int = 0) -> None:
        self._rules = rules or Rules()
        self._start_ms = start_ms
        self._framer = pcm.Framer(pcm.bytes_of_ms(BLOCK_MS))
        self._floor = _Floor(self._rules.quietest_db - self._rules.above_floor_db)
        self._need = max(1, self._rules.min_speech_ms // BLOCK_MS)
        self._pad = self._rules.margin_ms // BLOCK_MS
        self._speaking = False
        self._base = 0  # number of the first block kept
        self._audio = bytearray()  # the blocks kept, and per block what follows
        self._levels: list[float] = []
        self._voiced: list[bool] = []
        self._since_voice = 0  # blocks since the last voiced one, while speaking

    @property
    def speaking(self) -> bool:
        return self._speaking

    @property
    def noise_db(self) -> float:
        """The noise of the room as last measured, in dBFS."""
        return self._floor.db

    @property
    def pending(self) -> Utterance | None:
        """The utterance so far, for a partial; None while nobody speaks. A copy: ask only when it is to be used."""
        return self._utterance(len(self._levels), cut=True) if self._speaking else None

    def feed(self, data: bytes) -> list[SpeechBegan | Utterance]:
        heard: list[SpeechBegan | Utterance] = []
        for block in self._framer.feed(data):
            heard += self._block(block)
        return heard

    def commit(self) -> list[Utterance]:
        """Give what is in hand now, also if it is too short to have been called speech; then go on after it."""
        return self._close(cut=True)

    def flush(self) -> list[Utterance]:
        """No more audio comes: the last utterance, with what did not fill a block."""
        rest = self._framer.flush()
        ms = pcm.ms_of_bytes(len(rest))
        return [replace(last, end_ms=last.end_ms + ms, pcm=last.pcm + rest) for last in self._close(cut=False)]

    def _close(self, *, cut: bool) -> list[Utterance]:
        count = len(self._levels)
        worth = self._speaking or sum(self._voiced[-_ONSET_BLOCKS:]) * 2 >= self._need
        given = [self._utterance(count, cut=cut)] if worth else []
        self._drop(count)
        self._speaking = False
        return given

    def _block(self, block: bytes) -> list[SpeechBegan | Utterance]:
        power = _power(block)
        db = _db(power)
        self._floor.add(power)
        threshold = max(self._floor.db + self._rules.above_floor_db, self._rules.quietest_db)
        self._audio += block
        self._levels.append(db)
        self._voiced.append(db >= threshold - (_STAYING_DB if self._speaking else 0.0))
        return self._while_speaking() if self._speaking else self._while_quiet()

    def _while_quiet(self) -> list[SpeechBegan | Utterance]:
        recent = self._voiced[-_ONSET_BLOCKS:]
        if sum(recent) < self._need:
            self._drop(len(self._levels) - _ONSET_BLOCKS - self._pad)
            return []
        first = len(self._voiced) - len(recent) + recent.index(True)
        began = SpeechBegan(self._ms(first))
        self._drop(first - self._pad)
        self._speaking = True
        self._since_voice = 0
        return [began]

    def _while_speaking(self) -> list[SpeechBegan | Utterance]:
        self._since_voice = 0 if self._voiced[-1] else self._since_voice + 1
        count = len(self._levels)
        if self._since_voice * BLOCK_MS >= self._rules.hangover_ms:
            self._speaking = False
            return self._take(count - max(0, self._since_voice - self._pad), cut=False)
        if count * BLOCK_MS >= self._rules.max_ms:
            return self._take(self._quietest(), cut=True)
        return []

    def _take(self, blocks: int, *, cut: bool) -> list[SpeechBegan | Utterance]:
        """The first `blocks` as an utterance, unless a cut left nothing but silence in them."""
        heard = any(self._voiced[: max(0, blocks)])
        taken: list[SpeechBegan | Utterance] = [self._utterance(blocks, cut=cut)] if heard else []
        self._drop(blocks)
        return taken

    def _quietest(self) -> int:
        """Where to cut: the middle of the quietest 100 ms of the last quarter, the latest where several are."""
        count = len(self._levels)
        last = max(count - _SMOOTH_BLOCKS, count * 3 // 4)
        starts = range(last, count * 3 // 4 - 1, -1)
        quietest = min(starts, key=lambda at: sum(self._levels[at : at + _SMOOTH_BLOCKS]))
        return min(count, quietest + _SMOOTH_BLOCKS // 2)

    def _utterance(self, blocks: int, *, cut: bool) -> Utterance:
        audio = bytes(self._audio[: blocks * pcm.bytes_of_ms(BLOCK_MS)])
        return Utterance(self._ms(0), self._ms(blocks), audio, cut)

    def _drop(self, blocks: int) -> None:
        if blocks > 0:
            del self._audio[: blocks * pcm.bytes_of_ms(BLOCK_MS)]
            del self._levels[:blocks], self._voiced[:blocks]
            self._base += blocks

    def _ms(self, block: int) -> int:
        return self._start_ms + (self._base + block) * BLOCK_MS


class _Floor:
    """The noise of the room: the least 100 ms of the last four seconds or so. Speech always leaves such gaps."""

    def __init__(self, least_db: float) -> None:
        self.db = least_db
        self._least = least_db
        self._powers: deque[float] = deque(maxlen=_SMOOTH_BLOCKS)
        self._spans: deque[float] = deque(maxlen=_FLOOR_SPANS)
        self._span = math.inf
        self._seen = 0

    def add(self, power: float) -> None:
        self._powers.append(power)
        self._span = min(self._span, sum(self._powers) / len(self._powers))
        self._seen += 1
        if self._seen % _FLOOR_SPAN_BLOCKS == 0:
            self._spans.append(self._span)
            self._span = math.inf
        if self._seen > _TRUST_FLOOR_BLOCKS:
            self.db = max(self._least, _db(min(self._span, *self._spans)))


def _power(block: bytes) -> float:
    """Mean square about the mean, as a fraction of full scale squared. The one loop over samples: keep it in C."""
    values = pcm.samples(block)
    mean = sum(values) / len(values)
    power: float = sum(map(mul, values, values)) / len(values) - mean * mean
    return max(0.0, power) / (pcm.FULL_SCALE * pcm.FULL_SCALE)


def _db(power: float) -> float:
    return max(pcm.QUIETEST_DB, 10 * math.log10(power)) if power > 0 else pcm.QUIETEST_DB
