"""What passing live sound on costs the gateway, against nginx, a plain `websockets` proxy and no proxy, in one run.

    python -m benchmarks.relay [--sessions 50] [--hold 200] [--seconds 5] [--repeats 3]

Every arm passes the same 3,200-byte binary frames to one upstream, which answers each with 230 bytes of text. The proxy
under test has core 0, upstream and generator share core 1. memweb also checks the key, counts and charges. Printed per
arm, as medians: proxy CPU per frame saturated (one frame outstanding per session) and at 10 frames a second, latency
p50 and p99 from frame to answer, memory per session, and how `--hold` sessions at 10 Hz do; then the ratios to nginx.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil
import uvloop

from tests.running import RunningServer, free_port
from tests.server.raw import frame as client_frame

FRAME = client_frame(2, bytes(3200))
ANSWER = b"\x81\x7e\x00\xe6" + b'{"type":"Turn"}'.ljust(230)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
 uwsgi_temp_path {folder}; scgi_temp_path {folder};
 server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://127.0.0.1:{upstream};
  proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
  proxy_read_timeout 1h; }} }} }}"""


@dataclass
class Figures:
    """One arm, one run: microseconds, milliseconds, kilobytes."""

    saturated: float = 0.0
    paced: float = 0.0
    latency: list[float] = field(default_factory=list)
    memory: float = 0.0
    held: list[float] = field(default_factory=list)


# --- the upstream


class Upstream(asyncio.Protocol):
    """Answers every frame; counts them by length alone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.seen, self.open = b"", False
        self.waiting = 0

    def data_received(self, data: bytes) -> None:
        if not self.open:
            self.seen += data
            head, end, _ = self.seen.partition(b"\r\n\r\n")
            if end:
                self.open = True
                key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
                accept = base64.b64encode(hashlib.sha1(key.split(b":", 1)[1].strip() + GUID).digest())
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
            return
        self.waiting += len(data)
        whole, self.waiting = divmod(self.waiting, len(FRAME))
        if whole:
            self.transport.write(ANSWER * whole)


def serve_upstream(port: int) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    uvloop.run(main())


def serve_websockets(port: int, upstream: int) -> None:
    """The plain way: two connections of the websockets library, and a loop each way."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def relay(client: ServerConnection) -> None:
        assert client.request is not None
        url = f"ws://127.0.0.1:{upstream}{client.request.path}"
        async with connect(url, compression=None, max_size=None, ping_interval=None) as provider:

            async def up() -> None:
                with suppress(ConnectionClosed):
                    async for message in client:
                        await provider.send(message)
                await provider.close()

            task = asyncio.ensure_future(up())
            with suppress(ConnectionClosed):  # the generator hangs up without a word
                async for message in provider:
                    await client.send(message)
            task.cancel()

    async def main() -> None:
        async with serve(relay, "127.0.0.1", port, compression=None, max_size=None, ping_interval=None) as server:
            await server.serve_forever()

    os.sched_setaffinity(0, {0})
    uvloop.run(main())


# --- the generator


class Session(asyncio.Protocol):
    """One client: sends when told, notes when each answer came."""

    def __init__(self, load: Load, path: str, headers: str) -> None:
        self.load, self.path, self.headers = load, path, headers
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen, self.partial, self.sent_at = b"", 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"{self.headers}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            self.seen += data
            if b"\r\n\r\n" in self.seen:
                assert self.seen.startswith(b"HTTP/1.1 101"), self.seen[:200]
                self.open.set_result(None)
            return
        self.partial += len(data)
        while self.partial >= len(ANSWER):
            self.partial -= len(ANSWER)
            self.load.answered(self)

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(FRAME)


