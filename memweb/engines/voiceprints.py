"""The two models that tell voices apart, and what sorting voices needs to know, taken out of Moonshine's library.

Moonshine's library carries pyannote's "community-1" (CC-BY-4.0) as data: a segmentation model, which says for ten
seconds which of up to three voices speak in each frame, and a voiceprint model, which turns speech into 256 numbers.
Its own driver computes a voiceprint of all ten seconds for each of the three voices, also for those that are silent.
That is six times the sound there is; here only what a voice says is looked at. The models are the same.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memweb.engines.protocol import RATE

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CHUNK = 10 * RATE
"""Samples the segmentation model looks at."""
FRAMES = 589
"""Frames it tells of a chunk."""
FRAME = 270
"""Samples from one frame to the next."""
VOICES = 3
"""Voices it can tell apart in a chunk, numbered anew in each."""
PRINT = 256
"""Numbers in a voiceprint."""

_CONTEXT = 15
"""Feature frames (10 ms) of surroundings that the voiceprint model sees on both sides of what counts."""
_LIBRARIES = ("libmoonshine.so", "libmoonshine.dylib", "moonshine.dll")
_SYMBOL = "_ZN9cppannote19embedded_community1{length}{name}E"
_ARRAYS = {
    "xvec_mean1": (np.float64, (PRINT,)),
    "xvec_mean2": (np.float32, (128,)),
    "xvec_lda": (np.float32, (PRINT, 128)),
    "plda_mu": (np.float64, (128,)),
    "plda_tr": (np.float64, (128, 128)),
    "plda_psi": (np.float64, (128,)),
}


class NotCarried(Exception):
    """The library of this machine does not show its models, or there is nothing to run them with."""


class Spread(NamedTuple):
    """How voiceprints of one voice, and those of different voices, lie: a linear and a probabilistic projection."""

    mean1: Doubles
    mean2: Doubles
    lda: Doubles
    mu: Doubles
    tr: Doubles
    psi: Doubles


class Models:
    """Both models, loaded. Raises NotCarried."""

    def __init__(self, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise NotCarried("onnxruntime is not installed") from error
        library = _library()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
        options.enable_mem_pattern = False  # a plan of memory for each length of speech would add up

        def session(name: str) -> Any:
            return onnxruntime.InferenceSession(_data(library, name), options, providers=["CPUExecutionProvider"])

        self._segmentation = session("segmentation_ort_data")
        self._voiceprint = session("embedding_ort_data")
        arrays = {
            name: np.frombuffer(_data(library, name, np.dtype(kind).itemsize * int(np.prod(shape))), kind)
            .reshape(shape)
            .astype(np.float64)
            for name, (kind, shape) in _ARRAYS.items()
        }
        self.spread = Spread(*arrays.values())

    def segment(self, samples: Floats) -> Mask:
        """Which voices speak in a chunk: (FRAMES, VOICES). `samples` are CHUNK floats."""
        told: Floats = self._segmentation.run(None, {"waveforms": samples[None, None]})[0][0]
        return told > 0.5

    def voiceprint(self, features: Floats, frames: Mask) -> Floats | None:
        """The voiceprint of the `frames` (FRAMES of a chunk) of a chunk's features; None where there is too little."""
        counted = frames[np.arange(len(features)) * FRAMES // len(features)]
        near = np.convolve(counted, np.ones(2 * _CONTEXT + 1), "same") > 0.5
        weights = counted[near].astype(np.float32)
        told: Floats = self._voiceprint.run(None, {"fbank": features[near][None], "weights": weights[None]})[0][0]
        return told if np.isfinite(told).all() and told.any() else None


def _library() -> ctypes.CDLL:
    import moonshine_voice

    folder = Path(moonshine_voice.__file__).parent
    for name in _LIBRARIES:
        if (folder / name).is_file():
            return ctypes.CDLL(str(folder / name))
    raise NotCarried("Moonshine's library is not where it used to be")


def _data(library: ctypes.CDLL, name: str, size: int | None = None) -> bytes:
    """What lies under a name in the library; without a size the library tells it."""
    try:
        if size is None:
            size = ctypes.c_size_t.in_dll(library, _symbol(f"{name}_size")).value
        return bytes((ctypes.c_char * size).in_dll(library, _symbol(name)))
    except ValueError as error:
        raise NotCarried(f"Moonshine's library does not show {name}") from error


def _symbol(name: str) -> str:
    return _SYMBOL.format(length=len(name), name=name)


_WINDOW = 400
_STEP = 160
_FFT = 512
_BANDS = 80
_LOWEST_HZ = 20.0


def features(samples: Floats) -> Floats:
    """Log mel energies as Kaldi makes them, (frames, 80), their mean over time taken off: what voiceprints are made of.

    Frames of 25 ms every 10 ms. Fewer than 400 samples give none.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_STEP] * np.float32(32768)
    windows = windows - windows.mean(axis=1, keepdims=True)
    before = np.concatenate((windows[:, :1], windows[:, :-1]), axis=1)
    spectrum = np.fft.rfft((windows - np.float32(0.97) * before) * _HAMMING, _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    energies = np.log(np.maximum(power[:, : _FFT // 2] @ _MEL, np.finfo(np.float32).eps))
    found: Floats = energies - energies.mean(axis=0)
    return found


def _mel(hertz: npt.ArrayLike) -> Doubles:
    return 1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0)


def _bank() -> Doubles:
    """Triangles that are even on the mel scale: (256, 80)."""
    low, high = _mel(_LOWEST_HZ), _mel(RATE / 2)
    edges = low + (high - low) * np.arange(_BANDS + 2) / (_BANDS + 1)
    bins = _mel(np.arange(_FFT // 2) * RATE / _FFT)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank: Doubles = np.maximum(0.0, np.minimum(rising, falling))
    return bank


_HAMMING = np.hamming(_WINDOW).astype(np.float32)
_MEL = _bank().astype(np.float32)
