"""What an application says on a socket is what its client gets, and the other way round."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from tests.server.raw import Raw
from tests.server.serving import Process
from tests.waiting import Stopwatch

pytestmark = pytest.mark.process


def refused_with(server: Process, status: int) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"{server.ws_url}/refuse/{status}", compression=None)
    response = refusal.value.response
    assert response.status_code == status
    assert response.headers["retry-after"] == "7"
    assert bytes(response.body or b"") == b'{"code": %d, "msg": "no"}' % status


def empties_come_back(server: Process) -> None:
    with connect(f"{server.ws_url}/echo", compression=None, close_timeout=2) as socket:
        for message in ("", b"", "", "word", b"\x00"):
            socket.send(message)
            assert socket.recv(timeout=5) == message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 503])
def test_a_handshake_is_refused_with_the_status_and_body_the_application_chose(either: Process, status: int) -> None:
    refused_with(either, status)


def test_stock_daphne_cannot_refuse_so(stock: Process) -> None:
    with pytest.raises((AssertionError, InvalidMessage, EOFError, pytest.fail.Exception)):
        refused_with(stock, 401)


def test_empty_messages_pass_both_ways(either: Process) -> None:
    empties_come_back(either)


def test_stock_daphne_drops_empty_messages(stock: Process) -> None:
    with pytest.raises(TimeoutError):
        empties_come_back(stock)


@pytest.mark.parametrize("code", [1000, 1008, 1012, 3009, 4401])
def test_close_codes_and_reasons_are_passed_on(either: Process, code: int) -> None:
    with (
        connect(f"{either.ws_url}/close/{code}", compression=None) as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "for a reason")


def test_the_clients_close_reaches_the_application(either: Process) -> None:
    with connect(f"{either.ws_url}/echo", compression=None) as socket:
        socket.close(4123, "I am done")
    deadline = time.monotonic() + 10
    while [4123, "I am done"] not in either.seen()["disconnects"]:
        assert time.monotonic() < deadline, either.seen()
        time.sleep(0.02)


def told_in_order(server: Process) -> list[str]:
    with connect(f"{server.ws_url}/direct", compression=None) as socket:
        for message in (b"one", b"two", b"later three", b"four", "five", b"six"):
            socket.send(message)
            if message == b"two":
                time.sleep(0.2)  # the next come together: they wait behind the one that was not taken
        socket.send("told")
        found: list[str] = json.loads(socket.recv(timeout=10))
        return found


def test_messages_are_offered_at_once_while_none_waits_and_never_out_of_order(either: Process) -> None:
    found = told_in_order(either)
    assert [line.rsplit(" ", 1)[1] for line in found] == ["one", "two", "three", "four", "five", "six"]
    at_once = [line for line in found if line.startswith("at once")]
    assert at_once[:2] == (["at once one", "at once two"] if either.kind == "memweb" else [])


def test_what_is_said_at_once_is_bounded_by_what_the_client_takes(repaired: Process) -> None:
    with connect(f"{repaired.ws_url}/direct", compression=None, max_queue=1) as socket:
        before = repaired.seen()["sent"]
        socket.send("flood")
        time.sleep(0.5)
        assert 0 < repaired.seen()["sent"] - before < 16 * 2**20
        while socket.recv(timeout=10) != "all said":
            pass


def test_an_application_that_fails_closes_its_socket_with_1011_at_once(repaired: Process) -> None:
    with connect(f"{repaired.ws_url}/raise", compression=None) as socket, Stopwatch() as watch:
        socket.send("now")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert watch.seconds < 0.9, "stock Daphne looks once a second"


def test_an_application_that_returns_leaves_no_open_socket_behind(repaired: Process) -> None:
    with connect(f"{repaired.ws_url}/leave", compression=None) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


@pytest.mark.parametrize("offer", ["\xff\xfe", "a b", "a,,b", ""])
def test_a_broken_subprotocol_header_is_a_bad_request(repaired: Process, offer: str) -> None:
    with Raw(repaired.port) as raw:
        assert raw.status("/echo", f"Sec-WebSocket-Protocol: {offer}") == 400


def test_stock_daphne_answers_500_to_a_broken_subprotocol_header(stock: Process) -> None:
    with Raw(stock.port) as raw:
        assert raw.status("/echo", "Sec-WebSocket-Protocol: \xff\xfe") == 500


def test_a_message_may_be_256_kib_and_no_more(either: Process) -> None:
    with connect(f"{either.ws_url}/echo", compression=None, max_size=None) as socket:
        largest = b"x" * (256 * 1024)
        socket.send(largest)
        assert socket.recv(timeout=20) == largest
        with contextlib.suppress(ConnectionClosed):
            socket.send(largest + b"x")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_messages_are_never_compressed(either: Process) -> None:
    with Raw(either.port) as raw:
        head = raw.open("/echo", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits").lower()
    assert head.startswith("http/1.1 101")
    assert "permessage-deflate" not in head


@pytest.mark.parametrize(
    "broken",
    ["Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: short", "Origin: http://[", "Host: a:b"],
)
def test_a_broken_handshake_is_answered_in_json_and_never_with_a_trace(repaired: Process, broken: str) -> None:
    with Raw(repaired.port) as raw:
        head = raw.open("/echo", broken)
        body = raw.rest()
    assert head.startswith("HTTP/1.1 400 Bad Request")
    assert b"Traceback" not in body
    assert b'"code": 400' in body
