"""Startup before the first connection, an orderly end on TERM, and a log without secrets."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.server.raw import Raw
from tests.server.serving import Process

pytestmark = pytest.mark.process


def term_tells_sockets(server: Process) -> None:
    with connect(f"{server.ws_url}/echo", compression=None) as socket:
        server.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


@pytest.mark.parametrize("kind", ["memweb", "uvicorn"])
def test_term_closes_sockets_with_1012_and_ends_well(kind: str, tmp_path: Path) -> None:
    with Process(kind, tmp_path) as server:
        began = time.monotonic()
        term_tells_sockets(server)
        code = server.process.wait(20)
        took = time.monotonic() - began
        log = server.log()
    assert code == (0 if kind == "memweb" else code)
    assert took < 5
    assert log.index("lifespan.startup") < log.index("lifespan.shutdown")


def test_stock_daphne_tells_nobody(tmp_path: Path) -> None:
    with Process("daphne", tmp_path) as server, pytest.raises(AssertionError):
        term_tells_sockets(server)


def test_a_connection_handed_over_is_the_applications_and_is_told_of_the_end(tmp_path: Path) -> None:
    with Process("memweb", tmp_path) as server:
        with Raw(server.port) as raw:
            assert raw.status("/spliced") == 101
            raw.socket.sendall(b"hello")
            assert raw.socket.recv(5) == b"HELLO"
        with Raw(server.port) as raw:
            assert raw.status("/spliced") == 101
            server.process.terminate()
            assert raw.rest() == b"told to end with 1012"
        assert server.process.wait(20) == 0
        assert server.log().count("WS disconnected /spliced") == 2


def test_while_it_drains_the_server_says_that_it_is_going(tmp_path: Path) -> None:
    with Process("memweb", tmp_path) as server:
        with httpx.Client(base_url=server.url) as client, connect(f"{server.ws_url}/stuck", compression=None):
            assert client.get("/healthz").status_code == 200
            server.process.terminate()
            deadline = time.monotonic() + 5
            while (status := client.get("/healthz").status_code) != 503:
                assert time.monotonic() < deadline, status
            with Raw(server.port) as raw:
                assert raw.status("/echo") == 503
            assert client.get("/seen").status_code == 200, "what is under way is still served"
        assert server.process.wait(20) == 0


@pytest.mark.parametrize("hindrance", ["a socket that ignores its cancellation", "a thread that does not end"])
def test_nothing_holds_the_end_up_for_more_than_five_seconds(hindrance: str, tmp_path: Path) -> None:
    with Process("memweb", tmp_path) as server, Raw(server.port) as raw:
        if "socket" in hindrance:
            assert raw.status("/stuck") == 101
        else:
            assert httpx.get(f"{server.url}/block").status_code == 200
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 6


def test_a_failed_startup_is_told_and_nothing_is_served(tmp_path: Path) -> None:
    server = Process("memweb", tmp_path, application="failing")
    server.launch()
    assert server.process.wait(30) == 3
    assert "The oven is cold." in server.log()


def test_a_busy_port_is_told_in_a_sentence(repaired: Process, tmp_path: Path) -> None:
    second = Process("memweb", tmp_path)
    second.port = repaired.port
    second.launch()
    assert second.process.wait(30) == 4
    assert f"cannot listen on 127.0.0.1 port {repaired.port}" in second.log()
    assert "Traceback" not in second.log()


def test_whatever_else_hinders_the_start_is_told_and_ends_it(tmp_path: Path) -> None:
    server = Process("memweb", tmp_path)
    server.port = 70_000
    server.launch()
    assert server.process.wait(30) == 4
    assert "memweb cannot serve on 127.0.0.1 port 70000" in server.log()


def test_no_query_string_and_no_long_secret_reaches_the_access_log(repaired: Process) -> None:
    httpx.get(f"{repaired.url}/seen?control=marker-1&api_key=planted-1")
    with connect(f"{repaired.ws_url}/echo?api_key=planted-2", compression=None) as socket:
        socket.send("x")
        socket.recv(timeout=5)
    with Raw(repaired.port) as raw:
        raw.status("/refuse/404?token=planted-3")
    with Raw(repaired.port) as raw:
        raw.status("/refuse/404/plantedplantedplantedplantedplanted4")
    log = repaired.log()
    assert "GET /seen 200" in log
    assert "WS connecting /echo" in log
    assert "WS rejected /refuse/404 404" in log
    assert "planted" not in log
    assert "marker" not in log
