"""A peer that floods or does not read costs its own connection, not the server's memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.server.raw import Raw, frame
from tests.server.serving import Process
from tests.waiting import Stopwatch

pytestmark = pytest.mark.process

MIB = 1024 * 1024


def push(raw: Raw, data: bytes, most: int, server: Process, peak: list[int]) -> int:
    """Send until nothing is taken for 2 s or `most` bytes went; how many went."""
    raw.socket.settimeout(2)
    sent = 0
    while sent < most:
        try:
            sent += raw.socket.send(data[sent % len(data) :])
        except TimeoutError:
            break
        if sent % (4 * MIB) < len(data):
            peak.append(server.rss())
    peak.append(server.rss())
    return sent


def flood_a_stuck_application(server: Process) -> tuple[int, int]:
    """Bytes it took and bytes it grew by."""
    before = server.rss()
    peak = [before]
    with Raw(server.port) as raw:
        raw.open("/stuck")
        sent = push(raw, frame(2, bytes(64 * 1024)), 96 * MIB, server, peak)
    return sent, max(peak) - before


def test_a_flood_to_an_application_that_does_not_read_is_stopped_at_the_door(either: Process) -> None:
    sent, grown = flood_a_stuck_application(either)
    assert sent < 32 * MIB, "kernel buffers only"
    assert grown < 24 * MIB


def test_stock_daphne_takes_the_whole_flood(stock: Process) -> None:
    sent, grown = flood_a_stuck_application(stock)
    assert sent >= 90 * MIB
    assert grown > 60 * MIB


def gush_to_a_client_that_does_not_read(server: Process) -> tuple[int, int]:
    before = server.rss()
    peak = [before]
    with Raw(server.port, receive_buffer=65536) as raw:
        raw.open("/gush")
        counts = [-1, server.seen()["sent"]]
        deadline = time.monotonic() + 10
        while counts[-1] != counts[-2] and counts[-1] < 200 * MIB and time.monotonic() < deadline:
            time.sleep(0.5)
            counts.append(server.seen()["sent"])
            peak.append(server.rss())
    return counts[-1], max(peak) - before


def test_an_application_waits_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    for kind in ("memweb", "uvicorn"):
        with Process(kind, tmp_path) as server:
            sent, grown = gush_to_a_client_that_does_not_read(server)
        assert sent < 32 * MIB, kind
        assert grown < 24 * MIB, kind


def test_a_client_that_never_reads_is_cut(tmp_path: Path) -> None:
    with Process("memweb", tmp_path, UNREAD_SECONDS=1) as server, Raw(server.port, receive_buffer=65536) as raw:
        raw.open("/gush")
        wait_until(lambda: server.log().count("WS disconnected /gush") == 1)


def test_pings_without_end_do_not_fill_the_write_buffer(repaired: Process) -> None:
    before = repaired.rss()
    peak = [before]
    with Raw(repaired.port, receive_buffer=65536) as raw:
        raw.open("/stuck")
        push(raw, frame(9, bytes(125)) * 500, 64 * MIB, repaired, peak)
    assert max(peak) - before < 24 * MIB


def test_a_message_in_endless_empty_fragments_is_refused(repaired: Process) -> None:
    with Raw(repaired.port) as raw:
        raw.open("/stuck")
        raw.socket.sendall(frame(1, b"", fin=False) + frame(0, b"", fin=False) * 5000)
        assert raw.close_code() == 1009


def test_a_request_body_is_not_held_in_memory(repaired: Process) -> None:
    before = repaired.rss()

    def body() -> object:
        for _ in range(96):
            yield bytes(MIB)

    answer = httpx.post(f"{repaired.url}/count", content=body(), timeout=60)  # type: ignore[arg-type]
    assert answer.text == str(96 * MIB)
    assert repaired.rss() - before < 32 * MIB


def test_an_answer_waits_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    with Process("memweb", tmp_path) as server, Raw(server.port, receive_buffer=65536) as raw:
        before = server.rss()
        raw.socket.sendall(b"GET /pour HTTP/1.1\r\nHost: a\r\n\r\n")
        counts = [-1, server.seen()["sent"]]
        while counts[-1] != counts[-2]:
            time.sleep(0.5)
            counts.append(server.seen()["sent"])
        assert 0 < counts[-1] < 32 * MIB
        assert server.rss() - before < 24 * MIB


def test_half_open_connections_do_not_keep_others_out_and_are_closed(tmp_path: Path) -> None:
    with Process("memweb", tmp_path, IDLE_SECONDS=3, HEADER_SECONDS=3) as server:
        halves = [Raw(server.port) for _ in range(200)]
        for half in halves:
            half.socket.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgr")
        with Raw(server.port) as good, Stopwatch() as watch:
            assert good.status("/echo") == 101
        assert watch.seconds < 1
        for half in halves:
            assert half.socket.recv(10) == b""
            half.socket.close()


def test_half_sent_bodies_are_closed(tmp_path: Path) -> None:
    with Process("memweb", tmp_path, IDLE_SECONDS=2) as server:
        halves = [Raw(server.port) for _ in range(50)]
        for half in halves:
            half.socket.sendall(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf")
        assert httpx.get(f"{server.url}/seen", timeout=5).status_code == 200
        for half in halves:
            assert half.socket.recv(10) == b""
            half.socket.close()


def test_headers_that_trickle_for_ever_are_cut(tmp_path: Path) -> None:
    with Process("memweb", tmp_path, HEADER_SECONDS=2) as server, Raw(server.port) as raw:
        raw.socket.sendall(b"GET /seen HTTP/1.1\r\n")
        wait_until(lambda: is_cut_after(raw, b"X-A: b\r\n"), 15)


def is_cut_after(raw: Raw, trickle: bytes) -> bool:
    try:
        raw.socket.sendall(trickle)
        raw.socket.settimeout(0.2)
        return raw.socket.recv(10) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
