"""Who speaks when in a whole recording. Blocking; the model runs in a child."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from memweb.engines import load, process, registry, talk
from memweb.engines.errors import EngineFailed, EngineMissing
from memweb.speech.voices import LONGEST_MS, Turn

BLOCK = 5 * 32_000
"""Bytes given at once: five seconds, which is about how often the model looks."""
LONGEST_STAND_BACK_S = 60.0


def available() -> bool:
    """Whether voices can be told apart on this machine."""
    return registry.has_moonshine()


def turns(pcm: Iterable[bytes], done: Callable[[int], None] | None = None, most: int | None = None) -> tuple[Turn, ...]:
    """The turns of a recording of s16le 16 kHz mono PCM, in order. `done` is told how many ms were heard.

    With more voices than `most`, what the others said falls to those they are most like.
    Stands back while live work is late. Raises EngineMissing, EngineFailed.
    """
    if not available():
        raise EngineMissing("Voices cannot be told apart here: Moonshine has no package for this machine.")
    blocks = _blocks(pcm)
    at = 0

    def alive() -> None:
        if done:
            done(at)

    with talk.child("voices") as (reading, writing, child):
        talk.write(writing, {"t": "hello", "threads": process.threads(), "most": most})
        while True:
            frame = talk.read(reading, alive)
            if frame is None:
                raise EngineFailed(f"The speaker engine stopped while it listened (code {child.wait()}). Try again.")
            head = frame[0]
            if head["t"] == "turns":
                return tuple(turn for told in head["turns"] for turn in _cut(*told))
            at = head["ms"]
            alive()
            load.stand_back(load.live_is_late, alive, LONGEST_STAND_BACK_S)
            block = next(blocks, None)
            talk.write(writing, {"t": "end"} if block is None else {"t": "audio"}, block or b"")


def _cut(start_ms: int, end_ms: int, voice: int) -> Iterator[Turn]:
    """One stretch as turns of a bounded length."""
    for at in range(start_ms, end_ms, LONGEST_MS):
        yield Turn(at, min(at + LONGEST_MS, end_ms), str(voice))


def _blocks(pcm: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pcm:
        held += piece
        while len(held) >= BLOCK:
            yield held[:BLOCK]
            held = held[BLOCK:]
    if held:
        yield held[: len(held) & ~1]
