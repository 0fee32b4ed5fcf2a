"""A file of hours through the whole house: `python -m benchmarks.long_file CLIPS [--minutes 120]`.

Speech is repeated to the asked length, with one sentence of another clip as its last; the file goes up by tus in pieces
to a real server, is stopped once on its way, started again, and read by the engine built in. Prints what the page said
and for how long; how long after the stop the engine was at work; how far the shown per cents were from the clock's
share, at worst, and from the share of the engine's processor time, which neighbours on the machine do not bend; how
many times faster than it lasts it was read; the largest memory of each kind of process, in the first and in the last
quarter of the reading; and whether search finds the last sentence. `--trace` prints each look.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import httpx
import numpy as np
import psutil

from benchmarks.clips import SECOND, read
from tests.running import RunningServer
from tests.waiting import until

PIECE = 4 << 20
KIND = "application/offset+octet-stream"
SAID = re.compile(r'<div class="side">.*?<span class="num">(.*?)</span>', re.S)
SHOWN = re.compile(r'<progress class="prog" value="(\d+)"')
TRANSCRIBING = "Transcribing"
LAST, UNIQUE = "jfk.flac", "what your country can do for you"
BODY = "printing.flac"
STEP_S = 1.0
STUCK_S = 600.0
KINDS = {"memweb.server": "web", "manage.py work": "worker", "media.decoder": "decoding", "engines.reader": "reading"}


def made(path: Path, clips: Path, minutes: int) -> Path:
    """The long file, as FLAC."""
    body, last = read(clips / BODY), read(clips / LAST)
    rounds = max(1, (minutes * 60 * SECOND - len(last)) // (len(body) + SECOND))
    with av.open(str(path), "w", format="flac") as out:
        track = out.add_stream("flac", rate=16_000, layout="mono")
        at = 0
        for piece in [*[body + bytes(SECOND)] * rounds, last]:
            frame = av.AudioFrame.from_ndarray(np.frombuffer(piece, "<i2")[None, :], format="s16", layout="mono")
            frame.rate, frame.pts = 16_000, at
            at += frame.samples
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return path


class Person:
    """Somebody signed in, with a browser's manners."""

    def __init__(self, server: RunningServer) -> None:
        self.http = httpx.Client(base_url=server.url, cookies=server.sign_in(), timeout=120)
        page = self.http.get("/upload/").text
        found = re.search(r"X-CSRFToken(?:&quot;|\"|'|\s|:)+([A-Za-z0-9]{32,64})", page)
        assert found, "the page has no token"
        self.http.headers.update({"X-CSRFToken": found.group(1), "Origin": server.origin, "Tus-Resumable": "1.0.0"})

    def upload(self, path: Path) -> str:
        """Send it in pieces; where it is."""
        size = path.stat().st_size
        headers = {"Upload-Length": str(size), "Upload-Metadata": "filename bG9uZy5mbGFj"}
        where = self.http.post("/uploads/", headers=headers).raise_for_status().headers["location"]
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                more = {"Upload-Offset": str(file.tell() - len(piece)), "Content-Type": KIND}
                self.http.patch(where, content=piece, headers=more).raise_for_status()
        return str(where)

    def press(self, where: str, button: str) -> None:
        self.http.post(f"{_row(where)}{button}/", follow_redirects=True).raise_for_status()

    def sees(self, where: str) -> tuple[str, int | None]:
        """What the file's row says, without the number, and the per cent its bar shows, if it does."""
        row = self.http.get(_row(where)).raise_for_status().text
        said, shown = SAID.search(row), SHOWN.search(row)
        assert said, row
        return re.sub(r" \d+ %", "", said.group(1)).strip(), int(shown.group(1)) if shown else None


def _row(where: str) -> str:
    return where.replace("/uploads/", "/upload/")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the page and the machine."""

    at: float
    words: str
    percent: int | None
    memory: dict[str, int]
    """Bytes of the largest process of each kind."""
    worked_s: float
    """Processor time that the engine has taken; 0 while there is none."""


class Watched:
    """The file's row as a person sees it, and the memory of everything that is at work."""

    def __init__(self, person: Person, where: str) -> None:
        self._person, self._where = person, where
        self.looks: list[Look] = []

    def until(self, holds: Callable[[Look], bool]) -> None:
        """Look each second until this holds. A file that failed, or shows nothing new for ten minutes, ends it."""
        shown, since = "", time.monotonic()
        while not holds(look := self.look()):
            if (now := f"{look.words} {look.percent}") != shown:
                shown, since = now, time.monotonic()
            assert time.monotonic() - since < STUCK_S, look
            assert not look.words.startswith("Failed"), look
            time.sleep(STEP_S)  # as the page itself asks, and so that looking costs the engine little

    def look(self) -> Look:
        words, percent = self._person.sees(self._where)
        self.looks.append(Look(time.monotonic(), words, percent, memory(), worked_s()))
        return self.looks[-1]


