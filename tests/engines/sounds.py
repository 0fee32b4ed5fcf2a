"""A standing set of sounds without words: silence, noise, machines, music. Made from seeds, 16 kHz mono s16le."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

RATE = 16_000
SECONDS = 10

Wave = npt.NDArray[np.float64]


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _time(seconds: float = SECONDS) -> Wave:
    return np.arange(int(seconds * RATE)) / RATE


def _coloured(seed: int, power: float, seconds: float = SECONDS) -> Wave:
    """Noise whose spectrum falls with frequency to the given power, at an RMS of 1."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(_random(seed).standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** power
    wave: Wave = np.fft.irfft(spectrum, count)
    return wave / np.sqrt(np.mean(wave**2))


def _band(wave: Wave, low: float, high: float) -> Wave:
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    return np.fft.irfft(spectrum, len(wave))


def at_level(wave: Wave, dbfs: float) -> Wave:
    """The same wave at an RMS of `dbfs`."""
    return wave * 10 ** (dbfs / 20) / max(1e-9, float(np.sqrt(np.mean(wave**2))))


def pcm(wave: Wave) -> bytes:
    return (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()


def _events(seed: int, make: Callable[[np.random.Generator], Wave], a_second: float) -> Wave:
    """Short sounds at random moments over silence."""
    random = _random(seed)
    wave = np.zeros(SECONDS * RATE)
    for _ in range(int(a_second * SECONDS)):
        sound = make(random)
        at = random.integers(0, len(wave) - len(sound))
        wave[at : at + len(sound)] += sound
    return wave


def _click(random: np.random.Generator) -> Wave:
    t = _time(0.03)
    return random.standard_normal(len(t)) * np.exp(-t * random.uniform(150, 400)) * random.uniform(0.1, 0.5)


def _knock(random: np.random.Generator) -> Wave:
    t = _time(0.2)
    return np.sin(2 * np.pi * random.uniform(90, 220) * t) * np.exp(-t * 30) * random.uniform(0.3, 0.8)


def _burst(random: np.random.Generator) -> Wave:
    t = _time(random.uniform(0.15, 0.7))
    return random.standard_normal(len(t)) * np.hanning(len(t)) * random.uniform(0.05, 0.4)


def _breath(random: np.random.Generator) -> Wave:
    t = _time(random.uniform(0.5, 1.2))
    return _band(random.standard_normal(len(t)), 300, 3500) * np.hanning(len(t)) * random.uniform(0.02, 0.15)


def _cough(random: np.random.Generator) -> Wave:
    t = _time(0.35)
    return _band(random.standard_normal(len(t)), 200, 2500) * np.exp(-t * 12) * random.uniform(0.3, 0.9)


def _paper(random: np.random.Generator) -> Wave:
    t = _time(0.4)
    return _band(random.standard_normal(len(t)), 2000, 7500) * random.random(len(t)) * 0.1


def _note(hertz: float, seconds: float, harmonics: int = 6, decay: float = 2.0) -> Wave:
    t = _time(seconds)
    wave = sum(np.sin(2 * np.pi * hertz * n * t) / n**1.2 for n in range(1, harmonics + 1))
    return np.asarray(wave) * np.exp(-t * decay) * np.minimum(1, t * 60)


_SCALE = (261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3)


def _melody(seed: int) -> Wave:
    random = _random(seed)
    return np.concatenate([_note(random.choice(_SCALE), 0.4) for _ in range(SECONDS * 5 // 2)])


def _chords(harmonics: int = 6) -> Wave:
    roots = (261.6, 220.0, 174.6, 196.0)
    made = [sum(_note(root * step, 1.25, harmonics, 0.8) for step in (1, 1.26, 1.5)) for root in roots * 2]
    return np.concatenate(made)


def _drums(seed: int) -> Wave:
    random = _random(seed)
    wave = np.zeros(SECONDS * RATE)
    for beat in range(SECONDS * 4):
        t = _time(0.2)
        kick = np.sin(2 * np.pi * (50 + 80 * np.exp(-t * 30)) * t) * np.exp(-t * 18)
        snare = random.standard_normal(len(t)) * np.exp(-t * 25) * 0.6
        hat = _band(random.standard_normal(len(t)), 5000, 8000) * np.exp(-t * 60) * 0.4
        sound = hat + (kick if beat % 4 == 0 else snare if beat % 4 == 2 else 0)
        wave[beat * RATE // 4 : beat * RATE // 4 + len(t)] += sound[: len(wave) - beat * RATE // 4]
    return wave


def _siren() -> Wave:
    t = _time()
    return np.sin(2 * np.pi * (900 * t - 300 / (2 * np.pi * 0.5) * np.cos(2 * np.pi * 0.5 * t)))


def _ringing() -> Wave:
    t = _time()
    return (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * ((t % 3) < 1.2)


def _hum() -> Wave:
    t = _time()
    return np.asarray(sum(np.sin(2 * np.pi * 50 * n * t) / n for n in (1, 2, 3, 5, 7)))


def _modem() -> Wave:
    random = _random(5)
    return np.concatenate([np.sin(2 * np.pi * random.choice((697, 1209, 2100, 1336)) * _time(0.1)) for _ in range(100)])


def _lead_in(seed: int) -> Wave:
    """A device that wakes up: a thump, a hiss that settles."""
    t = _time()
    return _knock_padded(seed) + _random(seed).standard_normal(len(t)) * (0.05 * np.exp(-t * 1.5) + 0.002)


def _knock_padded(seed: int) -> Wave:
    knock = _knock(_random(seed))
    return np.pad(knock, (0, SECONDS * RATE - len(knock)))


def _formants(source: Wave, formants: tuple[float, ...], width: float = 90) -> Wave:
    """A source heard through a throat: resonances at the formants."""
    spectrum = np.fft.rfft(source)
    hertz = np.fft.rfftfreq(len(source), 1 / RATE)
    gain = sum(width**2 / ((hertz - formant) ** 2 + width**2) for formant in formants)
    wave: Wave = np.fft.irfft(spectrum * gain, len(source))
    return wave


def _pulses(pitch: Wave) -> Wave:
    """A buzz with a pulse per period, as strings, reeds and vocal folds make it."""
    phase = np.cumsum(pitch) / RATE
    return 1 - 2 * (phase % 1.0)


def _strings(low: float) -> Wave:
    """A bowed melody with vibrato in the range of a voice."""
    random = _random(21)
    t = _time()
    steps = np.repeat(random.choice((1, 9 / 8, 5 / 4, 4 / 3, 3 / 2), 20), len(t) // 20)
    return _formants(_pulses(low * steps * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * t))), (500, 1100, 2400), 300)


def _bark(random: np.random.Generator) -> Wave:
    t = _time(0.22)
    pitch = 500 - 300 * t / t[-1]
    rough = _pulses(pitch) + 0.5 * random.standard_normal(len(t))
    return _formants(rough, (800, 1600)) * np.hanning(len(t)) * random.uniform(0.2, 0.6)


def _squeak(random: np.random.Generator) -> Wave:
    t = _time(random.uniform(0.3, 0.8))
    pitch = random.uniform(300, 900) * (1 + 0.6 * t)
    return _formants(_pulses(pitch), (1200, 2800), 200) * np.hanning(len(t)) * 0.3


def _whistle() -> Wave:
    t = _time()
    return np.sin(2 * np.pi * np.cumsum(1200 + 300 * np.sin(2 * np.pi * 0.7 * t)) / RATE) * (np.sin(3 * t) > 0)


def _crowd(seed: int) -> Wave:
    """Noise with the spectrum and the syllable rhythm of speech, and no voice in it."""
    t = _time()
    noise = _formants(_coloured(seed, 0.5), (500, 1500, 2500), 400)
    return noise * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t + _random(seed).uniform(0, 6)))


def _engine_idling() -> Wave:
    t = _time()
    return _formants(_pulses(28 + 2 * np.sin(2 * np.pi * 0.3 * t)), (90, 300, 700), 120)


def _made() -> dict[str, Wave]:
    made: dict[str, Wave] = {"silence": np.zeros(SECONDS * RATE), "dither": _random(1).uniform(-1, 1, 160_000) / 32768}
    for level in (-60, -50, -40, -30, -20, -10):
        made[f"white noise {level} dBFS"] = at_level(_coloured(2, 0), level)
        made[f"pink noise {level} dBFS"] = at_level(_coloured(3, 0.5), level)
        made[f"brown noise {level} dBFS"] = at_level(_coloured(4, 1), level)
    for level in (-45, -30, -18):
        made[f"hum {level} dBFS"] = at_level(_hum(), level)
        made[f"melody {level} dBFS"] = at_level(_melody(6), level)
        made[f"second melody {level} dBFS"] = at_level(_melody(7), level)
        made[f"chords {level} dBFS"] = at_level(_chords(), level)
        made[f"bright chords {level} dBFS"] = at_level(_chords(14), level)
        made[f"drums {level} dBFS"] = at_level(_drums(8), level)
        made[f"band {level} dBFS"] = at_level(_drums(9) + at_level(_melody(9), -14) + at_level(_chords(), -14), level)
        made[f"siren {level} dBFS"] = at_level(_siren(), level)
        made[f"ringing {level} dBFS"] = at_level(_ringing(), level)
        made[f"modem {level} dBFS"] = at_level(_modem(), level)
        made[f"strings {level} dBFS"] = at_level(_strings(196), level)
        made[f"low strings {level} dBFS"] = at_level(_strings(98), level)
        made[f"whistle {level} dBFS"] = at_level(_whistle(), level)
        made[f"crowd {level} dBFS"] = at_level(_crowd(31), level)
        made[f"idling engine {level} dBFS"] = at_level(_engine_idling(), level)
        made[f"tone {level} dBFS"] = at_level(np.sin(2 * np.pi * 440 * _time()), level)
    for seed in (11, 12, 13):
        made[f"typing {seed}"] = _events(seed, _click, 6)
        made[f"knocks {seed}"] = _events(seed, _knock, 1)
        made[f"bursts {seed}"] = _events(seed, _burst, 0.6)
        made[f"breaths {seed}"] = _events(seed, _breath, 0.5)
        made[f"coughs {seed}"] = _events(seed, _cough, 0.5)
        made[f"paper {seed}"] = _events(seed, _paper, 0.8)
        made[f"barks {seed}"] = _events(seed, _bark, 0.7)
        made[f"squeaks {seed}"] = _events(seed, _squeak, 0.5)
        made[f"lead-in {seed}"] = _lead_in(seed)
    return made


def all_sounds() -> dict[str, bytes]:
    """Every sound of the set by its name."""
    return {name: pcm(wave) for name, wave in _made().items()}


def clip_pcm(path: Path) -> bytes:
    """Any recording as 16 kHz mono s16le."""
    resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    made: list[bytes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            made += [part.to_ndarray().astype("<i2").tobytes() for part in resampler.resample(frame)]
    made += [part.to_ndarray().astype("<i2").tobytes() for part in resampler.resample(None)]
    return b"".join(made)
