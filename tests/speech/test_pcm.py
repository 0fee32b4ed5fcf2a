"""The arithmetic of s16le audio."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import pcm


def tone(hz: float, seconds: float, amplitude: float = 0.5, offset: float = 0.0, rate: int = 16_000) -> bytes:
    count = int(seconds * rate)
    return struct.pack(
        f"<{count}h",
        *(round(32767 * (offset + amplitude * math.sin(2 * math.pi * hz * i / rate))) for i in range(count)),
    )


def test_lengths_convert_and_round_down():
    assert pcm.ms_of_bytes(3200) == 100
    assert pcm.ms_of_bytes(3231) == 100
    assert pcm.bytes_of_ms(100) == 3200
    assert pcm.bytes_of_ms(1, rate=44_100, channels=2) == 44 * 4
    assert pcm.ms_of_samples(15) == 0
    assert pcm.samples_of_ms(20, rate=8000) == 160
    assert pcm.silence(2) == bytes(64)


@given(st.integers(0, 10**9), st.sampled_from([8000, 16_000, 22_050, 44_100, 48_000]), st.integers(1, 8))
def test_a_length_made_from_bytes_never_claims_audio_that_is_not_there(count, rate, channels):
    assert pcm.bytes_of_ms(pcm.ms_of_bytes(count, rate, channels), rate, channels) <= count


def test_samples_are_little_endian_and_a_torn_one_is_left_out():
    assert pcm.samples(b"\x01\x00\xff\xff\x00\x80\x7f") == (1, -1, -32768)
    assert pcm.samples(b"") == ()


def test_the_level_of_a_sine_is_its_amplitude_over_the_root_of_two():
    level = pcm.level(tone(440, 0.5, 0.5))
    assert level.rms == pytest.approx(0.5 / math.sqrt(2), rel=1e-3)
    assert level.peak == pytest.approx(0.5, rel=1e-3)
    assert level.db == pytest.approx(-9.03, abs=0.02)


def test_an_offset_of_the_microphone_is_not_loudness():
    level = pcm.level(tone(440, 0.5, 0.01, offset=0.25))
    assert level.rms == pytest.approx(0.01 / math.sqrt(2), rel=1e-2)
    assert level.peak == pytest.approx(0.26, rel=1e-2)


def test_silence_and_nothing_are_quiet_without_a_logarithm_of_zero():
    assert pcm.level(b"") == pcm.Level(0.0, 0.0)
    assert pcm.level(bytes(640)).db == pcm.QUIETEST_DB
    assert pcm.decibels(1e-9) == pcm.QUIETEST_DB
    assert pcm.decibels(1.0) == 0.0


@given(st.binary(max_size=400))
def test_a_level_is_always_between_nothing_and_full_scale(data):
    level = pcm.level(data)
    assert 0 <= level.rms <= 1
    assert 0 <= level.peak <= 1


def test_two_channels_become_their_mean_and_extremes_do_not_clip():
    stereo = struct.pack("<8h", 100, 300, -32768, -32768, 32767, 32767, 32767, -32768)
    assert struct.unpack("<4h", pcm.mono(stereo, 2)) == (200, -32768, 32767, -1)


def test_one_channel_is_left_alone_and_a_torn_frame_is_left_out():
    assert pcm.mono(b"\x01\x02\x03", 1) == b"\x01\x02\x03"
    assert pcm.mono(struct.pack("<5h", 2, 4, 6, 8, 9), 2) == struct.pack("<2h", 3, 7)
    assert pcm.mono(struct.pack("<3h", 3, 6, 9), 3) == struct.pack("<h", 6)


def test_mu_law_gives_the_values_of_the_standard():
    # G.711 table 2a: the ends, the two zeros, and the middle of some segments.
    codes = {0x00: -32124, 0x80: 32124, 0xFF: 0, 0x7F: 0, 0xFE: 8, 0x7E: -8, 0xF0: 120, 0xEF: 132, 0x8F: 16764}
    decoded = struct.unpack(f"<{len(codes)}h", pcm.decode_mu_law(bytes(codes)))
    assert dict(zip(codes, decoded, strict=True)) == codes


def test_mu_law_is_symmetric_and_rises_with_its_code():
    values = struct.unpack("<256h", pcm.decode_mu_law(bytes(range(256))))
    assert [-v for v in values[:128]] == list(values[128:])
    assert list(values[:128]) == sorted(values[:128])


@given(st.binary(max_size=2000), st.integers(1, 64).map(lambda n: 2 * n), st.randoms(use_true_random=False))
def test_frames_are_the_same_however_the_bytes_arrive(data, size, chance: random.Random):
    framer, frames, at = pcm.Framer(size), [], 0
    while at < len(data):
        step = chance.randint(1, 33)
        frames += framer.feed(data[at : at + step])
        at += step
    assert frames == [data[i : i + size] for i in range(0, len(data) - size + 1, size)]
    assert framer.held == len(data) % size
    rest = framer.flush()
    assert b"".join(frames) + rest == data[: len(data) // 2 * 2]
    assert framer.held == 0


def test_a_frame_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one byte"):
        pcm.Framer(0)
