"""Many short processes that need the same libraries: a fork server loads them once, and is forked for each.

Starting Python with FFmpeg takes 60 ms, forking it a few. The fork server has one thread, reads nothing of anybody's,
and so stays as it was loaded; what a child does to itself ends with the child. A child has the descriptors that came
with its order, and none of the server's or of another's.

Each order brings the server one end of a lifeline. The child's number goes back over it, and when its other end is
closed the child is killed. The server is every child's parent: it reaps a child only then, so that a number never
means another process, and when its own parent has gone it takes them all along.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from memweb.engines import process

UNUSED_S = 600.0
"""A fork server without children gives its memory back after so long."""
MOST_GIVEN = 4
"""Descriptors that an order may bring."""
_NUMBER = struct.Struct("<I")

Work = Callable[[dict[str, Any], list[int]], None]
"""What a child does with its order and the descriptors it was given."""


class Forked:
    """A child of the fork server. It stays, running or ended, until it is killed."""

    def __init__(self, life: socket.socket, pid: int) -> None:
        self._life = life
        self.pid = pid

    def kill(self) -> None:
        """End it, whatever it is doing, and wait until it has gone. Again is harmless."""
        with suppress(OSError):
            self._life.shutdown(socket.SHUT_WR)
            self._life.recv(1)  # its end: the server has reaped the child, or has gone itself
        self._life.close()


class ForkServer:
    """A module that calls `serve`, run in a process of its own from the first order on. For any thread."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, order: dict[str, Any], *given: int) -> Forked:
        """A child at work on an order, with copies of these descriptors. Raises OSError where none can be had."""
        for _ in range(2):  # the server may have ended just now, unused
            ours, theirs = socket.socketpair()
            with theirs:
                self._send(json.dumps(order).encode(), [theirs.fileno(), *given])
            with suppress(ConnectionError):
                if number := ours.recv(_NUMBER.size):
                    return Forked(ours, *_NUMBER.unpack(number))
            ours.close()
        raise ChildProcessError(f"No process could be forked for {self._module}.")

    def _send(self, text: bytes, given: list[int]) -> None:
        with self._lock:
            if self._process is not None:
                with suppress(ConnectionError):
                    self._pass(text, given)
                    return
                self._close()
            self._start()
            self._pass(text, given)

    def _pass(self, text: bytes, given: list[int]) -> None:
        socket.send_fds(self._control, [_NUMBER.pack(len(text))], given)
        self._control.sendall(text)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", self._module]
            environment = process.environment()
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment)
        atexit.register(self._close)

    def _close(self) -> None:
        """End the server and its children."""
        atexit.unregister(self._close)
        self._control.close()
        if self._process is not None:
            self._process.wait()
            self._process = None


def serve(work: Work) -> None:
    """Be the fork server, on the socket that is standard input, until its other end is closed.

    To be called with a single thread, after whatever children need has been loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to all; these end as their orderers wish
    control = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    lives: dict[socket.socket, int] = {}
    while ready := select.select([control, *lives], [], [], None if lives else UNUSED_S)[0]:
        for life in set(ready) & lives.keys():
            _end(life, lives.pop(life))
        if control in ready and not _take(control, lives, work):
            break
    for life, pid in lives.items():
        _end(life, pid)


def _end(life: socket.socket, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    life.close()


def _take(control: socket.socket, lives: dict[socket.socket, int], work: Work) -> bool:
    """Fork for one order. False where there will be no more."""
    size, given, _, _ = socket.recv_fds(control, _NUMBER.size, 1 + MOST_GIVEN)
    text = control.recv(_NUMBER.unpack(size)[0], socket.MSG_WAITALL) if size else b""
    if not text:
        return False
    life = socket.socket(fileno=given.pop(0))
    try:
        pid = os.fork()
    except OSError:  # too many processes for now: whoever ordered sees the lifeline end
        life.close()
    else:
        if not pid:
            _work(work, text, given, [control, life, *lives])
        lives[life] = pid
        with suppress(OSError):  # whoever ordered has gone: its lifeline is about to say so
            life.send(_NUMBER.pack(pid))
    for descriptor in given:
        os.close(descriptor)
    return True


def _work(work: Work, order: bytes, given: list[int], others: list[socket.socket]) -> None:
    """The child's whole life."""
    try:
        for link in others:
            link.close()
        work(json.loads(order), given)
        os._exit(0)  # no clean-up of libraries that hostile input may have upset
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)
