"""Telling voices apart: `python -m benchmarks.speakers CLIPS [--minutes 10] [--peer]`.

Every clip, and one made of all their readers in turns of 1.5 to 9 seconds. Prints processor time for a second of sound,
how many times faster than it lasts, the voices found of those that there are, and of the time in which somebody reads
and somebody is found, how much goes to the right reader. `--peer` does the made one by Moonshine's own driver as well.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.clips import SECOND, read
from memweb.engines import voices

RATE = SECOND // 2
Spoken = list[tuple[float, float, str]]


def turns_of(pcm: bytes, threads: int) -> list[tuple[int, int, int]]:
    """Who speaks when, in this process, so that its processor time is known."""
    ear = voices.listener(threads)
    for at in range(0, len(pcm), 5 * SECOND):
        ear.add(np.frombuffer(pcm[at : at + 5 * SECOND], "<i2").astype(np.float32) / np.float32(32768))
    return ear.turns()


def right(turns: list[tuple[int, int, int]], spoken: Spoken) -> float:
    """The share that goes to the right reader, each voice standing for the reader it shares most time with."""
    shared: dict[int, dict[str, float]] = {}
    for start, end, voice in turns:
        for first, last, reader in spoken:
            both = min(end / 1000, last) - max(start / 1000, first)
            if both > 0:
                of_voice = shared.setdefault(voice, {})
                of_voice[reader] = of_voice.get(reader, 0.0) + both
    total = sum(sum(of_voice.values()) for of_voice in shared.values())
    best: dict[str, float] = {}
    for of_voice in shared.values():
        reader = max(of_voice, key=lambda name: of_voice[name])
        best[reader] = max(best.get(reader, 0.0), of_voice[reader])
    return sum(best.values()) / total if total else 0.0


def readers(clips: Path) -> dict[str, list[bytes]]:
    """What each reader of the clips says, at one loudness."""
    said: dict[str, list[bytes]] = {}
    for clip in json.loads((clips / "manifest.json").read_text()):
        if (
            not clip["file"].endswith(".flac")
            or clip["speakers"] == 0
            or clip["file"].startswith(("noisy", "dialogue"))
        ):
            continue
        sound = read(clips / clip["file"])
        name = clip["file"].split(".")[0].split("-")[0]
        for part in clip.get("segments") or [{"start": 0, "end": clip["seconds"], "speaker": name}]:
            piece = sound[round(part["start"] * RATE) * 2 : round(part["end"] * RATE) * 2]
            wave = np.frombuffer(piece, "<i2").astype(np.float64)
            level = np.clip(wave * 2500 / np.sqrt(np.mean(wave**2)), -32768, 32767).astype("<i2")
            said.setdefault(part["speaker"], []).append(level.tobytes())
    return said


def made(said: dict[str, list[bytes]], minutes: int) -> tuple[bytes, Spoken]:
    """Readers in turn, at random but always the same, with short pauses and a little noise."""
    dice = random.Random(1)
    pieces: list[bytes] = []
    spoken: Spoken = []
    at, last = 0, ""
    while at < minutes * 60 * RATE:
        last = dice.choice([name for name in said if name != last])
        sentence = dice.choice(said[last])
        length = min(len(sentence) // 2, int(dice.uniform(1.5, 9) * RATE))
        first = dice.randrange(0, len(sentence) // 2 - length + 1)
        spoken.append((at / RATE, (at + length) / RATE, last))
        pause = int(dice.uniform(0.2, 0.9) * RATE)
        pieces += [sentence[2 * first : 2 * (first + length)], bytes(2 * pause)]
        at += length + pause
    wave = np.frombuffer(b"".join(pieces), "<i2") + np.random.default_rng(1).normal(0, 30, at)
    return np.clip(wave, -32768, 32767).astype("<i2").tobytes(), spoken


def measured(name: str, pcm: bytes, spoken: Spoken, there: int, find: Callable[[bytes], Any]) -> float:
    """Print one line; processor time for a second of sound."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    turns = find(pcm)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    seconds = len(pcm) / SECOND
    cost = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds
    share = f", {100 * right(turns, spoken):.1f} % right" if spoken else ""
    found = len({voice for *_, voice in turns})
    print(
        f"{name}: {seconds:.0f} s, processor {cost:.3f} s a second, {seconds / took:.1f} times faster than it lasts,"
        f" {found} of {there} voices{share}",
        flush=True,
    )
    return cost


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer", action="store_true")
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}")

    def find(pcm: bytes) -> list[tuple[int, int, int]]:
        return turns_of(pcm, options.threads)

    for clip in json.loads((options.clips / "manifest.json").read_text()):
        spoken = [(part["start"], part["end"], part["speaker"]) for part in clip.get("segments", [])]
        measured(clip["file"], read(options.clips / clip["file"]), spoken, clip["speakers"], find)
    said = readers(options.clips)
    pcm, spoken = made(said, options.minutes)
    ours = measured("all readers in turn", pcm, spoken, len(said), find)
    if options.peer:
        with mock.patch.object(voices, "Models", side_effect=voices.NotCarried):
            theirs = measured("the same by Moonshine's own driver", pcm, spoken, len(said), find)
        print(f"processor time, ratio: {ours / theirs:.2f}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
