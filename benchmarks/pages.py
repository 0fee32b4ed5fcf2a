"""The page of a three-hour record, and its captions, against limits and against a naive peer.

    python -m benchmarks.pages [--rounds 5] [--each 30] [--segments 3000]

A record of 3,000 segments and 30,000 words with a time each, of three speakers, on a real server; asked for over one
kept connection, the arms in turns. Told are medians: processor time of the whole server process for one answer (what it
spends at rest is taken off), the weight of the page gzipped as a proxy would, and for srt and vtt how soon the first
byte comes and how much the server's memory grows, for the record and for one ten times as long. The peer is the page as
it is written first: one Django template with a loop over all words, without a server or a database.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import psutil

from tests.running import RunningServer

CPU_MS, WEIGHT_KB, OF_THE_PEER = 15.0, 15.0, 0.05
"""The aims: first content of a three-hour record. The milliseconds are of a machine on which the peer takes 350."""
WORDS = 10
SEGMENT_MS = 3600
NAIVE = """{% for turn in turns %}<p id="t{{ turn.number }}"><b>{{ turn.speaker }}</b> <time>{{ turn.at }}</time>
{% for word in turn.words %}<b data-start="{{ word.at }}" data-end="{{ word.end }}">{{ word.text }}</b> {% endfor %}
</p>{% endfor %}"""


def fill(owner_name: str, segments: int) -> uuid.UUID:
    """Run within the server's project: a record of so many segments. Its id."""
    from datetime import timedelta

    from django.utils import timezone

    from memweb.accounts.models import User
    from memweb.speech import transcript as speech
    from transcripts import seeding, services
    from transcripts.models import Record, Recording, Version

    talk = seeding.Speech(segments)
    owner, record_id = User.objects.get(username=owner_name), uuid.uuid4()
    services.open_record(
        id=record_id,
        owner_id=owner.pk,
        title="Three hours",
        language="en",
        started_at=timezone.now() - timedelta(days=1),
    )

    def line(number: int) -> speech.Segment:
        text, at = talk.sentence(WORDS), number * SEGMENT_MS
        words = [
            speech.Word(word, at + place * 340, at + place * 340 + 300, 0.4 if place == 7 else 0.93)
            for place, word in enumerate(text.split())
        ]
        return speech.Segment(
            str(number), at, words[-1].end_ms, text, tuple(words), speaker=f"speaker_{number // 4 % 3}", language="en"
        )

    version = services.add_version(
        record_id=record_id, kind=Version.Kind.TRANSCRIBED, model="made up", language="en",
        segments=map(line, range(segments)),
    )  # fmt: skip
    services.show_version(record_id=record_id, number=version.number)
    Recording.objects.create(
        record_id=record_id, path="none.flac", samples=segments * SEGMENT_MS * 16, size=1, pcm_sha256="0" * 64,
        peaks=bytes(segments * SEGMENT_MS // 100),
    )  # fmt: skip
    Record.objects.filter(pk=record_id).update(status=Record.Status.READY, duration_ms=segments * SEGMENT_MS)
    return record_id


def naive(segments: int, rounds: int) -> float:
    """Run within the server's project: milliseconds of processor to put all words through a template, the median."""
    from django.template import Context, Engine

    from transcripts import seeding

    talk, template, spent = seeding.Speech(segments), Engine().from_string(NAIVE), []
    turns = [
        {
            "number": number, "speaker": f"Speaker {number % 3}", "at": number * SEGMENT_MS,
            "words": [
                {"text": word, "at": number * SEGMENT_MS + place * 340, "end": number * SEGMENT_MS + place * 340 + 300}
                for place, word in enumerate(talk.sentence(WORDS).split())
            ],
        }
        for number in range(segments)
    ]  # fmt: skip
    for _ in range(rounds):
        began = time.process_time()
        template.render(Context({"turns": turns}))
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


class Meter:
    """Processor time of the server process, beyond what it spends at rest."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        began, spent = time.monotonic(), self._spent()
        time.sleep(3)  # nothing is asked for: what it spends now is what it spends at rest
        self.at_rest = (self._spent() - spent) / (time.monotonic() - began)

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        return float(self._process.memory_info().rss) / 1e6

    def each_ms(self, client: httpx.Client, path: str, count: int) -> float:
        began, spent = time.monotonic(), self._spent()
        for _ in range(count):
            client.get(path).raise_for_status()
        return (self._spent() - spent - self.at_rest * (time.monotonic() - began)) * 1000 / count


def everything(client: httpx.Client, record: str) -> int:
    """The page and all that follows it, as a reader who scrolls to the end has it; how many bytes."""
    page = client.get(f"/transcripts/{record}/").text
    size = len(page.encode())
    while onward := re.search(r'hx-get="([^"]*/segments/[^"]*)"', page):
        page = client.get(onward[1].replace("&amp;", "&")).text
        size += len(page.encode())
    return size


def captions(client: httpx.Client, meter: Meter, path: str) -> tuple[float, float, float, int]:
    """Milliseconds to the first byte and to the last, megabytes that the server grew at its highest, bytes."""
    before, highest, size, first = meter.memory_mb(), 0.0, 0, 0.0
    began = time.monotonic()
    with client.stream("GET", path) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            first = first or time.monotonic() - began
            size += len(piece)
            highest = max(highest, meter.memory_mb())
    return first * 1000, (time.monotonic() - began) * 1000, highest - before, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=30)
    parser.add_argument("--segments", type=int, default=3000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RunningServer(Path(folder)) as server:
        made = [
            server.ask(f"from benchmarks.pages import fill\nprint(fill('owner', {count}))")
            for count in (1, options.segments, options.segments * 10)
        ]
        client = httpx.Client(base_url=server.url, cookies=server.sign_in(), timeout=120)
        meter = Meter(server.pid)
        print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {meter.at_rest * 1000:.0f} ms/s at rest")
        spent = tell_pages(client, meter, made[0], made[1], options)
        asked = f"from benchmarks.pages import naive\nprint(naive({options.segments}, {options.rounds}))"
        peer = float(server.ask(asked))
        ratio = f"{spent / peer:.3f}, aim {OF_THE_PEER}"
        print(f"all words through one template: {peer:.0f} ms of processor; three hours against it: {ratio}")
        for extension in ("srt", "vtt"):
            for name, record in (("the record", made[1]), ("ten times as long", made[2])):
                path = f"/transcripts/{record}/export/{extension}"
                captions(client, meter, path)  # the first fills what is kept
                first, last, grown, size = captions(client, meter, path)
                told = f"first byte after {first:.0f} ms, last after {last:.0f} ms, memory +{grown:.1f} MB"
                print(f"{extension} of {name}: {size / 1e3:.0f} kB, {told}")
        print(f"load average {os.getloadavg()[0]:.1f} at the end")


def tell_pages(client: httpx.Client, meter: Meter, short: str, long: str, options: argparse.Namespace) -> float:
    """Milliseconds of processor for the record of three hours."""
    arms = {"one line": f"/transcripts/{short}/", "three hours": f"/transcripts/{long}/", "/healthz": "/healthz"}
    found: dict[str, list[float]] = {name: [] for name in arms}
    for path in arms.values():
        meter.each_ms(client, path, 5)
    for _ in range(options.rounds):
        for name, path in arms.items():
            found[name].append(meter.each_ms(client, path, options.each))
    spent = {name: statistics.median(rounds) for name, rounds in found.items()}
    page = client.get(arms["three hours"]).content
    weight = len(gzip.compress(page, 6)) / 1e3
    whole = everything(client, long)
    for name, ms in spent.items():
        print(f"{name}: {ms:.1f} ms of processor (each round {', '.join(f'{one:.1f}' for one in found[name])})")
    print(f"three hours against the aim of {CPU_MS:.0f} ms: {spent['three hours'] / CPU_MS:.2f}")
    print(f"three hours against one line: {spent['three hours'] / spent['one line']:.2f}")
    print(f"weight: {weight:.1f} kB gzipped ({len(page) / 1e3:.0f} kB), aim {WEIGHT_KB:.0f}: {weight / WEIGHT_KB:.2f}")
    print(f"all segments together would be {whole / 1e3:.0f} kB: {whole / len(page):.0f} times")
    return spent["three hours"]


if __name__ == "__main__":
    main()
