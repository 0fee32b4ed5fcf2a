"""How soon an audience reads what is spoken: captions for many viewers at once, against the promise and against one.

    python -m benchmarks.captions [--viewers 200] [--seconds 20] [--rounds 3]

A page dictates at ten frames a second to a real server; a simulated gateway hears a numbered word in each frame and
answers at once. Each round has one viewer first, then all of them. A word's lateness is the time from when it was
spoken until a viewer was shown it; every word for every viewer counts, and one that was never shown ends the run.
Printed are p50, p99 and the worst of each arm, the worst against the promised second, many viewers against one, and
what the server's processor needed for a viewer and a second. Speaker and viewers are one process beside the server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.dictation.evidence import environment
from tests.dictation.test_an_audience_reads_along import link
from tests.page_client import PageClient
from tests.running import RunningServer
from tests.upstream_simulator import Simulator

PROMISE_S = 1.0
WORD = re.compile(r"\bf(\d+)\b")


@dataclass
class Arm:
    """Seconds from mouth to eye, of each word and viewer; the server's processor seconds."""

    late: list[float] = field(default_factory=list)
    busy_s: float = 0.0

    def at(self, percent: int) -> float:
        return statistics.quantiles(self.late, n=100, method="inclusive")[percent - 1]

    def __str__(self) -> str:
        return f"p50 {self.at(50) * 1000:.0f} ms, p99 {self.at(99) * 1000:.0f} ms, worst {max(self.late) * 1000:.0f} ms"


@dataclass
class Viewer:
    """Remembers when each numbered word was first shown."""

    socket: ClientConnection
    seen: dict[int, float] = field(default_factory=dict)

    async def watch(self) -> None:
        try:
            async for message in self.socket:
                now = time.monotonic()
                for number in WORD.findall(str(message)):
                    self.seen.setdefault(int(number), now)
        except ConnectionClosed:
            return


async def audience(server: RunningServer, viewers: int, frames: int, arm: Arm) -> None:
    """Dictate to this many viewers, and note how late each word was for each of them."""
    async with PageClient(server, server.sign_in()) as page, AsyncExitStack() as seats:
        await page.record(1)
        await page.until(lambda: page.acked > 0, "a record")
        address = f"{server.ws_url}/ws/captions/{await link(server, page.record_id)}/"
        everyone = []
        for _ in range(viewers):
            line = connect(address, origin=Origin(server.origin), compression=None)
            everyone.append(Viewer(await seats.enter_async_context(line)))
        watching = [asyncio.create_task(one.watch()) for one in everyone]
        await page.until(lambda: all(0 in one.seen for one in everyone), "a first look")
        process, spoken = psutil.Process(server.pid), {}
        before = sum(process.cpu_times()[:2])
        for number in range(1, frames):
            spoken[number] = time.monotonic()
            await page.record(1, interval=0.1)
        arm.busy_s += sum(process.cpu_times()[:2]) - before
        await page.until(lambda: all(frames - 2 in one.seen for one in everyone), "the last words")
        # The gateway is one frame behind: the last one is heard with the end.
        arm.late += [one.seen[number] - at for number, at in spoken.items() if number < frames - 1 for one in everyone]
        await page.ended()
        for one in watching:
            one.cancel()


async def measure(viewers: int, seconds: int, rounds: int) -> None:
    one, many = Arm(), Arm()
    with (
        tempfile.TemporaryDirectory() as folder,
        Simulator() as simulator,
        RunningServer(Path(folder), env=environment(simulator)) as server,
    ):
        for _ in range(rounds):
            await audience(server, 1, seconds * 10, one)
            await audience(server, viewers, seconds * 10, many)
    spoken_s = seconds * rounds
    print(f"one viewer: {one}; the server's processor {one.busy_s / spoken_s:.1%} of a core")
    print(f"{viewers} viewers: {many}; the server's processor {many.busy_s / spoken_s:.1%} of a core")
    print(f"the worst of {viewers} against the promised second: {max(many.late) / PROMISE_S:.2f}")
    print(f"p50 and p99 of {viewers} against one: {many.at(50) / one.at(50):.2f}, {many.at(99) / one.at(99):.2f}")
    each = (many.busy_s - one.busy_s) / spoken_s / (viewers - 1)
    print(f"each further viewer: {each * 1000:.2f} ms of processor a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    asyncio.run(measure(options.viewers, options.seconds, options.rounds))


if __name__ == "__main__":
    main()
