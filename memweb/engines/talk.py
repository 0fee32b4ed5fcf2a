"""Talking with an engine process that reads one recording: started, asked, answered, ended. Blocking."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from memweb.engines import process, wire
from memweb.engines.errors import EngineFailed

PIECE = 1 << 18
SILENT_S = 600.0
"""A child that says nothing for so long hangs."""
SIGN_OF_LIFE_S = 0.5
"""So often whoever waits looks whether it is still wanted."""


def sized(pcm: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that fit a frame."""
    for piece in pcm:
        for at in range(0, len(piece), PIECE):
            yield piece[at : at + PIECE]


@contextmanager
def child(module: str) -> Iterator[tuple[BinaryIO, BinaryIO, subprocess.Popen[bytes]]]:
    """A process of this package, ended with the block however it ends."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            started = process.spawn(module, link=theirs)
        try:
            with ours.makefile("rb") as reading, ours.makefile("wb") as writing:
                yield reading, writing, started
        finally:
            _end(started)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask first; a child in the middle of native work does not hear."""
    child.terminate()
    try:
        child.wait(timeout=2)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def read(reading: BinaryIO, alive: Callable[[], None]) -> wire.Frame | None:
    """The child's next frame; None when it has died. Says `alive` twice a second that it works."""
    until = time.monotonic() + SILENT_S
    while not wire.comes(reading, SIGN_OF_LIFE_S):
        if time.monotonic() > until:
            raise EngineFailed("The speech engine stopped answering while it read. Try again.")
        alive()
    try:
        return wire.read(reading)
    except ConnectionError:
        return None


def write(writing: BinaryIO, head: wire.Head, body: bytes = b"") -> None:
    try:
        writing.write(wire.pack(head, body))
        writing.flush()
    except ConnectionError:
        pass  # the child has died: the next read says so
