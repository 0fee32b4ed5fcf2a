"""Finding utterances: tones, noise, silence, and real speech."""

from __future__ import annotations

import itertools
import math
import random
import time
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pytest

from memweb.speech import pcm
from memweb.speech.endpoint import Endpointer, Rules, Utterance
from memweb.speech.events import SpeechBegan

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "speech"
RATE = 16_000


def db(level: float) -> float:
    return 10 ** (level / 20)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


def noise(seconds: float, level: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, db(level), int(seconds * RATE))


def voice(seconds: float, level: float = -26.0) -> np.ndarray:
    """A tone whose loudness swells four times a second, as syllables do."""
    at = np.arange(int(seconds * RATE)) / RATE
    return db(level) * math.sqrt(2) * np.sin(2 * np.pi * 220 * at) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * at))


def raw(*parts: np.ndarray) -> bytes:
    return np.clip(np.rint(np.concatenate(parts) * 32768), -32768, 32767).astype("<i2").tobytes()


def run(audio: bytes, endpointer: Endpointer | None = None, piece: int = 3200) -> list[SpeechBegan | Utterance]:
    endpointer = endpointer or Endpointer()
    heard = []
    for at in range(0, len(audio), piece):
        heard += endpointer.feed(audio[at : at + piece])
    return heard + endpointer.flush()


def utterances(heard: list[SpeechBegan | Utterance]) -> list[Utterance]:
    return [one for one in heard if isinstance(one, Utterance)]


def read_wav(name: str) -> bytes:
    """One of the recordings that come with the live engine's wheel, at 16 kHz."""
    import av

    [path] = [f.locate() for f in files("moonshine-voice") or [] if f.name == name]
    return decode(av.open(str(path)))


def decode(container) -> bytes:
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        return b"".join(frame.to_ndarray().tobytes() for frame in frames + resampler.resample(None))


def test_a_voice_between_two_silences_is_one_utterance_with_its_margins():
    audio = raw(silence(2), voice(3), silence(2))
    began, utterance = run(audio)
    assert began.at_ms == pytest.approx(2000, abs=40)
    assert utterance.start_ms == pytest.approx(1700, abs=40)
    assert utterance.end_ms == pytest.approx(5300, abs=60)
    assert not utterance.cut
    assert utterance.pcm == audio[pcm.bytes_of_ms(utterance.start_ms) : pcm.bytes_of_ms(utterance.end_ms)]


def test_speech_is_told_within_a_quarter_second_of_its_onset():
    endpointer = Endpointer()
    assert endpointer.feed(raw(silence(1))) == []
    for number in range(1, 30):
        if endpointer.feed(raw(voice(0.6)[: 320 * number])[-640:]):
            break
    assert number * 20 <= 240
    assert endpointer.speaking


def test_an_utterance_ends_after_its_hangover_and_not_before():
    endpointer = Endpointer()
    assert utterances(endpointer.feed(raw(silence(1), voice(2), silence(0.55)))) == []
    assert len(utterances(endpointer.feed(raw(silence(0.1))))) == 1
    assert not endpointer.speaking


def test_a_pause_shorter_than_the_hangover_does_not_divide():
    assert len(utterances(run(raw(silence(1), voice(2), silence(0.4), voice(2), silence(1))))) == 1
    assert len(utterances(run(raw(silence(1), voice(2), silence(0.8), voice(2), silence(1))))) == 2


@pytest.mark.parametrize("level", [-75, -60, -50])
def test_steady_noise_after_a_quiet_second_is_learned_and_then_is_no_speech(level):
    heard = utterances(run(raw(noise(20, level))))
    assert all(one.end_ms < 2_500 for one in heard)


def test_silence_says_nothing_at_all():
    endpointer = Endpointer()
    assert run(bytes(2 * RATE * 30), endpointer) == []
    assert endpointer.noise_db < -60


def test_a_fan_switched_on_is_speech_only_until_it_is_learned():
    heard = utterances(run(raw(silence(5), noise(15, -45), voice(2, -30) + noise(2, -45, 2), noise(3, -45, 3))))
    assert heard[-1].start_ms == pytest.approx(19_700, abs=60)
    assert heard[-1].end_ms == pytest.approx(22_300, abs=100)
    assert sum(one.end_ms - one.start_ms for one in heard[:-1]) < 5_500


