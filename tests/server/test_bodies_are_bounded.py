"""A body lies on the disk before any page knows who sends it: one that is too long is refused while it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from memweb import bodies
from memweb.server import requests
from tests.running import RunningServer
from tests.server.raw import Raw
from tests.server.serving import Process

pytestmark = pytest.mark.process

LIMIT = 1_000_000
CHUNK = b"%x\r\n%s\r\n" % (100_000, bytes(100_000))
KEYS = {
    "/v2/upload": "Authorization",
    "/serve/api/v2/upload": "Authorization",
    "/v1/audio/transcriptions": "Authorization",
    "/v1/speech-to-text": "xi-api-key",
}
"""Where files are brought by key, and the header that carries it."""


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def answer(raw: Raw) -> tuple[int, dict[str, object]]:
    """Status and body of what comes until the server is done."""
    top, _, body = raw.rest().partition(b"\r\n\r\n")
    assert b"connection: close" in top
    return int(top.split(b" ")[1]), json.loads(body)


def endless(raw: Raw, chunks: int = 2000) -> int:
    """Send chunks until the server has answered; how many went."""
    raw.socket.setblocking(False)
    sent, left = 0, CHUNK
    try:
        while sent < chunks:
            try:
                raw.socket.recv(1, 2)  # MSG_PEEK
                break
            except BlockingIOError:
                pass
            try:
                left = left[raw.socket.send(left) :]
            except BlockingIOError:
                continue
            if not left:
                sent, left = sent + 1, CHUNK
    finally:
        raw.socket.settimeout(30)
    return sent


def test_a_length_that_is_too_great_is_refused_before_the_body(repaired: Process) -> None:
    with Raw(repaired.port) as raw:
        raw.socket.sendall(head("/count?little", f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
        status, told = answer(raw)
    assert (status, told["code"]) == (413, 413)
    assert str(told["msg"]).endswith("takes.")


def test_a_body_without_end_is_refused_where_it_is_too_long(repaired: Process) -> None:
    with Raw(repaired.port) as raw:
        raw.socket.sendall(head("/count?little", "Transfer-Encoding: chunked"))
        assert endless(raw) < 2000
        assert answer(raw)[0] == 413
    assert "POST /count 413" in repaired.log()
    assert httpx.post(f"{repaired.url}/count?little", content=bytes(LIMIT)).text == str(LIMIT)


def test_what_follows_a_refused_body_is_no_request(repaired: Process) -> None:
    """Neither the rest of the body nor a request behind it reaches an application."""
    with Raw(repaired.port) as raw:
        raw.socket.sendall(
            head("/count?little", "Transfer-Encoding: chunked") + CHUNK * 11 + b"0\r\n\r\n" + head("/seen")
        )
        assert answer(raw)[0] == 413


@pytest.mark.parametrize("length", ["Content-Length: 2000000", "Transfer-Encoding: chunked"])
def test_who_may_not_send_a_long_body_is_told_before_it_is_read(repaired: Process, length: str) -> None:
    for headers, status in ([length], 401), ([length, "X-Key: wrong"], 401), ([length, "X-Key: broken"], 503):
        with Raw(repaired.port) as raw:
            raw.socket.sendall(head("/count?asked", *headers))
            assert answer(raw)[0] == status
    with Raw(repaired.port) as raw:
        raw.socket.sendall(head("/count?asked", length) + CHUNK + head("/seen"))
        assert answer(raw)[0] == 401, "what follows is nobody's"


def test_nothing_more_is_read_until_it_is_known_who_sends(repaired: Process) -> None:
    with Raw(repaired.port) as raw:
        raw.socket.sendall(head("/count?asked", "Content-Length: 100000000", "X-Key: never"))
        raw.socket.settimeout(5)
        with pytest.raises(TimeoutError):  # what fits between the two is full
            raw.socket.sendall(bytes(40_000_000))


def test_a_long_body_of_who_may_send_it_is_taken_whole(repaired: Process) -> None:
    where, allowed = f"{repaired.url}/count?asked", {"X-Key": "right"}
    pieces = (bytes(100_000) for _ in range(30))
    with httpx.Client() as client:
        assert client.post(where, content=bytes(2_000_000), headers=allowed).text == "2000000"
        assert client.post(where, content=pieces, headers=allowed).text == "3000000"
        assert client.post(where, content=bytes(2_000_000), headers=allowed).text == "2000000"
        assert client.post(where, content=bytes(requests.MOST_UNASKED)).text == str(requests.MOST_UNASKED)


def test_a_body_leaves_room_on_the_disk(tmp_path: Path) -> None:
    with Process("memweb", tmp_path, RESERVE=2.0**62) as server:
        assert httpx.post(f"{server.url}/count", content=bytes(1000)).text == "1000"
        answered = httpx.post(f"{server.url}/count", content=bytes(200_000))
        assert (answered.status_code, answered.json()["code"]) == (507, 507)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path, env={"MEMWEB_MAX_UPLOAD_MB": "3"}) as server:
        yield server


def test_memweb_itself_takes_a_file_where_files_are_brought_and_little_elsewhere(small: RunningServer) -> None:
    for path in ("/healthz", "/serve/api/v2/webhook", "/", "/v2/transcript"):
        with Raw(small.port) as raw:
            raw.socket.sendall(head(path, "Transfer-Encoding: chunked"))
            assert endless(raw) < 2000
            assert answer(raw)[0] == 413, path
    for path in ("/v2/upload", "/serve/api/v2/upload", "/uploads/", "/v1/audio/transcriptions"):
        assert httpx.post(f"{small.url}{path}", content=bytes(3_900_000)).status_code in (401, 403), path
        with Raw(small.port) as raw:
            raw.socket.sendall(head(path, "Content-Length: 4100000"))
            assert answer(raw)[0] == 413, path


def test_memweb_itself_asks_for_the_key_before_a_long_body_is_read(small: RunningServer) -> None:
    key, long = small.key(), "Content-Length: 3000000"
    for path, name in KEYS.items():
        for headers in [], [f"{name}: sk-mem-wrong"]:
            with Raw(small.port) as raw:
                raw.socket.sendall(head(path, long, *headers))
                assert answer(raw)[0] == 401, (path, headers)
        answered = httpx.post(f"{small.url}{path}", content=bytes(3_000_000), headers={name: key})
        assert answered.status_code not in (401, 403), path


def test_a_body_lies_in_the_data_folder(tmp_path: Path) -> None:
    with requests.on_disk(str(tmp_path)) as made:
        made.write(b"x")
        assert list(tmp_path.iterdir()) == [], "it has no name there"
    with pytest.raises(FileNotFoundError):
        requests.on_disk(str(tmp_path / "gone"))


def test_every_address_has_its_bound() -> None:
    most = bodies.longest("/v2/upload")
    for path in ("/v2/%75pload", "/uploads/0/?x=1", "/v1/speech-to-text?enable_logging=false"):
        assert bodies.longest(path) == most > 10**9
    for path in ("/", "/v2/transcript", "/healthz?/v2/upload", "http://host/v2/upload", "/serve/api/v2/webhook"):
        assert bodies.longest(path) < 5_000_000