def memory() -> dict[str, int]:
    """By kind of process, the largest one's."""
    largest: dict[str, int] = defaultdict(int)
    for kind, one in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            largest[kind] = max(largest[kind], one.memory_info().rss)
    return dict(largest)


def worked_s() -> float:
    """Processor time of the engine that reads."""
    for kind, one in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if kind == "reading":
                return float(sum(one.cpu_times()[:2]))
    return 0.0


def _processes() -> Iterator[tuple[str, psutil.Process]]:
    """Everything the server runs, and what that runs, each with its kind."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(child.cmdline())
            yield next((kind for part, kind in KINDS.items() if part in line), "others"), child


def stages(looks: list[Look]) -> list[tuple[str, float]]:
    """What the page said and for how many seconds, in order; without a per cent is another thing than with one."""
    found: list[tuple[str, float]] = []
    for look, after in pairwise(looks):
        words = look.words if look.percent is None else f"{look.words} n %"
        before = found.pop()[1] if found and found[-1][0] == words else 0.0
        found.append((words, before + after.at - look.at))
    return found


def dishonest(looks: list[Look]) -> float:
    """The furthest that a shown per cent was from the share of the time that had passed since the first of these."""
    began, ended = looks[0].at, looks[-1].at
    shares = [(look.percent, 100 * (look.at - began) / (ended - began)) for look in looks[:-1]]
    return max(abs(percent - share) for percent, share in shares if percent is not None)


def off_the_work(looks: list[Look]) -> float:
    """The furthest that a shown per cent was from the share of the engine's processor time: the clock without
    neighbours."""
    whole = max(look.worked_s for look in looks)
    shares = [(look.percent, 100 * look.worked_s / whole) for look in looks if look.worked_s]
    return max(abs(percent - share) for percent, share in shares if percent is not None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    file = made(folder / "long.flac", options.clips, options.minutes)
    print(f"{file.stat().st_size / 1e6:.0f} MB, load average {os.getloadavg()[0]:.1f}", flush=True)
    with RunningServer(folder, worker=True, env={"MEMWEB_MAX_UPLOAD_MB": "4096"}) as server:
        person = Person(server)
        began = time.monotonic()
        where = person.upload(file)
        print(f"uploaded in {time.monotonic() - began:.1f} s", flush=True)
        watched = Watched(person, where)
        watched.until(lambda look: look.words == TRANSCRIBING and (look.percent or 0) >= 3)
        told("before the stop", watched.looks)
        person.press(where, "stop")
        stopped = time.monotonic()
        until(lambda: "reading" not in memory(), what="the engine's end")
        print(f"stopped: the engine ended {time.monotonic() - stopped:.1f} s later", flush=True)
        watched.looks.clear()
        person.press(where, "retry")
        watched.until(lambda look: look.words.startswith("Ready"))
        looks = watched.looks
        told("after the second start", looks)
        if options.trace:
            for look in looks:
                share = 100 * (look.at - looks[0].at) / (looks[-1].at - looks[0].at)
                shown = f"{look.words} {look.percent} (clock {share:.1f}, work {look.worked_s:.1f} s)"
                print(f"{look.at - looks[0].at:8.1f} s {shown}")
        took = looks[-1].at - looks[0].at
        print(f"read in {took:.0f} s: {60 * options.minutes / took:.1f} times faster than it lasts")
        reading = [look for look in looks if look.words == TRANSCRIBING]
        for since, part in (("the second start", looks), (f'"{TRANSCRIBING}"', [*reading, looks[-1]])):
            print(f"per cents at most {dishonest(part):.1f} points from the clock's since {since}")
        print(f"per cents at most {off_the_work(looks):.1f} points from the share of the engine's processor time")
        quarter = max(1, len(looks) // 4)
        for kind in sorted({kind for look in looks for kind in look.memory}):
            first, last = (
                max((look.memory.get(kind, 0) for look in part), default=0) / 1e6
                for part in (looks[:quarter], looks[-quarter:])
            )
            print(f"{kind}: {first:.0f} MB in the first quarter, {last:.0f} MB in the last")
        found = person.http.get("/transcripts/", params={"q": f'"{UNIQUE}"'}).text
        print("search finds the last sentence:", "<mark" in found and "long" in found)


def told(when: str, looks: list[Look]) -> None:
    print(f"{when}: " + ", ".join(f"{words} {seconds:.0f} s" for words, seconds in stages(looks)), flush=True)


if __name__ == "__main__":
    main()
