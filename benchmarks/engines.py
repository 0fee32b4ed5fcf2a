"""Figures of the on-device engines: `python benchmarks/engines.py CLIPS [load|live|second|streams ...]`.

CLIPS is a folder with manifest.json (file, reference, language). Audio goes in as 100 ms chunks in real time. Latency
is told against the sound's own energy: from the first voiced 20 ms of a clip to the first partial, and from the last
one to the last final. Prints the load average with each block: figures of a busy machine say how it degrades, not what
it costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
os.environ.setdefault("MEMWEB_DATA_DIR", tempfile.mkdtemp(prefix="memweb-engines-"))

import django
import numpy as np
import psutil

django.setup()

from memweb.engines import batch, live, pool, registry, weights
from memweb.engines.errors import AtCapacity
from memweb.speech.events import Failed, Final, Partial
from tests.wer import pooled, wer

CHUNK = 3200
SECOND = 32_000


def clip_pcm(path: Path) -> bytes:
    import av

    out = []
    resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            out += [made.to_ndarray().astype("<i2").tobytes() for made in resampler.resample(frame)]
    out += [made.to_ndarray().astype("<i2").tobytes() for made in resampler.resample(None)]
    return b"".join(out)


def voice_bounds(pcm: bytes) -> tuple[float, float]:
    """Seconds of the first and the end of the last 20 ms within 35 dB of the clip's loudest."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    level = 10 * np.log10(np.square(blocks).mean(axis=1) + 1)
    loud = np.flatnonzero(level > level.max() - 35)
    return float(loud[0] * 0.02), float((loud[-1] + 1) * 0.02)


class Heard:
    """What one stream said, and when."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last_final: float | None = None
        self.finals: list[str] = []
        self.partials = 0
        self.lags: list[int] = []
        self.failed = ""
        self.languages: set[str | None] = set()

    @property
    def text(self) -> str:
        return " ".join(self.finals)


async def play(pcm: bytes, language: str | None, *, lead_s: float = 1.0, tail_s: float = 3.0) -> Heard:
    """Speak a clip to a stream in real time; times are seconds from the clip's first sample."""
    heard = Heard()
    stream = await live.open_stream(language)
    audio = bytes(int(lead_s * SECOND)) + pcm + bytes(int(tail_s * SECOND))
    began = time.monotonic()

    async def speak() -> None:
        for at in range(0, len(audio), CHUNK):
            await asyncio.sleep(max(0.0, began + (at + CHUNK) / SECOND - time.monotonic()))
            await stream.feed(audio[at : at + CHUNK])
            heard.lags.append(stream.lag_ms)
        await stream.finish()

    speaking = asyncio.create_task(speak())
    async for event in stream:
        now = time.monotonic() - began - lead_s
        if isinstance(event, Partial) and event.text:
            heard.partials += 1
            heard.first = heard.first if heard.first is not None else now
        elif isinstance(event, Final):
            heard.first = heard.first if heard.first is not None else now
            heard.last_final = now
            heard.finals.append(event.segment.text)
            heard.languages.add(event.segment.language)
        elif isinstance(event, Failed):
            heard.failed = event.code
    await speaking
    await stream.close()
    return heard


def block(title: str) -> None:
    print(f"\n## {title} (load average {os.getloadavg()[0]:.1f})", flush=True)


def clips(folder: Path, language: str | None = "en") -> list[tuple[dict[str, Any], bytes]]:
    manifest = json.loads((folder / "manifest.json").read_text())
    return [
        (each, clip_pcm(folder / each["file"]))
        for each in manifest
        if each["reference"] and (language is None or each["language"] == language)
    ]


async def loading() -> None:
    block("Loading")
    for kind, language in (("moonshine", "en"), ("whisper", "es")):
        began = time.monotonic()
        worker = pool.current().worker(kind, await registry.live(language).prepare())
        await worker.ready.wait()
        took = time.monotonic() - began
        print(f"{worker.engine}: process {took:.2f} s, model {worker.load_ms} ms, {_rss_kb(worker)} kB")


