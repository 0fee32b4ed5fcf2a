"""A child of the fork server has what it was given and no more; how it ends is nobody else's matter."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from memweb.engines import forks, process
from tests.engines import forked
from tests.running import ROOT
from tests.waiting import until

pytestmark = pytest.mark.process
MODULE = "tests.engines.forked"


@pytest.fixture
def server() -> Iterator[forks.ForkServer]:
    made = forks.ForkServer(MODULE)
    yield made
    made._close()


class Working:
    """A child that was told to do something, and pipes to and from it."""

    def __init__(self, server: forks.ForkServer, what: str) -> None:
        theirs, self.feed = os.pipe()
        self.said, out = os.pipe()
        self.child = server.fork({"do": what}, theirs, out)
        os.close(theirs)
        os.close(out)

    def close(self) -> None:
        self.child.kill()
        os.close(self.feed)
        os.close(self.said)


@contextmanager
def working(server: forks.ForkServer, what: str) -> Iterator[Working]:
    made = Working(server, what)
    try:
        yield made
    finally:
        made.close()


def answers(one: Working) -> bool:
    os.write(one.feed, b"still there")
    return os.read(one.said, 100) == b"still there"


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def test_a_child_has_what_it_was_given_and_nothing_of_anybody_elses(server: forks.ForkServer) -> None:
    with working(server, "read"), working(server, "read"), working(server, "list") as last:
        numbers = os.read(last.said, 1000).split()
    assert len(numbers) == 3 + 2, "standard input, output and error, and the two it was given"


@pytest.mark.parametrize("how", ["crash", "raise", "spin"])
def test_a_child_that_ends_badly_touches_no_other(server: forks.ForkServer, how: str) -> None:
    with working(server, "read") as other:
        assert answers(other)
        parent = psutil.Process(other.child.pid).ppid()
        with working(server, how) as bad:
            assert os.read(bad.said, 100) == (b"spinning" if how == "spin" else b"")
            assert answers(other)
        assert is_gone(bad.child.pid)
        with working(server, "read") as next_one:
            assert answers(next_one)
            assert psutil.Process(next_one.child.pid).ppid() == parent
        assert answers(other)


def test_a_child_that_has_ended_keeps_its_number_until_it_is_killed(server: forks.ForkServer) -> None:
    """Else killing it might strike whoever has the number then."""
    with working(server, "crash") as one:
        assert os.read(one.said, 100) == b""
        until(lambda: psutil.Process(one.child.pid).status() == psutil.STATUS_ZOMBIE)
        with working(server, "read") as other:
            assert answers(other)
            assert psutil.pid_exists(one.child.pid)
    assert is_gone(one.child.pid)
    one.child.kill()


def test_many_at_once_each_get_their_own(server: forks.ForkServer) -> None:
    def ask(number: int) -> None:
        with working(server, "read") as one:
            os.write(one.feed, b"%d" % number)
            heard[number] = os.read(one.said, 100)

    heard: dict[int, bytes] = {}
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {number: b"%d" % number for number in range(20)}


ORDERS = """
import os, sys
from memweb.engines import forks, process
reading, writing = os.pipe()
child = forks.ForkServer("tests.engines.forked").fork({"do": "spin"}, writing)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_all_go_with_whoever_ordered_them_however_it_goes() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORDERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as orderer:
        assert orderer.stdout
        pid = int(orderer.stdout.readline())
        parent = psutil.Process(pid).ppid()
        assert psutil.Process(parent).ppid() == orderer.pid
        orderer.kill()
    until(lambda: is_gone(pid) and is_gone(parent))


def test_all_go_with_a_server_that_is_ended(server: forks.ForkServer) -> None:
    with working(server, "read") as one:
        server._close()
        assert is_gone(one.child.pid)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started now heeds SIGINT, which a run of tests in the background does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_terminals_interrupt_ends_neither_server_nor_child(server: forks.ForkServer) -> None:
    """It goes to every process of `up`, which decides what ends when."""
    with working(server, "read") as one:
        parent = psutil.Process(one.child.pid).ppid()
        for pid in (one.child.pid, parent):
            os.kill(pid, signal.SIGINT)
        assert answers(one)
        with working(server, "read") as other:
            assert answers(other)
            assert psutil.Process(other.child.pid).ppid() == parent


def test_a_server_that_has_ended_is_started_again(server: forks.ForkServer) -> None:
    for how in (signal.SIGKILL, signal.SIGTERM):
        with working(server, "read") as one:
            parent = psutil.Process(one.child.pid).ppid()
            os.kill(parent, how)
            with working(server, "read") as other:
                assert answers(other)
                assert psutil.Process(other.child.pid).ppid() != parent
            assert answers(one), "what was under way goes on"


def test_a_server_without_children_gives_its_memory_back(server: forks.ForkServer) -> None:
    server._control, theirs = socket.socketpair()
    with theirs:
        briefly = [sys.executable, "-m", MODULE, "0.05"]
        server._process = started = subprocess.Popen(briefly, stdin=theirs, env=process.environment())
    with working(server, "read") as one:
        assert not select.select([one.said], [], [], 0.5)[0], "its child keeps it"
        assert answers(one)
    assert started.wait(60) == 0
    with working(server, "read") as one:
        assert answers(one), "another is started"


def test_where_nothing_can_be_forked_whoever_ordered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError("too many processes")

    monkeypatch.setattr(os, "fork", full)
    server = forks.ForkServer(MODULE)
    server._control, at_work = socket.socketpair()
    server._process = subprocess.Popen(["true"])
    lives: dict[socket.socket, int] = {}
    refused = threading.Thread(target=lambda: [forks._take(at_work, lives, forked.work) for _ in range(2)])
    refused.start()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ChildProcessError):
        server.fork({"do": "read"}, 0, 1)
    refused.join()
    assert not lives
    assert len(os.listdir("/proc/self/fd")) <= before, "nothing of it is left open"
    at_work.close()
    server._close()
