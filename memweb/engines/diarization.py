"""Who speaks when in a recording, from samples that come in order.

Each ten seconds, the segmentation model marks where up to three voices speak. Where one voice goes over into another
it often takes both for one, so what it marks is cut into runs, at pauses, and each run gets a voiceprint of its own.
Runs that are alike and that the model takes for one voice make one more, their mean: from these, which are of more
speech, come the voices of the recording. Each run then goes to the voice it is most like.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memweb.engines import sorting
from memweb.engines.protocol import RATE
from memweb.engines.voiceprints import CHUNK, FRAME, FRAMES, VOICES, Doubles, Floats, Mask, Models, features

HOP_FRAMES = 296
HOP = HOP_FRAMES * FRAME
"""Samples from one chunk to the next, five seconds: each moment is looked at twice."""
ENOUGH = FRAMES // 5
"""Frames of one voice alone in a chunk that make it count when the voices of the recording are found."""
ALIKE = 1.0
"""Runs of one column further apart than this are of two voices; the voiceprints have a length of 1."""
LEAST = 18
"""Frames (0.3 s) of one voice alone that make a better voiceprint than more with another's words in them."""
PAUSE = 6
"""Frames without a voice that end a run: 0.1 s."""
SHORT = 36
"""A run of fewer frames (0.6 s) is taken with the one before, unless ..."""
FAR = 30
"""... so many frames are between them."""
LONG = 180
"""A run of more frames (3 s) is cut: another voice may begin without a pause."""
_CENTRE = 495
"""Samples from a frame's start to its middle."""
_AT_ONCE = 1000

Turns = list[tuple[int, int, int]]


class Run(NamedTuple):
    """Frames of a chunk, from `first` up to `last`, in which the same voice is taken to speak."""

    column: int
    first: int
    last: int


