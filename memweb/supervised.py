"""A child of `up` notices when `up` is gone, even when it was killed, and goes too."""

from __future__ import annotations

import os
import signal
import threading

VARIABLE = "MEMWEB_SUPERVISOR"
GRACE_S = 8.0


def watch_supervisor() -> None:
    """Start watching the pipe whose other end the supervisor holds; does nothing without a supervisor."""
    descriptor = os.environ.pop(VARIABLE, "")
    if descriptor:
        threading.Thread(
            target=_wait_for_the_end, args=(int(descriptor),), name="supervisor-watch", daemon=True
        ).start()


def _wait_for_the_end(descriptor: int) -> None:
    """The pipe ends when the supervisor's process does, whatever ended it."""
    while os.read(descriptor, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # The main thread may be deep in native code: it gets the usual grace and no more.
    threading.Event().wait(GRACE_S)
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)  # and whatever this process had started
    os._exit(1)