class Load:
    """Many sessions and their answers."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.answers = 0
        self.latency: list[float] = []
        self.saturating = False

    async def connect(self, count: int, port: int, path: str, headers: str) -> None:
        loop = asyncio.get_running_loop()
        for at in range(0, count, 20):
            group = []
            for _ in range(min(20, count - at)):
                _, session = await loop.create_connection(lambda: Session(self, path, headers), "127.0.0.1", port)
                group.append(session)
            await asyncio.wait_for(asyncio.gather(*(session.open for session in group)), 30)
            self.sessions += group

    def answered(self, session: Session) -> None:
        self.answers += 1
        self.latency.append((time.perf_counter() - session.sent_at) * 1000)
        if self.saturating:
            session.send()

    async def saturate(self, seconds: float) -> None:
        self.saturating = True
        for session in self.sessions:
            session.send()
        await asyncio.sleep(seconds)
        self.saturating = False
        await asyncio.sleep(0.3)

    async def pace(self, seconds: float) -> None:
        """Ten frames a second each, evenly spread."""
        begin, step = time.perf_counter(), 0.1 / len(self.sessions)
        for number in range(int(seconds / step)):
            ahead = begin + number * step - time.perf_counter()
            if ahead > 0.0005:
                await asyncio.sleep(ahead)
            elif number % 20 == 0:
                await asyncio.sleep(0)
            self.sessions[number % len(self.sessions)].send()
        await asyncio.sleep(0.3)

    def close(self) -> None:
        for session in self.sessions:
            session.transport.abort()
        self.sessions.clear()


# --- the arms


@dataclass
class Arm:
    """A proxy: how to reach it, and which process is measured."""

    name: str
    port: int
    pid: int
    path: str = "/v3/ws?sample_rate=16000"
    headers: str = ""

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)] if self.pid else []

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def memory(self) -> float:
        return sum(process.memory_info().rss for process in self.processes()) / 1024


async def measure(arm: Arm, sessions: int, hold: int, seconds: float) -> Figures:
    figures, load = Figures(), Load()
    before = arm.memory() if arm.pid else 0.0
    await load.connect(sessions, arm.port, arm.path, arm.headers)
    await load.pace(1.0)
    figures.memory = ((arm.memory() if arm.pid else 0.0) - before) / sessions
    for run in (load.saturate, load.pace):
        load.answers, load.latency = 0, []
        cpu = arm.cpu() if arm.pid else 0.0
        await run(seconds)
        each = ((arm.cpu() if arm.pid else 0.0) - cpu) / max(1, load.answers) * 1e6
        if run == load.saturate:
            figures.saturated = each
        else:
            figures.paced, figures.latency = each, load.latency
    if hold > sessions:
        await load.connect(hold - sessions, arm.port, arm.path, arm.headers)
        load.answers, load.latency = 0, []
        await load.pace(seconds)
        figures.held = load.latency
    load.close()
    await asyncio.sleep(0.5)
    return figures


@contextmanager
def arms(upstream: int, folder: Path) -> Iterator[list[Arm]]:
    """nginx, the websockets proxy and memweb in front of one upstream, each on core 0."""
    nginx, plain = free_port(), free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=nginx, upstream=upstream))
    proxy = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", f"{folder}/nginx.conf", "-p", str(folder)])
    library = multiprocessing.get_context("spawn").Process(target=serve_websockets, args=(plain, upstream), daemon=True)
    library.start()
    bound = {
        "MEMWEB_ASSEMBLYAI_API_KEY": "operators",
        "MEMWEB_ASSEMBLYAI_WS_URL": f"ws://127.0.0.1:{upstream}",
        "MEMWEB_MAX_STREAMS": "10000",
        "MEMWEB_MAX_SESSIONS": "10000",
    }
    try:
        with RunningServer(folder, env=bound) as server:
            key = server.key()
            os.sched_setaffinity(server.pid, {0})
            for thread in psutil.Process(server.pid).threads():
                os.sched_setaffinity(thread.id, {0})
            time.sleep(1)  # what the server does once, at its start, is not to be measured
            yield [
                Arm("direct", upstream, 0),
                Arm("nginx", nginx, proxy.pid),
                Arm("websockets", plain, cast(int, library.pid)),
                Arm("memweb", server.port, server.pid, headers=f"Authorization: {key}\r\n"),
            ]
    finally:
        proxy.terminate()
        proxy.wait()
        library.terminate()
        library.join()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


def report(runs: dict[str, list[Figures]], hold: int) -> None:
    def middle(name: str, of: str, share: float = 0.5) -> float:
        values = [getattr(run, of) for run in runs[name]]
        return statistics.median(percentile(v, share) if isinstance(v, list) else v for v in values)

    rows = (
        ("CPU per frame, saturated", "us", "saturated", 0.5),
        ("CPU per frame, 10 Hz", "us", "paced", 0.5),
        ("latency p50", "ms", "latency", 0.5),
        ("latency p99", "ms", "latency", 0.99),
        ("memory per session", "kB", "memory", 0.5),
        (f"latency p50, {hold} sessions", "ms", "held", 0.5),
        (f"latency p99, {hold} sessions", "ms", "held", 0.99),
    )
    print(f"{'':30}" + "".join(f"{name:>14}" for name in runs) + f"{'memweb/nginx':>14}")
    for title, unit, of, share in rows:
        figures = {name: middle(name, of, share) for name in runs}
        told = "".join(f"{figures[name]:>11.2f} {unit}" for name in runs)
        print(f"{title:30}{told}{figures['memweb'] / (figures['nginx'] or float('nan')):>14.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--hold", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    upstream = free_port()
    answering = multiprocessing.get_context("spawn").Process(target=serve_upstream, args=(upstream,), daemon=True)
    answering.start()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    runs: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder, arms(upstream, Path(folder)) as all_arms:
        for repeat in range(asked.repeats):
            for arm in all_arms:
                print(f"run {repeat + 1}: {arm.name}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
                figures = uvloop.run(measure(arm, asked.sessions, asked.hold, asked.seconds))
                runs.setdefault(arm.name, []).append(figures)
    answering.terminate()
    report(runs, asked.hold)


if __name__ == "__main__":
    main()
