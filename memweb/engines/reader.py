"""Whole recordings in a process of their own: `python -m memweb.engines.reader`.

The child leads: it asks for audio and waits for leave after every line, so that the parent can hold it while live work
is late, and neither can fill the other's pipe. Each frame of the child's answers one of the parent's.

In:  hello{model_dir,threads,language,path?,favoured?,prompt?,temperature?,seed?,translate?} audio{}+pcm end{} go{}
Out: more{} line{...,measures?,total_ms?} at{ms,voiced_ms,language?,language_confidence?,total_ms?} done{}
     broken{kind,message}
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from memweb.engines import wire
from memweb.engines.protocol import RATE, Line, to_ms
from memweb.speech.recognition import Measures, Stretch

Samples = npt.NDArray[np.float32]
_Made = tuple[Line, Measures | None] | Stretch

BLOCK = 120 * RATE
"""Samples read at once. More context does not help Whisper, and memory must not grow with the recording."""
SEARCH = 20 * RATE
"""A block is cut at the quietest moment of its last samples."""
PASSED_OVER = 4 * RATE
"""Samples without a word that are listened to again,"""
VOICED_S = 2.0
"""... and read if there is so much voice in them."""
_QUIET = RATE // 5
NICENESS = 10
"""Live work weighs ten times as much; still enough to get on beside a busy neighbour."""


def blocks(pieces: Iterable[bytes]) -> Iterator[tuple[int, Samples]]:
    """Cut s16le PCM into blocks at quiet moments; each with the number of its first sample."""
    held = np.empty(0, np.int16)
    first = 0
    carry = b""
    for piece in pieces:
        data = carry + piece
        cut = len(data) & ~1
        carry = data[cut:]
        held = np.concatenate((held, np.frombuffer(data[:cut], dtype="<i2")))
        while len(held) >= BLOCK:
            end = _quietest(held[:BLOCK])
            yield first, _floats(held[:end])
            held, first = held[end:], first + end
    if len(held):
        yield first, _floats(held)


def _floats(samples: npt.NDArray[np.int16]) -> Samples:
    return samples.astype(np.float32) / np.float32(32768)


def _quietest(samples: npt.NDArray[np.int16]) -> int:
    """The middle of the quietest 200 ms near the end."""
    start = len(samples) - SEARCH
    count = SEARCH // _QUIET
    windows = samples[start : start + count * _QUIET].reshape(count, _QUIET).astype(np.float64)
    return start + int(np.argmin(np.square(windows).sum(axis=1))) * _QUIET + _QUIET // 2


def decoded(path: str) -> tuple[Iterator[bytes], int | None]:
    """PCM of a WAV or FLAC file, and its length in ms where the file says so. Raises what av raises."""
    import av

    container: Any = av.open(path, format=_format(path))
    length = container.duration // 1000 if container.duration else None

    def pieces() -> Iterator[bytes]:
        resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        with container:
            for frame in container.decode(audio=0):
                for made in resampler.resample(frame):
                    yield made.to_ndarray().astype("<i2").tobytes()
            for made in resampler.resample(None):
                yield made.to_ndarray().astype("<i2").tobytes()

    return pieces(), length


def _format(path: str) -> str:
    """Our own recordings are FLAC; nothing is probed, so nothing can be talked into another demuxer."""
    with open(path, "rb") as file:
        return "flac" if file.read(4) == b"fLaC" else "wav"


class Reader:
    """One recording, read by Whisper or, where it is not installed, by Moonshine."""

    def __init__(self, reading: BinaryIO, writing: BinaryIO) -> None:
        self._in, self._out = reading, writing

    def serve(self) -> None:
        """Read the one recording that is asked for."""
        hello, _ = self._receive()
        try:
            self._read(hello)
        except Exception as error:  # whatever it is, the parent says it in words
            self._send({"t": "broken", "kind": type(error).__module__, "message": f"{type(error).__name__}: {error}"})

    def _read(self, hello: wire.Head) -> None:
        pieces, total = decoded(hello["path"]) if hello.get("path") else (self._asked(), None)
        lines = _whisper(hello, pieces) if hello.get("model_dir") else _moonshine(pieces)
        for made in lines:
            if isinstance(made, Stretch):
                self._send({"t": "at", "ms": made.end_ms, "total_ms": total} | asdict(made))
            else:
                line, measures = made
                told = {} if measures is None else {"measures": asdict(measures)}
                self._send({"t": "line", "total_ms": total} | asdict(line) | told)
            if self._receive()[0]["t"] != "go":
                return
        self._send({"t": "done"})

    def _asked(self) -> Iterator[bytes]:
        while True:
            self._send({"t": "more"})
            head, body = self._receive()
            if head["t"] != "audio":
                return
            yield body

    def _receive(self) -> wire.Frame:
        frame = wire.read(self._in)
        if frame is None:
            os._exit(0)  # the parent has gone
        return frame

    def _send(self, head: wire.Head) -> None:
        self._out.write(wire.pack(head))
        self._out.flush()


def _whisper(hello: wire.Head, pieces: Iterable[bytes]) -> Iterator[_Made]:
    """Lines, and after each block what was in it."""
    from memweb.engines.whisper import SURE, load_model, speaks_only_english, spoken

    model = load_model(hello["model_dir"], hello["threads"])
    asked = asked_of_whisper(hello)
    language = "en" if speaks_only_english(model) else hello["language"]
    for first, samples in blocks(pieces):
        found, info = model.transcribe(samples, language=language, **asked)
        detected: dict[str, Any] = {}
        for segment, since in _whole(model, samples, found, asked | {"language": info.language}):
            text = segment.text.strip()
            words = spoken(segment.words, to_ms(first + since))
            if not text or not words:
                continue
            if language is None:
                detected = {"language": info.language, "language_confidence": round(info.language_probability, 4)}
                if info.language_probability >= SURE:
                    language = info.language
            line = Line(text, words[0].start_ms, words[-1].end_ms, True, words, info.language)
            yield line, _measures(segment, first + since)
        yield Stretch(to_ms(first + len(samples)), round(1000 * info.duration_after_vad), **detected)


def _whole(model: Any, samples: Samples, found: Iterable[Any], asked: dict[str, Any]) -> Iterator[tuple[Any, int]]:
    """Whisper's segments, each with the sample its times count from, and in order those it had passed over.

    Where one voice ends and another begins, Whisper may take the rest of its window for silence: a whole sentence.
    """
    heard = 0
    for segment in found:
        if not segment.words:
            continue
        yield from _passed_over(model, samples, heard, round(segment.words[0].start * RATE), asked)
        yield segment, 0
        heard = round(segment.words[-1].end * RATE)
    yield from _passed_over(model, samples, heard, len(samples), asked)


def _passed_over(
    model: Any, samples: Samples, begin: int, end: int, asked: dict[str, Any]
) -> Iterator[tuple[Any, int]]:
    """What is said between two words that are far apart, where anything is."""
    if end - begin < PASSED_OVER:
        return
    found, info = model.transcribe(samples[begin:end], **asked)
    if info.duration_after_vad >= VOICED_S:
        yield from ((segment, begin) for segment in found)


def asked_of_whisper(hello: wire.Head) -> dict[str, Any]:
    """What faster-whisper is asked for with each block."""
    asked: dict[str, Any] = {
        "beam_size": 1,
        "vad_filter": True,
        "word_timestamps": True,
        "condition_on_previous_text": False,
        "hotwords": ", ".join(hello.get("favoured") or ()) or None,
        "initial_prompt": hello.get("prompt") or None,
        "task": "translate" if hello.get("translate") else "transcribe",
    }
    if hello.get("temperature"):
        asked["temperature"] = hello["temperature"]
    if hello.get("seed") is not None:
        import ctranslate2

        ctranslate2.set_random_seed(hello["seed"])
    return asked


def _measures(segment: Any, first: int) -> Measures:
    return Measures(
        tuple(segment.tokens),
        segment.seek + first * 100 // RATE,
        segment.temperature or 0.0,
        segment.avg_logprob,
        segment.compression_ratio,
        segment.no_speech_prob,
    )


def _moonshine(pieces: Iterable[bytes]) -> Iterator[_Made]:
    from memweb.engines.moonshine import Moonshine
    from memweb.engines.protocol import Want
    from memweb.engines.stray import is_stray

    ear = Moonshine().open("en", 0)
    for _, samples in blocks(pieces):
        data = (samples * 32768).astype("<i2").tobytes()
        lines: list[Line] = []
        for at in range(0, len(data), 10 * RATE * 2):
            ear.hear(data[at : at + 10 * RATE * 2])
            while ear.want(float("inf")) is Want.FINAL:
                lines += ear.speak()
        lines += ear.commit()
        kept = [line for line in lines if line.final and not is_stray(line)]
        yield from ((line, None) for line in kept)
        yield Stretch(to_ms(ear.heard), sum(line.end_ms - line.start_ms for line in kept))


def main() -> None:
    """Serve the parent on the socket that is standard input."""
    with suppress(OSError):
        os.nice(NICENESS)
    link = socket.socket(fileno=os.dup(0))
    Reader(link.makefile("rb"), link.makefile("wb")).serve()


if __name__ == "__main__":
    main()
