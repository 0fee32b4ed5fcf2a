"""What one session of the dictation page costs the server, against the stock way in the same run.

    python -m benchmarks.live [--sessions 50] [--seconds 20] [--repeats 3]

Both arms relay the same 100 ms frames to the same simulated upstream (`benchmarks.simulator`) and bring the
same answers back. The stock arm (`benchmarks.stock`) only relays. memweb also numbers, spools, syncs and
acknowledges every frame, keeps every message and saves every final. The server has core 0, generator and
simulator share the other cores.

Printed per arm, as medians: CPU per frame of the whole server process, saturated (one frame outstanding per session)
and at 10 frames a second; the same without memweb's two storing threads (spool and database), which is the way of the
sound alone and all that the stock arm does; latency from a frame to its interim answer, p50 and p99; from a frame that
ends a turn to its final, p50 (memweb saves it to disk first); memory per session, as the slope from a fifth of the
sessions, warm, to all of them, at ten frames a second (saturated, it would be the sound that waits for the disk). Then
the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.simulator import FRAMES_PER_TURN
from tests.running import RunningServer, clean_environment, free_port

SILENCE = bytes(3200)
NUMBER = re.compile(r'"f(\d+)"|\bf(\d+)\b')


@dataclass
class Figures:
    """One arm, one run. CPU in microseconds a frame, latency in milliseconds, memory in kilobytes a session."""

    cpu_saturated: float = 0.0
    way_saturated: float = 0.0
    cpu_paced: float = 0.0
    way_paced: float = 0.0
    latency: list[float] = field(default_factory=list)
    finals: list[float] = field(default_factory=list)
    memory: float = 0.0


@dataclass(frozen=True)
class Arm:
    """How to speak to one of the two servers."""

    name: str
    url: Callable[[], str]
    headers: dict[str, str]
    opening: str | None
    frame: Callable[[int], bytes]
    process: psutil.Process
    stores: bool
    """Whether the sound passes on the main thread alone, and the others store it; stock passes it through both."""


def page_frame(number: int) -> bytes:
    head = struct.pack("<2sBBIHHIdd", b"MW", 1, 0, number, 1600, 0, 0, number * 1600.0, time.time() * 1000)
    return head + SILENCE


@dataclass(frozen=True)
class Spent:
    """CPU seconds: of the process, and of the threads that the sound passes through."""

    process: float
    way: float

    def each(self, before: Spent, frames: int) -> tuple[float, float]:
        """Microseconds a frame since `before`."""
        return (self.process - before.process) / frames * 1e6, (self.way - before.way) / frames * 1e6


def spent(arm: Arm) -> Spent:
    threads = {thread.id: thread.user_time + thread.system_time for thread in arm.process.threads()}
    times = arm.process.cpu_times()
    return Spent(times.user + times.system, threads[arm.process.pid] if arm.stores else sum(threads.values()))


class Session:
    """One open page: sends frames and remembers when each was answered."""

    def __init__(self, socket: ClientConnection, frame: Callable[[int], bytes]) -> None:
        self.socket = socket
        self.frame = frame
        self.sent: dict[int, float] = {}
        self.latency: list[float] = []
        self.finals: list[float] = []
        self.number = 0
        self.answered = asyncio.Event()

    async def send(self) -> None:
        self.sent[self.number] = time.perf_counter()
        await self.socket.send(self.frame(self.number))
        self.number += 1

    async def listen(self) -> None:
        async for message in self.socket:
            if isinstance(message, bytes):
                continue
            found = NUMBER.search(message)
            if found is None:
                continue
            number = int(found[1] or found[2])
            at = self.sent.pop(number, None)
            if at is not None:
                kind = self.finals if number % FRAMES_PER_TURN == FRAMES_PER_TURN - 1 else self.latency
                kind.append((time.perf_counter() - at) * 1000)
                self.answered.set()


async def open_session(arm: Arm) -> Session:
    socket = await connect(
        arm.url(), additional_headers=arm.headers, compression=None, max_queue=None, ping_interval=None
    )
    if arm.opening:
        await socket.recv()
        await socket.send(arm.opening)
    return Session(socket, arm.frame)


async def saturate(sessions: list[Session], seconds: float) -> int:
    """Every session keeps one frame outstanding; the number of frames sent."""
    until = time.perf_counter() + seconds
    before = sum(session.number for session in sessions)

    async def pump(session: Session) -> None:
        while time.perf_counter() < until:
            session.answered.clear()
            await session.send()
            await asyncio.wait_for(session.answered.wait(), 20)

    await asyncio.gather(*(pump(session) for session in sessions))
    return sum(session.number for session in sessions) - before


async def pace(sessions: list[Session], seconds: float) -> int:
    """Ten frames a second each, spread evenly; the number of frames sent."""
    for session in sessions:
        session.latency.clear()
        session.finals.clear()

    async def pump(session: Session, delay: float) -> None:
        start = time.perf_counter() + delay
        for tick in range(int(seconds * 10)):
            await asyncio.sleep(max(0.0, start + tick / 10 - time.perf_counter()))
            await session.send()

    await asyncio.gather(*(pump(session, place / len(sessions) / 10) for place, session in enumerate(sessions)))
    await asyncio.sleep(1)
    return int(seconds * 10) * len(sessions)


async def measure(arm: Arm, count: int, seconds: float) -> Figures:
    figures = Figures()
    few = count // 5
    sessions = [await open_session(arm) for _ in range(few)]
    listeners = [asyncio.create_task(session.listen()) for session in sessions]
    await pace(sessions, seconds)
    resident = arm.process.memory_info().rss
    more = [await open_session(arm) for _ in range(count - few)]
    listeners += [asyncio.create_task(session.listen()) for session in more]
    sessions += more
    await pace(sessions, seconds)
    figures.memory = (arm.process.memory_info().rss - resident) / 1024 / (count - few)
    await saturate(sessions, 2)
    before = spent(arm)
    frames = await saturate(sessions, seconds)
    figures.cpu_saturated, figures.way_saturated = spent(arm).each(before, frames)
    before = spent(arm)
    frames = await pace(sessions, seconds)
    figures.cpu_paced, figures.way_paced = spent(arm).each(before, frames)
    figures.latency = [delay for session in sessions for delay in session.latency]
    figures.finals = [delay for session in sessions for delay in session.finals]
    for session in sessions:
        await session.socket.close()
    for listener in listeners:
        listener.cancel()
    return figures


@contextmanager
def simulator() -> Iterator[str]:
    port = free_port()
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.simulator", str(port)])
    try:
        wait_for_port(port)
        yield f"ws://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def wait_for_port(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
            return
        except httpx.ConnectError:
            time.sleep(0.05)
        except httpx.HTTPError:
            return
    raise SystemExit(f"nothing answers on port {port}")


@contextmanager
def stock_arm(upstream: str) -> Iterator[Arm]:
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "benchmarks.stock:application"]
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(
            command, env=clean_environment() | {"SIMULATOR": upstream}, stdout=nowhere, stderr=nowhere
        )
    try:
        wait_for_port(port)
        os.sched_setaffinity(child.pid, {0})
        url = f"ws://127.0.0.1:{port}/ws/"
        yield Arm("stock", lambda: url, {}, None, lambda number: SILENCE, psutil.Process(child.pid), stores=False)
    finally:
        child.kill()
        child.wait()


@contextmanager
def memweb_arm(upstream: str, folder: Path, server: str) -> Iterator[Arm]:
    env = {
        "MEMWEB_GATEWAY_URL": upstream.replace("ws://", "http://"),
        "MEMWEB_GATEWAY_KEY": "benchmark",
        "MEMWEB_GATEWAY_PACE": "1000",  # saturated is far above real time
    }
    with RunningServer(folder, env=env, server=server) as running:  # type: ignore[arg-type]
        os.sched_setaffinity(running.pid, {0})
        cookie = "; ".join(f"{name}={value}" for name, value in running.sign_in().items())
        opening = '{"t":"open","provider":"assemblyai","language":"en","title":"","started":%d,"rate":48000,"rev":0}'
        yield Arm(
            f"memweb on {server}",
            lambda: f"{running.ws_url}/ws/dictation/{uuid.uuid4()}/",
            {"Cookie": cookie, "Origin": running.origin},
            opening % int(time.time() * 1000),
            page_frame,
            psutil.Process(running.pid),
            stores=True,
        )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(name: str, runs: list[Figures]) -> dict[str, float]:
    row = {
        "CPU/frame saturated, us": statistics.median(run.cpu_saturated for run in runs),
        "without storing": statistics.median(run.way_saturated for run in runs),
        "CPU/frame at 10 Hz, us": statistics.median(run.cpu_paced for run in runs),
        "without storing, 10 Hz": statistics.median(run.way_paced for run in runs),
        "latency p50, ms": statistics.median(percentile(run.latency, 0.5) for run in runs),
        "latency p99, ms": statistics.median(percentile(run.latency, 0.99) for run in runs),
        "final p50, ms": statistics.median(percentile(run.finals, 0.5) for run in runs),
        "memory/session, kB": statistics.median(run.memory for run in runs),
    }
    print(f"{name:>18}  " + "  ".join(f"{label} {value:.1f}" for label, value in row.items()), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})
    runs: dict[str, list[Figures]] = {}
    with simulator() as upstream, tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            with stock_arm(upstream) as arm:
                runs.setdefault(arm.name, []).append(asyncio.run(measure(arm, options.sessions, options.seconds)))
            with memweb_arm(upstream, Path(folder) / str(repeat), options.server) as arm:
                runs.setdefault(arm.name, []).append(asyncio.run(measure(arm, options.sessions, options.seconds)))
    stock, ours = (summary(name, figures) for name, figures in runs.items())
    print("memweb / stock:  " + "  ".join(f"{label} {ours[label] / stock[label]:.2f}" for label in stock))


if __name__ == "__main__":
    main()
