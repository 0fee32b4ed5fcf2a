"""What a person sees who dictates: words and when they come, through the page's own socket, with the engine built in.

    python -m benchmarks.dictation CLIPS [--sessions 1] [--only NAME ...]

Each clip is spoken in real time (100 ms frames, a second of silence before and three after it) to a real server
with its worker. Told are, against the sound's own energy, the first words after the voice began and the last final
after it ended; the live word error rate, and that of the second pass that follows; clips with no speech must stay
without words. With ``--sessions 8`` as many speak at once: told is also what became of everybody's audio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clips import SECOND, Clip, clips, voice_bounds
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.wer import pooled, wer

LEAD_S, TAIL_S = 1.0, 3.0
FRAME = 3200
SECOND_PASS_SECONDS = 240


@dataclass
class TimedPage(PageClient):
    """A page that remembers when its words came. Seconds of `time.monotonic`."""

    first_words: float | None = None
    last_final: float | None = None
    worst_lag_ms: int = 0
    notes: list[str] = field(default_factory=list)

    def _read(self, message: dict[str, Any]) -> None:
        super()._read(message)
        now = time.monotonic()
        if message["t"] == "html" and self.log:
            self.last_final = now
        if self.first_words is None and (self.log or (message["t"] == "partial" and message["text"])):
            self.first_words = now
        if message["t"] == "state":
            self.worst_lag_ms = max(self.worst_lag_ms, message["lag_ms"])
            if message["note"] and message["note"] not in self.notes:
                self.notes.append(message["note"])

    async def speak(self, audio: bytes) -> float:
        """In real time; the moment the first sample was spoken."""
        began = time.monotonic()
        for at in range(0, len(audio), FRAME):
            await asyncio.sleep(max(0.0, began + (at + FRAME) / SECOND - time.monotonic()))
            self.make(audio[at : at + FRAME])
        return began


@dataclass(frozen=True)
class Spoken:
    """One clip, spoken once."""

    clip: Clip
    live: str
    first_s: float | None
    final_s: float | None
    lag_ms: int
    record: str
    notes: list[str]
    whole: bool
    """Whether every sample that was spoken is in the record."""


async def speak(server: RunningServer, cookies: dict[str, str], clip: Clip, delay: float = 0.0) -> Spoken:
    await asyncio.sleep(delay)
    audio = bytes(int(LEAD_S * SECOND)) + clip.pcm + bytes(int(TAIL_S * SECOND))
    audio += bytes(-len(audio) % FRAME)
    onset, end = voice_bounds(clip.pcm) if clip.reference else (0.0, 0.0)
    async with TimedPage(server, cookies, language=clip.language or "en") as page:
        began = await page.speak(audio) + LEAD_S
        first = page.first_words and page.first_words - began - onset
        final = page.last_final and page.last_final - began - end
        await page.ended(180)
        ack = page.last("ack")
        whole = ack is not None and ack["safe_ms"] == len(audio) * 1000 // SECOND
        return Spoken(clip, page.text, first, final, page.worst_lag_ms, str(page.record_id), page.notes, whole)


def second_passes(server: RunningServer) -> dict[str, str]:
    """Record id to the text of its second pass, once no job is left to do."""
    script = (
        "import json\nfrom transcripts.models import Job, Version\n"
        "left = Job.objects.exclude(status__in=['done', 'failed']).count()\n"
        "texts = {str(v.record_id): ' '.join(v.segments.values_list('text', flat=True))"
        " for v in Version.objects.filter(kind='second_pass')}\n"
        "print(json.dumps([left, texts]))"
    )
    deadline = time.monotonic() + SECOND_PASS_SECONDS
    while True:
        left, texts = json.loads(server.ask(script).splitlines()[-1])
        if not left or time.monotonic() > deadline:
            return dict(texts)
        time.sleep(2)


def tell(spoken: list[Spoken], second: dict[str, str]) -> None:
    for each in spoken:
        clip, better = each.clip, second.get(each.record, "")
        if not clip.reference:
            print(f"{clip.name}: live {each.live!r}, second pass {better!r}")
            continue
        timing = f"first {each.first_s or -1:.2f} s, final {each.final_s or -1:.2f} s, worst lag {each.lag_ms} ms"
        rates = f"WER live {wer(clip.reference, each.live, clip.language):.1%}"
        if each.record in second:  # not where the same engine heard it live
            rates += f", second pass {wer(clip.reference, better, clip.language):.1%}"
        print(f"{clip.name}: {timing}; {rates}; all audio kept: {each.whole} {' '.join(each.notes)}")
    english = [each for each in spoken if each.clip.language == "en" and each.clip.reference]
    if english:
        live = pooled((each.clip.reference, each.live) for each in english)
        later = pooled((each.clip.reference, second.get(each.record, "")) for each in english)
        first = statistics.median(each.first_s for each in english if each.first_s is not None)
        final = statistics.median(each.final_s for each in english if each.final_s is not None)
        print(f"English, pooled: live {live:.1%}, second pass {later:.1%}")
        print(f"medians: first words {first:.2f} s, last final {final:.2f} s")


async def one_by_one(server: RunningServer, chosen: list[Clip]) -> list[Spoken]:
    cookies = server.sign_in()
    await speak(server, cookies, Clip("warm-up", bytes(SECOND), "", "en"))
    return [await speak(server, cookies, clip) for clip in chosen]


async def together(server: RunningServer, chosen: list[Clip], sessions: int) -> list[Spoken]:
    cookies = server.sign_in()
    speakers = [chosen[place % len(chosen)] for place in range(sessions)]
    return list(await asyncio.gather(*(speak(server, cookies, clip, n * 0.37) for n, clip in enumerate(speakers))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    chosen = [clip for clip in clips(options.clips) if not options.only or clip.name in options.only]
    with tempfile.TemporaryDirectory() as folder, RunningServer(Path(folder), worker=True) as server:
        print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
        if options.sessions > 1:
            spoken = asyncio.run(together(server, chosen, options.sessions))
        else:
            spoken = asyncio.run(one_by_one(server, chosen))
        tell(spoken, second_passes(server))
        print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
