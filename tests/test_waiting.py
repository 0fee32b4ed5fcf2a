"""The stopwatch counts what is waited for, and not the moments in which the machine ran nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.running import ROOT, clean_environment
from tests.waiting import Stopwatch, until

_ASLEEP = """
import time
from tests.waiting import Stopwatch
with Stopwatch() as watch:
    print("begun", flush=True)
    time.sleep(0.5)  # what is timed, of which the halt below is to be no part
print(watch.seconds)
"""


def test_what_is_slow_is_counted() -> None:
    with Stopwatch() as watch:
        time.sleep(2)  # what is timed; long enough that a machine that halts for a second leaves some of it
    assert watch.seconds > 0.2


def test_a_machine_that_ran_nobody_is_not_counted() -> None:
    command = [sys.executable, "-c", _ASLEEP]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True) as asleep:
        assert asleep.stdout is not None
        assert asleep.stdout.readline() == "begun\n"
        os.kill(asleep.pid, signal.SIGSTOP)
        time.sleep(3)  # the halt itself
        os.kill(asleep.pid, signal.SIGCONT)
        assert float(asleep.stdout.readline()) < 1.5
    assert time.monotonic() - began > 3


def test_who_never_comes_is_told_of() -> None:
    with pytest.raises(AssertionError, match="the last bus did not come to this within 0 s"):
        until(lambda: False, 0.1, "the last bus")