def test_a_click_is_no_speech():
    click = silence(1.0)
    click[8000:8400] = 0.5
    click[8400:8800] = -0.5
    assert run(raw(click, silence(1))) == []


@pytest.mark.parametrize("room", [-80, -60, -50])
@pytest.mark.parametrize("level", [-20, -35])
def test_a_voice_is_found_in_any_room_at_any_loudness(room, level):
    quiet = [noise(3, room, seed) for seed in (1, 2)]
    heard = utterances(run(raw(quiet[0], voice(2, level) + noise(2, room, 3), quiet[1])))
    assert heard[-1].start_ms == pytest.approx(2_700, abs=80)
    assert heard[-1].end_ms == pytest.approx(5_300, abs=120)


def test_an_offset_of_the_microphone_changes_nothing():
    audio = np.concatenate((noise(2, -65), voice(2), noise(2, -65)))
    assert [
        (one.start_ms, one.end_ms) for one in utterances(run(np.rint(audio * 32768 + 3000).astype("<i2").tobytes()))
    ] == [(one.start_ms, one.end_ms) for one in utterances(run(raw(audio)))]


def test_a_voice_from_the_first_sample_on_is_heard_from_there():
    [utterance] = utterances(run(raw(voice(2), silence(1))))
    assert utterance.start_ms == 0


def test_a_long_speech_is_cut_where_it_is_quietest_and_loses_nothing():
    audio = raw(silence(1), voice(16.7), silence(0.3), voice(18), silence(1))
    first, second = utterances(run(audio))
    assert first.cut
    assert 17_600 < first.end_ms < 18_100
    assert second.start_ms == first.end_ms
    assert not second.cut
    assert first.pcm + second.pcm == audio[pcm.bytes_of_ms(first.start_ms) : pcm.bytes_of_ms(second.end_ms)]


def test_no_utterance_is_longer_than_asked_for():
    heard = utterances(run(raw(voice(60)), Endpointer(Rules(max_ms=8_000))))
    assert len(heard) >= 8
    assert max(one.end_ms - one.start_ms for one in heard) <= 8_000
    assert sum(len(one.pcm) for one in heard) == 60 * RATE * 2


def test_silence_left_over_by_a_cut_is_not_an_utterance():
    rules = Rules(max_ms=600, hangover_ms=600)
    heard = utterances(run(raw(voice(0.4), silence(2)), Endpointer(rules)))
    assert len(heard) == 1
    assert heard[0].cut


def test_a_limit_below_its_own_blocks_still_gives_every_sample_once():
    heard = utterances(run(raw(voice(2)), Endpointer(Rules(max_ms=20, min_speech_ms=20, margin_ms=0))))
    assert [later.start_ms - sooner.end_ms for sooner, later in itertools.pairwise(heard)].count(0) > 0
    assert all(later.start_ms >= sooner.end_ms for sooner, later in itertools.pairwise(heard))


def test_a_commit_gives_the_words_in_hand_and_goes_on_after_them():
    endpointer = Endpointer()
    audio = raw(silence(1), voice(3), silence(1))
    half = pcm.bytes_of_ms(2500)
    heard = endpointer.feed(audio[:half])
    [first] = endpointer.commit()
    heard += endpointer.feed(audio[half:])
    [second] = utterances(heard)
    assert first.cut
    assert first.end_ms == 2500 == second.start_ms
    assert endpointer.commit() == []


def test_a_word_shorter_than_speech_survives_a_commit_and_the_end():
    beginning = raw(silence(1), voice(1)[2000:3440])
    for end in (Endpointer.commit, Endpointer.flush):
        endpointer = Endpointer()
        assert endpointer.feed(beginning) == []
        [utterance] = end(endpointer)
        assert utterance.end_ms >= 1080


