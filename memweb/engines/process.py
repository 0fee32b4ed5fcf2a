"""Starting an engine process: what it is given, and what it is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_KEPT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_PATH"),
    *("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"),  # a test run measures these processes too
)


def threads() -> int:
    """How many threads a model may use: every core this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spawn(module: str, *arguments: str, link: socket.socket) -> subprocess.Popen[bytes]:
    """Start a module of this package with one end of a socket pair as its standard input.

    Native libraries print on standard output as they please, so the frames do not go there.
    """
    command = [sys.executable, "-m", f"memweb.engines.{module}", *arguments]
    return subprocess.Popen(command, stdin=link.fileno(), stdout=subprocess.DEVNULL, env=environment())


def environment() -> dict[str, str]:
    """Where Python and its libraries are, bounded threads, no downloads, and no secret of ours."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": str(threads()),
        "OPENBLAS_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
