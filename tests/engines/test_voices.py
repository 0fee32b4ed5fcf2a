"""Who speaks when: real speech of known readers, and the steps one by one with models of cardboard."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from memweb.engines import diarization, sorting, speakers, talk, voiceprints, voices
from memweb.engines.diarization import Diarizer
from memweb.engines.protocol import RATE
from memweb.engines.voiceprints import CHUNK, FRAME, FRAMES, PRINT, VOICES, Doubles, Floats, Mask, Models, Spread
from memweb.speech.transcript import Segment
from memweb.speech.voices import LONGEST_MS, Turn, voiced
from tests.engines.conftest import SECOND, Clip


def _share_right(turns: tuple[Turn, ...], spoken: list[tuple[float, float, str]]) -> float:
    """The share of the time in which somebody is found and somebody reads that goes to the right reader."""
    names = {voice: number for number, voice in enumerate(dict.fromkeys(turn.voice for turn in turns))}
    readers = {reader: number for number, reader in enumerate(dict.fromkeys(reader for *_, reader in spoken))}
    together = np.zeros((len(readers), len(names)))
    for start, end, reader in spoken:
        for turn in turns:
            shared = min(end * 1000, turn.end_ms) - max(start * 1000, turn.start_ms)
            together[readers[reader], names[turn.voice]] += max(0.0, shared)
    return float(together.max(axis=1).sum() / together.sum())


def _count(turns: tuple[Turn, ...]) -> int:
    return len({turn.voice for turn in turns})


# --- real speech ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dialogue.flac", "long-two-readers.flac"])
def test_two_readers_are_two_voices_and_each_sentence_has_the_right_one(
    speech_clips: Path, clip: Clip, name: str
) -> None:
    [told] = [each for each in json.loads((speech_clips / "manifest.json").read_text()) if each["file"] == name]
    found = speakers.turns([clip(name)])
    assert _count(found) == 2
    assert _share_right(found, [(each["start"], each["end"], each["speaker"]) for each in told["segments"]]) > 0.98


@pytest.mark.parametrize(
    "name", ["jfk.flac", "quilter.flac", "printing.flac", "sense-0870.flac", "es.flac", "de.flac", "noisy-music.flac"]
)
def test_one_reader_is_one_voice(clip: Clip, name: str) -> None:
    assert _count(speakers.turns([clip(name)])) == 1


def test_silence_is_nobody(clip: Clip) -> None:
    assert speakers.turns([clip("silence.flac")]) == ()
    assert speakers.turns([]) == ()


def test_short_turns_of_two_readers_are_told_apart(speech_clips: Path, clip: Clip) -> None:
    """The segmentation model takes many of these for one voice."""
    name = "long-two-readers.flac"
    [told] = [each for each in json.loads((speech_clips / "manifest.json").read_text()) if each["file"] == name]
    sound = clip(name)
    readers = [[each for each in told["segments"] if each["speaker"] == reader] for reader in ("1688", "3331")]
    pieces, spoken, at = [], [], 0.0
    for number in range(20):
        sentence = readers[number % 2][number // 2]
        length = min(3.0, sentence["end"] - sentence["start"])
        first = round(sentence["start"] * RATE) * 2
        pieces += [sound[first : first + round(length * RATE) * 2], bytes(SECOND // 4)]
        spoken.append((at, at + length, sentence["speaker"]))
        at += length + 0.25
    found = speakers.turns(pieces)
    assert _count(found) == 2
    assert _share_right(found, spoken) > 0.95


def test_the_quick_way_is_taken_here() -> None:
    assert isinstance(voices.listener(1), Diarizer)


def test_where_the_library_keeps_its_models_its_own_driver_does_the_work(
    monkeypatch: pytest.MonkeyPatch, two_cities: bytes
) -> None:
    monkeypatch.setattr(voiceprints, "_LIBRARIES", ("nothing.so",))
    ear = voices.listener(1)
    assert isinstance(ear, voices.Native)
    ear.add(np.frombuffer(two_cities[: 8 * SECOND], "<i2").astype(np.float32) / np.float32(32768))
    found = ear.turns()
    assert {voice for *_, voice in found} == {0}
    assert sum(end - start for start, end, _ in found) > 4000


def test_a_library_without_the_models_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voiceprints, "_SYMBOL", "no_such_{length}{name}")
    with pytest.raises(voiceprints.NotCarried):
        Models(1)


# --- one long turn ----------------------------------------------------------------------------------


def test_a_long_turn_is_cut_so_that_each_of_its_words_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    long = 5 * LONGEST_MS
    answers: Iterator[tuple[dict[str, object], bytes]] = iter(
        [({"t": "more", "ms": 0}, b""), ({"t": "turns", "turns": [[0, long, 0], [long, long + 500, 1]]}, b"")]
    )
    monkeypatch.setattr(talk, "read", lambda reading, alive: next(answers))
    found = speakers.turns([])
    assert max(turn.end_ms - turn.start_ms for turn in found) == LONGEST_MS
    assert sum(turn.end_ms - turn.start_ms for turn in found) == long + 500
    said = Segment("0", long - 3000, long - 1000, "There.")
    assert [segment.speaker for segment in voiced([said], found)] == ["0"]


# --- models of cardboard ----------------------------------------------------------------------------


def _directions(count: int, seed: int = 1) -> Doubles:
    """Far apart from each other."""
    found: Doubles = np.linalg.qr(np.random.default_rng(seed).standard_normal((PRINT, count)))[0].T
    return found


def _spread() -> Spread:
    """The plainest: the first 128 of 256 directions, all of which differ as much between voices."""
    return Spread(np.zeros(PRINT), np.zeros(128), np.eye(PRINT, 128), np.zeros(128), np.eye(128), np.full(128, 8.0))


class Cardboard(Models):
    """Reads who speaks out of the samples: each is the number of its voice, 0 is nobody. Columns begin anew."""

    def __init__(self, directions: Doubles) -> None:
        self.spread = _spread()
        self.looked = 0
        self.directions = directions.astype(np.float32)

    def segment(self, samples: Floats) -> Mask:
        assert len(samples) == CHUNK
        frames = samples[np.arange(FRAMES) * FRAME].astype(int)
        active = np.zeros((FRAMES, VOICES), bool)
        for column, voice in enumerate(dict.fromkeys(frames[frames > 0].tolist())):
            active[:, min(column, VOICES - 1)] |= frames == voice
        self._frames = frames
        return active

    def voiceprint(self, features: Floats, frames: Mask) -> Floats | None:
        self.looked += int(frames.sum())
        [voice] = set(self._frames[frames].tolist())
        found: Floats = self.directions[voice - 1].copy()
        return found


@pytest.fixture
def cardboard(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Cardboard]:
    monkeypatch.setattr(diarization, "features", lambda samples: np.zeros((998, 80), np.float32))

    def make(count: int) -> Cardboard:
        directions = np.zeros((count, PRINT))
        directions[:, :128] = np.linalg.qr(np.random.default_rng(3).standard_normal((128, count)))[0].T
        return Cardboard(directions)

    return make


def _told(
    models: Models, seconds: list[tuple[float, int]], piece: int = 70_001, most: int | None = None
) -> diarization.Turns:
    """The turns of a recording in which one voice after the other speaks for so many seconds."""
    samples = np.concatenate([np.full(round(RATE * length), voice, np.float32) for length, voice in seconds])
    ear = Diarizer(models, most)
    for at in range(0, len(samples), piece):
        ear.add(samples[at : at + piece])
    return ear.turns()


@pytest.mark.parametrize("piece", [1000, 70_001, 10_000_000])
def test_turns_are_where_the_voices_are_whatever_the_pieces(cardboard: Callable[[int], Cardboard], piece: int) -> None:
    plan = [(4.0, 1), (0.5, 0), (7.0, 2), (1.0, 0), (9.0, 3), (0.5, 0), (12.0, 1), (0.5, 0), (3.0, 2)] * 4
    told = _told(cardboard(3), plan, piece)
    assert [voice for *_, voice in told] == [0, 1, 2, 0, 1] * 4
    at = 0.0
    expected = []
    for length, voice in plan:
        if voice:
            expected.append((at, at + length))
        at += length
    for (start, end, _), (first, last) in zip(told, expected, strict=True):
        assert abs(start - first * 1000) < 60
        assert abs(end - last * 1000) < 60


def test_of_no_more_voices_than_asked_and_what_the_others_say_falls_to_who_is_like_them(
    cardboard: Callable[[int], Cardboard],
) -> None:
    models = cardboard(4)
    models.directions[3] = 0.995 * models.directions[3] + 0.1 * models.directions[1]  # a little like the second
    plan = [(12.0, 1), (1.0, 0), (9.0, 2), (1.0, 0), (14.0, 3), (1.0, 0), (5.0, 4), (1.0, 0)] * 2
    assert [voice for *_, voice in _told(models, plan)] == [0, 1, 2, 3] * 2
    assert [voice for *_, voice in _told(models, plan, most=3)] == [0, 1, 2, 1] * 2
    assert {voice for *_, voice in _told(models, plan, most=1)} == {0}
    assert _told(models, plan, most=9) == _told(models, plan)


def test_a_silent_voice_costs_nothing_and_each_moment_is_looked_at_twice(
    cardboard: Callable[[int], Cardboard],
) -> None:
    models = cardboard(2)
    _told(models, [(20.0, 1), (20.0, 0), (20.0, 2)])
    assert models.looked <= 2.02 * 40 * RATE / FRAME


def test_an_hour_more_takes_a_few_megabytes_more(cardboard: Callable[[int], Cardboard]) -> None:
    ear = Diarizer(cardboard(2))
    minute = np.tile(np.repeat(np.array([1, 0, 2, 0], np.float32), [4 * RATE, RATE, 4 * RATE, RATE]), 6)
    tracemalloc.start()
    try:
        for _ in range(10):
            ear.add(minute)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(60):
            ear.add(minute)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000_000
    assert len({voice for *_, voice in ear.turns()}) == 2


# --- sorting ----------------------------------------------------------------------------------------


def _around(directions: Doubles, count: int, noise: float) -> tuple[Doubles, list[int]]:
    random = np.random.default_rng(5)
    whose = random.integers(0, len(directions), count)
    found: Doubles = directions[whose] + noise * random.standard_normal((count, PRINT)) / np.sqrt(PRINT)
    return found, whose.tolist()


@pytest.mark.parametrize("count", [40, 3 * sorting.AT_ONCE + 7])
def test_as_many_voices_are_found_as_there_are_however_many_voiceprints(count: int) -> None:
    directions = np.zeros((5, PRINT))
    directions[:, :128] = _directions(5)[:, :128]
    prints, whose = _around(directions, count, 0.3)
    assert sorting._joined(sorting.unit(prints)).max() == 4
    found = sorting.centroids(prints, _spread())
    assert len(found) == 5
    nearest = np.argmax(sorting.likeness(prints, found), axis=1).tolist()
    assert len(set(zip(nearest, whose, strict=True))) == 5


def test_prints_of_one_voice_are_one_voice() -> None:
    prints, _ = _around(_directions(1), 60, 0.4)
    assert len(sorting.centroids(prints, _spread())) == 1


def test_no_crowd_is_larger_than_what_memory_is_meant_for() -> None:
    labels = sorting._joined(sorting.unit(np.random.default_rng(9).standard_normal((900, PRINT))))
    assert labels.max() < sorting.MOST_VOICES


# --- features ---------------------------------------------------------------------------------------


def test_a_tone_lies_in_its_band_and_the_mean_is_taken_off() -> None:
    time = np.arange(2 * RATE) / RATE
    tone = np.where(time < 1, np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 4000 * time)).astype(np.float32) / 4
    found = voiceprints.features(tone)
    assert found.shape == (198, 80)
    assert np.abs(found.mean(axis=0)).max() < 1e-4
    low, high = found[20:80].mean(axis=0), found[120:180].mean(axis=0)

    def band(hertz: float) -> int:
        edge = 1127 * np.log1p(np.array([20, 8000, hertz]) / 700)
        return round(float((edge[2] - edge[0]) / (edge[1] - edge[0]) * 81)) - 1

    assert abs(int(np.argmax(low - high)) - band(1000)) <= 1
    assert abs(int(np.argmax(high - low)) - band(4000)) <= 1