def test_the_end_brings_also_what_fills_no_block():
    endpointer = Endpointer()
    endpointer.feed(raw(silence(1), voice(1)) + b"\x01\x00" * 168 + b"\x07")
    [last] = endpointer.flush()
    assert last.end_ms == 2010
    assert last.pcm.endswith(b"\x01\x00" * 168)
    assert not last.cut


def test_the_utterance_so_far_can_be_asked_for_and_is_not_taken():
    endpointer = Endpointer()
    assert endpointer.pending is None
    endpointer.feed(raw(silence(1), voice(2)))
    so_far = endpointer.pending
    assert so_far is not None
    assert (so_far.end_ms, so_far.cut) == (3000, True)
    assert endpointer.pending == so_far
    assert endpointer.flush()[0].pcm == so_far.pcm


def test_times_count_from_where_the_stream_is_said_to_start():
    began, utterance = run(raw(silence(1), voice(1), silence(1)), Endpointer(start_ms=60_000))
    assert began.at_ms == pytest.approx(61_000, abs=40)
    assert utterance.start_ms == pytest.approx(60_700, abs=40)


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_size_give_the_same_utterances(seed):
    chance = random.Random(seed)
    audio = raw(noise(1, -60), voice(2), noise(1, -60, 2), voice(1), noise(1, -60, 3))
    endpointer, heard, at = Endpointer(), [], 0
    while at < len(audio):
        step = chance.choice([1, 2, 319, 641, 3200, 16_001])
        heard += endpointer.feed(audio[at : at + step])
        at += step
    assert heard + endpointer.flush() == run(audio)


def test_hours_of_silence_keep_no_memory():
    endpointer = Endpointer()
    for _ in range(60):
        endpointer.feed(bytes(2 * RATE * 10))
    assert len(endpointer._audio) <= pcm.bytes_of_ms(600)


def test_random_bytes_never_overlap_and_never_raise():
    chance = random.Random(7)
    audio = b"".join(chance.randbytes(chance.randrange(40_000)) + bytes(chance.randrange(60_000)) for _ in range(40))
    heard = utterances(run(audio, piece=997))
    assert heard
    for sooner, later in itertools.pairwise(heard):
        assert sooner.end_ms <= later.start_ms
    for one in heard:
        assert len(one.pcm) // 2 * 1000 // RATE == one.end_ms - one.start_ms


@pytest.mark.parametrize(("name", "fewest", "most"), [("two_cities.wav", 4, 14), ("beckett.wav", 1, 5)])
def test_real_speech_is_kept_whole_and_divided_at_its_pauses(name, fewest, most):
    audio = read_wav(name)
    heard = utterances(run(audio))
    assert fewest <= len(heard) <= most
    outside = np.frombuffer(audio, "<i2").astype(float)
    total = (outside**2).sum()
    for one in heard:
        outside[pcm.samples_of_ms(one.start_ms) : pcm.samples_of_ms(one.end_ms)] = 0
    assert (outside**2).sum() < 0.005 * total


@pytest.mark.skipif(not CLIPS.exists(), reason="the shared speech clips are not on this machine")
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_every_clip_is_kept_but_for_a_hundredth_of_its_energy_also_from_a_quiet_microphone(gain):
    import av

    for path in sorted(CLIPS.glob("*.flac")):
        if path.stem in ("silence", "noisy-music"):
            continue
        loud = np.frombuffer(decode(av.open(str(path))), "<i2").astype(float) * gain
        heard = utterances(run(np.rint(loud).astype("<i2").tobytes()))
        total = (loud**2).sum()
        for one in heard:
            loud[pcm.samples_of_ms(one.start_ms) : pcm.samples_of_ms(one.end_ms)] = 0
        assert (loud**2).sum() < 0.01 * total, path.name


@pytest.mark.skipif(not CLIPS.exists(), reason="the shared speech clips are not on this machine")
def test_the_silent_clip_has_no_utterance():
    import av

    assert run(decode(av.open(str(CLIPS / "silence.flac")))) == []


def test_it_costs_less_than_three_hundredths_of_a_core():
    audio = raw(noise(10, -50), voice(10))
    began = time.process_time()
    run(audio)
    assert time.process_time() - began < 0.03 * 20
