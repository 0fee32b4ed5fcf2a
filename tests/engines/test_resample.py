"""The streaming resampler: lengths, seams, aliases, flatness."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from memweb.engines.resample import RATES, Resampler

DOWN = [rate for rate in RATES if rate > 16_000]


def tone(rate: int, hz: float, seconds: float = 1.0, amplitude: float = 0.9) -> bytes:
    at = np.arange(int(rate * seconds)) / rate
    return np.rint(amplitude * 32767 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()


def whole(rate: int, pcm: bytes, rate_out: int = 16_000) -> np.ndarray:
    resampler = Resampler(rate, rate_out)
    return np.frombuffer(resampler.feed(pcm) + resampler.flush(), dtype="<i2").astype(float)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def middle(samples: np.ndarray) -> np.ndarray:
    """Without the ends, where the tone starts and stops and so has every frequency."""
    return samples[len(samples) // 4 : -len(samples) // 4]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 160, 441, 4410, 12_347])
def test_the_length_is_exact_to_the_sample(rate, count):
    assert len(whole(rate, bytes(2 * count))) == count * 16_000 // rate


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_pieces_of_any_size_give_the_same_samples_as_one_feed(rate):
    chance = random.Random(rate)
    pcm = np.random.default_rng(rate).integers(-30_000, 30_000, rate // 2).astype("<i2").tobytes()
    resampler, pieces, at = Resampler(rate), [], 0
    while at < len(pcm):
        step = chance.choice([1, 3, 7, 100, 881, 3200])
        pieces.append(resampler.feed(pcm[at : at + step]))
        at += step
    pieces.append(resampler.flush())
    assert np.array_equal(np.frombuffer(b"".join(pieces), dtype="<i2").astype(float), whole(rate, pcm))


@pytest.mark.parametrize("rate", DOWN)
def test_what_16_khz_cannot_hold_is_at_least_80_db_down(rate):
    top = rate / 2
    for hz in (8_001, 8_050, 8_500, (8_000 + top) / 2, top - 20):
        if 8_000 < hz < top:
            heard = middle(whole(rate, tone(rate, hz)))
            # 0.3 is the rounding to 16 bits, which no filter can avoid: 80 dB below 0.9 of full scale is 2.1.
            assert rms(heard) < 0.9 * 32767 / np.sqrt(2) * 1e-4, f"{hz} Hz at {rate}"


def test_without_the_filter_the_alias_would_be_there():
    naive = np.frombuffer(tone(48_000, 9_000), dtype="<i2").astype(float)[::3]
    assert rms(naive) > 10_000


def test_an_upsampled_tone_has_no_image():
    heard = middle(whole(8_000, tone(8_000, 3_000, seconds=4)))
    spectrum = np.abs(np.fft.rfft(heard * np.kaiser(len(heard), 14)))
    hz = np.fft.rfftfreq(len(heard), 1 / 16_000)
    image = spectrum[(hz > 4_900) & (hz < 5_100)].max()
    assert image < spectrum.max() * 1e-4


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 16_000])
@pytest.mark.parametrize("hz", [50, 440, 1_000, 3_400])
def test_the_pass_band_is_flat_to_a_twentieth_of_a_decibel(rate, hz):
    ratio = rms(middle(whole(rate, tone(rate, hz)))) / (0.9 * 32767 / np.sqrt(2))
    assert abs(20 * np.log10(ratio)) < 0.05


@pytest.mark.parametrize("rate", DOWN)
def test_speech_consonants_up_to_7_khz_come_through(rate):
    ratio = rms(middle(whole(rate, tone(rate, 7_000)))) / (0.9 * 32767 / np.sqrt(2))
    assert abs(20 * np.log10(ratio)) < 0.05


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_nothing_is_shifted_in_time(rate):
    heard = whole(rate, tone(rate, 500))
    wanted = np.frombuffer(tone(16_000, 500), dtype="<i2").astype(float)[: len(heard)]
    assert np.abs(middle(heard) - middle(wanted)).max() < 4


def test_full_scale_square_waves_clip_and_do_not_wrap():
    square = np.where(np.arange(48_000) // 24 % 2, 32767, -32768).astype("<i2").tobytes()
    heard = middle(whole(48_000, square))
    crossings = np.count_nonzero(np.diff(np.sign(heard)))
    assert heard.max() == 32767
    assert crossings == pytest.approx(2 * 1_000 * len(heard) / 16_000, abs=2)


def test_the_same_rate_passes_through_untouched_even_in_torn_pieces():
    resampler = Resampler(16_000)
    assert resampler.feed(b"\x01") == b""
    assert resampler.feed(b"\x02\x03\x04\x05") == b"\x01\x02\x03\x04"
    assert resampler.flush() == b""


def test_after_a_flush_it_begins_anew():
    resampler, pcm = Resampler(44_100), tone(44_100, 700, 0.2)
    first = resampler.feed(pcm) + resampler.flush()
    assert resampler.feed(pcm) + resampler.flush() == first


def test_a_huge_feed_and_other_targets_work():
    assert len(whole(48_000, tone(48_000, 300, 10))) == 160_000
    assert len(whole(16_000, tone(16_000, 300), rate_out=48_000)) == 48_000


@pytest.mark.parametrize("rate", [0, -1, 7_999, 96_001])
def test_an_impossible_rate_is_refused_in_words(rate):
    with pytest.raises(ValueError, match="not supported"):
        Resampler(rate)


def test_it_costs_little_of_real_time():
    resampler, chunk = Resampler(44_100), tone(44_100, 440, 0.1)
    resampler.feed(chunk)
    began = time.process_time()
    for _ in range(50):
        resampler.feed(chunk)
    assert time.process_time() - began < 0.25 * 5.0, "above a quarter of a core"