class Diarizer:
    """One recording. Feed `add` with floats at 16 kHz, then ask once for `turns`, of `most` voices if that is told."""

    def __init__(self, models: Models, most: int | None = None) -> None:
        self._models, self._most = models, most
        self._held = np.empty(0, np.float32)
        self._looked = 0  # so many of the held samples were in the chunk before
        self._active: list[Mask] = []
        self._runs: list[list[Run]] = []  # of each chunk
        self._prints: list[Floats] = []  # of each run
        self._longer: list[Floats] = []

    def add(self, samples: Floats) -> None:
        """Take samples of any number; the work is done as soon as a chunk is full."""
        self._held = np.concatenate((self._held, samples))
        while len(self._held) >= CHUNK:
            self._look(self._held[:CHUNK])
            self._held = self._held[HOP:]
            self._looked = CHUNK - HOP

    def turns(self) -> Turns:
        """Every voice's stretches in order: first ms, last ms, voice (counted from 0 as they are first heard)."""
        if len(self._held) > self._looked:
            self._look(self._held)
        self._held = np.empty(0, np.float32)
        voices = self._voices()
        numbers: dict[int, int] = {}
        return [
            (start, end, numbers.setdefault(voice, len(numbers)))
            for start, end, voice in sorted(_stretches(self._active, self._runs, voices))
        ]

    def _look(self, samples: Floats) -> None:
        whole = np.zeros(CHUNK, np.float32)
        whole[: len(samples)] = samples
        active = self._models.segment(whole)
        active[-(-len(samples) // FRAME) :] = False
        self._active.append(active)
        self._runs.append([])
        if not active.any():
            return
        seen = features(whole)
        alone = active & (active.sum(axis=1, keepdims=True) == 1)
        for column in range(VOICES):
            self._look_at(column, active[:, column], alone[:, column], seen)

    def _look_at(self, column: int, active: Mask, alone: Mask, seen: Floats) -> None:
        """Take the voiceprints of what a chunk's column marks."""
        prints: list[Floats] = []
        clean: list[int] = []
        for first, last in _cut(active):
            here = np.zeros(FRAMES, bool)
            here[first:last] = True
            frames = int((alone & here).sum())
            found = self._models.voiceprint(seen, (alone if frames >= LEAST else active) & here)
            if found is not None:
                self._runs[-1].append(Run(column, first, last))
                prints.append(found)
                clean.append(frames)
        self._prints += prints
        if sum(clean) >= ENOUGH:
            self._longer += _together(np.array(prints, np.float64), np.array(clean, np.float64))

    def _voices(self) -> npt.NDArray[np.intp]:
        """The voice of each run."""
        if len(self._longer) < 2:  # nothing to compare
            return np.zeros(len(self._prints), np.intp)
        voices = sorting.centroids(np.array(self._longer, np.float64), self._models.spread)
        found = self._likest(voices)
        if self._most is None or len(voices) <= self._most:
            return found
        lengths = [run.last - run.first for runs in self._runs for run in runs]
        heard = np.bincount(found, weights=lengths, minlength=len(voices))
        return self._likest(voices[np.argsort(-heard, kind="stable")[: self._most]])

    def _likest(self, voices: Doubles) -> npt.NDArray[np.intp]:
        """For each run, which of these voices it is most like."""
        found = np.empty(len(self._prints), np.intp)
        for at in range(0, len(found), _AT_ONCE):
            prints: Doubles = np.array(self._prints[at : at + _AT_ONCE], np.float64)
            found[at : at + _AT_ONCE] = np.argmax(sorting.likeness(prints, voices), axis=1)
        return found


def _together(prints: Doubles, frames: Doubles) -> list[Floats]:
    """The means of those voiceprints of a column that are alike, where they are of enough speech."""
    groups = sorting.linked(sorting.unit(prints), np.maximum(frames, 1), ALIKE)
    found = []
    for group in range(groups.max() + 1):
        weights = np.where(groups == group, frames, 0)
        if weights.sum() >= ENOUGH:
            found.append((weights @ prints / weights.sum()).astype(np.float32))
    return found


def _cut(active: Mask) -> list[tuple[int, int]]:
    """The runs of one column: cut at pauses, none short beside another, none long."""
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).tolist()
    runs: list[tuple[int, int]] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if runs and first - runs[-1][1] < PAUSE:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        before = joined[-1] if joined else None
        if before and first - before[1] < FAR and min(last - first, before[1] - before[0]) < SHORT:
            joined[-1] = (before[0], last)
        else:
            joined.append((first, last))
    return [piece for first, last in joined for piece in _pieces(first, last)]


def _pieces(first: int, last: int) -> list[tuple[int, int]]:
    count = -(-(last - first) // LONG)
    marks = [first + (last - first) * number // count for number in range(count + 1)]
    return list(pairwise(marks))


def _stretches(
    active: list[Mask], runs: list[list[Run]], voices: npt.NDArray[np.intp]
) -> Iterator[tuple[int, int, int]]:
    """Lay the chunks over each other: first ms, last ms and voice of every stretch, as they end."""
    count = int(voices.max(initial=-1)) + 1
    since = np.full(count, -1, np.int64)
    before = (np.zeros((FRAMES - HOP_FRAMES, count), np.int8), np.zeros(FRAMES - HOP_FRAMES, np.int64))
    at = 0
    for hop in range(len(active) + 1):
        votes, heard = np.zeros((FRAMES, count), np.int8), np.zeros(FRAMES, np.int64)
        if hop < len(active):
            heard = active[hop].sum(axis=1)
            for run in runs[hop]:
                votes[run.first : run.last, voices[at]] += active[hop][run.first : run.last, run.column]
                at += 1
        looks = np.ones(HOP_FRAMES, np.int64)
        if 0 < hop < len(active):
            looks[: len(before[1])] = 2
        shared = len(before[1])
        votes[:shared] += before[0]
        heard[:shared] += before[1]
        speaks = _most(votes[:HOP_FRAMES], np.rint(heard[:HOP_FRAMES] / looks))
        changes = np.diff(speaks.astype(np.int8), axis=0, prepend=(since >= 0).astype(np.int8)[None])
        for frame, voice in np.argwhere(changes):
            here = hop * HOP_FRAMES + int(frame)
            if changes[frame, voice] > 0:
                since[voice] = here
            else:
                yield _ms(since[voice]), _ms(here), int(voice)
                since[voice] = -1
        before = (votes[HOP_FRAMES:], heard[HOP_FRAMES:])
    for voice in np.flatnonzero(since >= 0):  # to the very last frame
        yield _ms(since[voice]), _ms((len(active) + 1) * HOP_FRAMES), int(voice)


def _most(votes: npt.NDArray[np.int8], count: Doubles) -> Mask:
    """In each frame the `count` voices with the most votes: (frames, voices)."""
    order = np.argsort(-votes, axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    found: Mask = (place < count[:, None]) & (votes > 0)
    return found


def _ms(frame: int) -> int:
    return (int(frame) * FRAME + _CENTRE) * 1000 // RATE