async def lively(folder: Path) -> None:
    block("Live, one stream, English")
    pairs, firsts, finals = [], [], []
    for clip, pcm in clips(folder):
        onset, end = voice_bounds(pcm)
        heard = await play(pcm, "en")
        first = (heard.first if heard.first is not None else 99) - onset
        final = (heard.last_final if heard.last_final is not None else 99) - end
        pairs.append((clip["reference"], heard.text))
        firsts.append(first)
        finals.append(final)
        rate = wer(*pairs[-1])
        print(f"{clip['file']}: first {first:.2f} s, final {final:.2f} s, WER {rate:.1%}, lag {max(heard.lags)} ms")
    print(f"median first {statistics.median(firsts):.2f} s, final {statistics.median(finals):.2f} s")
    print(f"pooled WER {pooled(pairs):.1%}", flush=True)
    block("Live, one stream, other languages")
    for language in ("es", "de"):
        for clip, pcm in clips(folder, language):
            for asked in (language, None):
                heard = await play(pcm, asked)
                onset, end = voice_bounds(pcm)
                first, final = (heard.first or 99) - onset, (heard.last_final or 99) - end
                rate = wer(clip["reference"], heard.text, language)
                print(
                    f"{clip['file']} asked {asked}: {heard.languages}, first {first:.2f} s, final {final:.2f} s, "
                    f"WER {rate:.1%}"
                )


def second(folder: Path) -> None:
    block("Second pass")
    pairs = []
    for clip, pcm in clips(folder):
        began = time.monotonic()
        text = " ".join(segment.text for segment in batch.transcribe([pcm], None))
        pairs.append((clip["reference"], text))
        seconds = len(pcm) / SECOND
        print(f"{clip['file']}: {time.monotonic() - began:.1f} s for {seconds:.0f} s, WER {wer(*pairs[-1]):.1%}")
    print(f"pooled WER {pooled(pairs):.1%}")
    for language in ("es", "de"):
        for clip, pcm in clips(folder, language):
            found = list(batch.transcribe([pcm], None))
            rate = wer(clip["reference"], " ".join(segment.text for segment in found), language)
            print(f"{clip['file']}: {found[0].language}, WER {rate:.1%}", flush=True)


async def streams(folder: Path, count: int, seconds: int) -> None:
    workers = live.pool.settings.LIVE_WORKERS
    block(f"{count} streams at once, {workers} worker(s)")
    pcm = next(data for clip, data in clips(folder) if clip["file"].startswith("long"))[: seconds * SECOND]
    reference = next(clip["reference"] for clip, _ in clips(folder) if clip["file"].startswith("long"))
    cpu = _children_cpu()
    began = time.monotonic()

    async def one(number: int) -> Heard:
        await asyncio.sleep(number * 0.37)
        return await play(pcm, "en", lead_s=0.5)

    found = await asyncio.gather(*(one(number) for number in range(count)), return_exceptions=True)
    took = time.monotonic() - began
    heard = [each for each in found if isinstance(each, Heard)]
    refused = [each for each in found if isinstance(each, AtCapacity)]
    lags = sorted(lag for each in heard for lag in each.lags)
    print(f"refused {len(refused)}, failed {sum(bool(each.failed) for each in heard)}, took {took:.0f} s")
    print(f"lag ms: p50 {lags[len(lags) // 2]}, p95 {lags[len(lags) * 95 // 100]}, worst {lags[-1]}")
    print("WER " + ", ".join(f"{wer(reference, each.text):.1%}" for each in heard))
    print(f"partials {[each.partials for each in heard]}, cpu {(_children_cpu() - cpu) / took:.2f} cores")
    print(f"RSS kB {[_rss_kb(worker) for worker in pool.current().workers]}", flush=True)


def _rss_kb(worker: pool.WorkerProcess) -> int:
    return psutil.Process(worker.pid).memory_info().rss // 1024


def _children_cpu() -> float:
    total = 0.0
    for worker in pool.current().workers:
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("parts", nargs="*", default=["load", "live", "second", "streams"])
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=156, help="how much each of the streams says")
    asked = parser.parse_args()
    weights.ensure()
    if "load" in asked.parts:
        await loading()
    if "live" in asked.parts:
        await live.warm("en")
        await asyncio.sleep(2)
        await lively(asked.clips)
    if "streams" in asked.parts:
        await live.warm("en")
        await asyncio.sleep(2)
        await streams(asked.clips, asked.count, asked.seconds)
    await live.close()
    if "second" in asked.parts:
        second(asked.clips)


if __name__ == "__main__":
    asyncio.run(main())
