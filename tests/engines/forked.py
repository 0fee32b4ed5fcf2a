"""What the tests' fork server forks: children that say what they have, and do as they are told."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from memweb.engines import forks


def work(order: dict[str, Any], given: list[int]) -> None:
    """Say what is asked for on the last descriptor."""
    out = given[-1]
    if order["do"] == "list":
        open_now = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
        os.write(out, " ".join(sorted(open_now, key=int)).encode())
    elif order["do"] == "read":
        while piece := os.read(given[0], 100):
            os.write(out, piece)
    elif order["do"] == "spin":
        os.write(out, b"spinning")
        while True:
            time.monotonic()
    elif order["do"] == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif order["do"] == "raise":
        raise ValueError("as it was told")


if __name__ == "__main__":
    forks.UNUSED_S = float((sys.argv[1:] or [forks.UNUSED_S])[0])
    forks.serve(work)
