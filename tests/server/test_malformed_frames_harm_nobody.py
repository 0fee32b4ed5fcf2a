"""Frames no client should send: each ends its own connection by the protocol's rules, and nothing else."""

from __future__ import annotations

import contextlib
import os
import random
import struct

import pytest
from websockets.sync.client import connect

from tests.server.raw import Raw, frame
from tests.server.serving import Process

pytestmark = pytest.mark.process

CASES = {
    "a reserved opcode": (frame(3, b"x"), 1002),
    "a reserved bit": (bytes([0xC1]) + frame(1, b"x")[1:], 1002),
    "an unmasked frame": (frame(1, b"x", masked=False), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002),
    "a message inside a message": (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    "a fragmented ping": (frame(9, b"x", fin=False), 1002),
    "a ping of 126 bytes": (frame(9, bytes(126)), 1002),
    "text that is not UTF-8": (frame(1, b"\xff\xfe"), 1007),
    "a surrogate in UTF-8": (frame(1, b"\xed\xa0\x80"), 1007),
    "a length of two to the 62": (frame(2, b"x", length=2**62), 1009),
    "a close of one byte": (frame(8, b"x"), 1002),
    "a close code that does not exist": (frame(8, struct.pack("!H", 1005)), 1002),
    "a close reason that is not UTF-8": (frame(8, struct.pack("!H", 1000) + b"\xff"), 1007),
}


@pytest.mark.parametrize("case", CASES)
def test_the_close_frame_names_the_fault(repaired: Process, case: str) -> None:
    data, code = CASES[case]
    with Raw(repaired.port) as raw:
        assert raw.status("/echo") == 101
        raw.socket.sendall(data)
        raw.socket.sendall(frame(8, struct.pack("!H", 1000)))
        assert raw.close_code() == code


def test_a_thousand_random_streams_bring_no_1011_no_restart_and_no_growth(repaired: Process) -> None:
    chance = random.Random(20261121)
    before, pid, codes = repaired.rss(), repaired.process.pid, set()
    for _ in range(1000):
        with Raw(repaired.port) as raw:
            assert raw.status("/echo") == 101
            with contextlib.suppress(OSError):  # it may be closed already
                raw.socket.sendall(_noise(chance))
                raw.socket.sendall(frame(8, struct.pack("!H", 1000)))
                raw.socket.shutdown(1)
            codes.add(raw.close_code())
    assert 1011 not in codes
    assert {1000, 1002} <= codes
    assert repaired.process.poll() is None
    assert repaired.process.pid == pid
    assert repaired.rss() - before < 64 * 1024 * 1024
    with connect(f"{repaired.ws_url}/echo", compression=None) as socket:
        socket.send("still here")
        assert socket.recv(timeout=5) == "still here"


def _noise(chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return os.urandom(chance.randrange(1, 200))
    if kind == 1:
        return frame(chance.randrange(16), os.urandom(chance.randrange(200)), fin=chance.random() < 0.5)
    if kind == 2:
        return frame(1, os.urandom(20), length=chance.choice([0, 5, 21, 126, 70000, 2**40]))
    return b"".join(frame(chance.choice([0, 1, 2, 9, 10]), bytes(3), fin=chance.random() < 0.7) for _ in range(20))
