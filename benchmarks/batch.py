"""What the gateway adds to a file: `python -m benchmarks.batch FILE [--rounds N]`.

Three arms on one file in one run, in turns. Direct: a script that hands the file to faster-whisper, with the weights
and options that memweb uses. Bare: decoded in one process, read by `memweb.engines.batch`. Gateway: a real server is
sent the file and asked for its words, one request each, until it has answered. All load their model anew, as every file
does. Prints seconds, processor time of everything an arm runs, and ratios of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
BARE = """
import sys, time
import django
django.setup()
from pathlib import Path
from benchmarks.clips import read
from memweb.engines import batch
while sys.stdin.readline():
    began = time.monotonic()
    words = sum(len(segment.words) for segment in batch.transcribe([read(Path(sys.argv[1]))], "en"))
    print(time.monotonic() - began, words, flush=True)
"""
DIRECT = """
import json, sys
from faster_whisper import WhisperModel
folder, file, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=asked.pop("threads"))
found, _ = model.transcribe(file, language="en", **asked)
print(sum(len(segment.words) for segment in found), flush=True)
"""


@dataclass(frozen=True)
class Taken:
    """What one file took."""

    seconds: float
    cpu_s: float
    words: int


def cpu_of(process: psutil.Process) -> float:
    """Of a process, its children, and those that have ended."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        times = one.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


class Direct:
    def __init__(self, file: Path) -> None:
        import django

        os.environ.setdefault("MEMWEB_DATA_DIR", tempfile.mkdtemp())
        django.setup()
        from memweb.engines import reader, weights

        hello = weights.hello()
        asked = reader.asked_of_whisper({}) | {"threads": hello["threads"]}
        self._command = [sys.executable, "-c", DIRECT, hello["model_dir"], str(file), json.dumps(asked)]

    def take(self) -> Taken:
        before, began = os.times(), time.monotonic()
        words = subprocess.run(self._command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout
        seconds, after = time.monotonic() - began, os.times()
        cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
        return Taken(seconds, cpu_s, int(words))

    def close(self) -> None:
        pass


class Bare:
    def __init__(self, file: Path) -> None:
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "memweb.settings", "MEMWEB_DATA_DIR": tempfile.mkdtemp()}
        self._child = subprocess.Popen(
            [sys.executable, "-c", BARE, str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
        )  # fmt: skip
        self._process = psutil.Process(self._child.pid)

    def take(self) -> Taken:
        assert self._child.stdin
        assert self._child.stdout
        before = cpu_of(self._process)
        print("", file=self._child.stdin, flush=True)
        seconds, words = self._child.stdout.readline().split()
        return Taken(float(seconds), cpu_of(self._process) - before, int(words))

    def close(self) -> None:
        self._child.communicate("")


class Gateway:
    def __init__(self, file: Path) -> None:
        from tests.running import RunningServer

        self._file = file
        self._server = RunningServer(Path(tempfile.mkdtemp()))
        self._server.start()
        self._http = httpx.Client(
            base_url=self._server.url + "/serve/api/v2", headers={"Authorization": self._server.key()}, timeout=3600
        )
        self._process = psutil.Process(self._server.pid)

    def take(self) -> Taken:
        before, began = cpu_of(self._process), time.monotonic()
        with self._file.open("rb") as sound:
            kept = self._http.post("/upload", files={"file": (self._file.name, sound)}).json()
        order = {"asset_id": kept["data"]["asset_id"], "language": "en"}
        answer = self._http.post("/transcriptions/sync-generate-audio", json=order).json()
        seconds = time.monotonic() - began
        words = sum(len(item["text"].split()) for item in answer["data"]["items"])
        return Taken(seconds, cpu_of(self._process) - before, words)

    def close(self) -> None:
        self._http.close()
        self._server.__exit__(None, None, None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "memweb.settings"
    arms = {"direct": Direct(options.file), "bare": Bare(options.file), "gateway": Gateway(options.file)}
    found: dict[str, list[Taken]] = {name: [] for name in arms}
    try:
        for number in range(options.rounds + 1):
            first = number % len(arms)
            names = [*arms][first:] + [*arms][:first]
            for name in names:
                taken = arms[name].take()
                if number:  # the first of each warms the disk
                    found[name].append(taken)
                print(f"{name}: {taken.seconds:.2f} s, CPU {taken.cpu_s:.2f} s, {taken.words} words", flush=True)
    finally:
        for arm in arms.values():
            arm.close()
    figures = {
        name: {
            "seconds": statistics.median(one.seconds for one in takes),
            "cpu_s": statistics.median(one.cpu_s for one in takes),
        }
        for name, takes in found.items()
    }
    for what in ("seconds", "cpu_s"):
        for peer in ("direct", "bare"):
            print(f"{what}: gateway/{peer} {figures['gateway'][what] / figures[peer][what]:.3f}")
    print(f"load average {os.getloadavg()[0]:.1f}")
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
