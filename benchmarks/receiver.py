"""Callbacks taken a second, every one safe on disk before its answer: the receiver against a plain Django view.

    python -m benchmarks.receiver [--seconds 8] [--rounds 3] [--connections 16]

Both store the same row in the same kind of database at full durability; the peer is a view without any middleware on
stock Daphne. Bodies of 2.2 kB with an id each, sent by wrk over keep-alive connections. The arms take turns. Told are
medians: requests a second, the p99 of an answer, processor time a callback; and whether each answered one is there.
Needs wrk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.running import ROOT, Part, RunningServer
from tests.waiting import until

SCRIPT = """
local count = 0
local said = string.rep("words ", 350)
local body = '{"code":200,"message":"SUCCESS","task_id":"bench","data":{"status":0,"message":null,"transcript":' ..
  '{"type":"Turn","turn_order":1,"end_of_turn":true,"transcript":"' .. said .. '"}}}'
local tag = os.time() .. "-" .. math.random(1, 1e9)
request = function()
  count = count + 1
  return wrk.format("POST", nil, {["content-type"] = "application/json", ["webhook-id"] = tag .. "-" .. count}, body)
end
"""
COUNT = "from transcripts.callbacks.inbox import Callback\nprint(Callback.objects.count())"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class PlainServer(RunningServer):
    """The peer, in the place of memweb's server."""

    def _command(self, part: Part) -> tuple[str, ...]:
        application = "benchmarks.plain_receiver:application"
        return (sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), application)

    def _wait_until_healthy(self) -> None:
        def answers() -> bool:  # it has one page only, which is for posting: any status will do
            with suppress(httpx.HTTPError):
                httpx.get(self.url, timeout=5)
                return True
            return False

        until(answers, what="the plain view")


@dataclass(frozen=True)
class Round:
    per_second: float
    p99_ms: float
    cpu_ms: float
    lost: int
    """Answered with success and not in the database."""


def one_round(server: RunningServer, path: str, script: Path, seconds: int, connections: int) -> Round:
    before, process = int(server.ask(COUNT)), psutil.Process(server.pid)
    spent = sum(process.cpu_times()[:2])
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), server.url + path],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    spent = sum(process.cpu_times()[:2]) - spent
    requests = int(_found(r"(\d+) requests in", done))
    refused = int(_found(r"Non-2xx or 3xx responses: (\d+)", done) or 0)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", done)
    assert late, done
    kept = int(server.ask(COUNT)) - before
    return Round(
        float(_found(r"Requests/sec:\s+([\d.]+)", done)) * (requests - refused) / requests,
        float(late[1]) * UNITS[late[2]],
        spent * 1000 / requests,
        max(requests - refused - kept, 0),
    )


def _found(pattern: str, told: str) -> str:
    match = re.search(pattern, told)
    return match[1] if match else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("This needs wrk: apt install wrk")
    arms: dict[str, list[Round]] = {"plain view": [], "receiver": []}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT)
        env = {"PYTHONPATH": str(ROOT)}
        with PlainServer(Path(folder), env=env) as plain, RunningServer(Path(folder)) as ours:
            servers = {"plain view": plain, "receiver": ours}
            paths = {
                name: "/hooks/" + each.manage("hookurl").rpartition("/hooks/")[2] for name, each in servers.items()
            }
            print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
            for _ in range(options.rounds):
                for name, server in servers.items():
                    found = one_round(server, paths[name], script, options.seconds, options.connections)
                    arms[name].append(found)
                    told = f"{found.per_second:.0f}/s, p99 {found.p99_ms:.0f} ms, {found.cpu_ms:.2f} ms of processor"
                    print(f"{name}: {told}, {found.lost} lost", flush=True)
    tell(arms)


def tell(arms: dict[str, list[Round]]) -> None:
    plain, ours = (
        [statistics.median(getattr(each, name) for each in arms[arm]) for name in ("per_second", "p99_ms", "cpu_ms")]
        for arm in ("plain view", "receiver")
    )
    print(f"medians: {plain[0]:.0f}/s against {ours[0]:.0f}/s: {ours[0] / plain[0]:.1f} times")
    print(f"p99 {plain[1]:.0f} ms against {ours[1]:.0f} ms; processor {plain[2]:.2f} ms against {ours[2]:.2f} ms each")
    print(f"lost: {sum(each.lost for each in arms['receiver'])}; load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
