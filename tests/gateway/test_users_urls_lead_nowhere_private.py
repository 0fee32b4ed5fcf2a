"""Whatever URL a user gives, memweb reaches public addresses only, and those the operator listed.

The canary is a real server on this machine: what reaches it was not guarded. The last tests take the guard away and
see the canary hit, so that silence above means something.
"""

from __future__ import annotations

import io
import itertools
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.db.models import CharField
from httpx._decoders import GZipDecoder

from memweb import addresses
from memweb.gateway import guard
from tests.canary import PRIVATE, Canary, Liar


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary("127.0.0.2")
    yield made
    made.close()


@pytest.fixture
def listed(settings: Any) -> Iterator[Canary]:
    """A server whose address the operator listed."""
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    made = Canary("127.0.0.1")
    yield made
    made.close()


# {port} is the canary's.
HOSTILE = [
    *[f"http://{host}:{{port}}/" for host in PRIVATE],
    "http:///127.0.0.2:{port}/", "http:127.0.0.2:{port}/", "http:\\\\127.0.0.2:{port}\\", "//127.0.0.2:{port}/",
    "http://example.org\\@127.0.0.2:{port}/", "http://127.0.0.2:{port}\\@example.org/", "http://127.0.0.2 :{port}/",
    "http://127.0.0.2\t:{port}/", "http://127.0.0.2\r\nX: y:{port}/", " http://127.0.0.2:{port}/", "http://",
    "http://:{port}/", "http://127.0.0.2:{port}x/", "http://127.0.0.2:999999/", "http://127.0.0.2:-1/", "", "x",
    "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.2:{port}/", "gopher://127.0.0.2:{port}/_x",
    "data:audio/wav;base64,AAAA", "concat:http://127.0.0.2:{port}/|x", "subfile,,start,0,end,9,,:/etc/passwd",
    "unix:/tmp/x", "pipe:0", "javascript:1", "gs://bucket/blob", "HTTPS+unix://x/", "jar:http://127.0.0.2:{port}/!/",
    "https://127.0.0.2:{port}/", "rtmp://127.0.0.2:{port}/x", "http://127.0.0.2:22/", "http://1.1.1.1:22/",
    "http://1.1.1.1:25/", "http://1.1.1.1:6379/", "http://1.1.1.1:5432/", "http://no-such-host.invalid/",
    "http://" + "a" * 300 + ".org/", "http://1.1.1.1/" + "a" * 3000, "http://[::1", "http://[/", "http://a..b.invalid/",
    "http://[4000::1]/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_with_a_sentence(canary: Canary, url: str) -> None:
    with pytest.raises(guard.Forbidden) as refused:
        guard.resolve(url.format(port=canary.port))
    assert str(refused.value).endswith(".")
    with pytest.raises((guard.Forbidden, httpx.HTTPError, httpx.InvalidURL)):
        guard.fetch(url.format(port=canary.port), io.BytesIO(), most_bytes=1000, most_s=5)
    assert canary.hits == 0


@pytest.mark.parametrize("address", ["93.184.216.34", "[2606:2800:220:1:248:1893:25c8:1946]", "[2002:5db8:d822::1]"])
def test_a_public_address_may_be_touched(address: str) -> None:
    target = guard.resolve(f"https://{address}/a.mp3?x=1")
    assert (target.port, target.addresses) == (443, (address.strip("[]"),))


def test_no_url_is_longer_than_the_columns_that_keep_it() -> None:
    fields = [field for model in apps.get_app_config("gateway").get_models() for field in model._meta.get_fields()]
    longest = {
        field.max_length for field in fields if isinstance(field, CharField) and field.name in ("url", "audio_url")
    }
    assert min(longest) == guard.LONGEST_URL
    guard.check("https://example.org/" + "a" * (guard.LONGEST_URL - 20))


@pytest.mark.parametrize(
    ("entry", "host"),
    [("127.0.0.0/8", "127.9.9.9"), ("::1", "[::1]"), ("localhost", "LocalHost"), ("10.0.0.0/8", "[::ffff:10.1.1.1]")],
)
def test_what_the_operator_listed_may_be_touched(settings: Any, entry: str, host: str) -> None:
    settings.ALLOW_PRIVATE_URLS = [entry]
    assert guard.resolve(f"rtmp://{host}/live", schemes=("rtmp",)).port == 1935


def test_a_listed_network_opens_no_other(settings: Any) -> None:
    settings.ALLOW_PRIVATE_URLS = ["192.168.1.0/24"]
    with pytest.raises(guard.Forbidden, match="MEMWEB_ALLOW_PRIVATE_URLS"):
        guard.resolve("http://192.168.2.1/")


def test_a_redirect_to_a_private_address_is_refused(listed: Canary, canary: Canary) -> None:
    targets = [f"http://127.0.0.2:{canary.port}/", f"//127.0.0.2:{canary.port}/", "file:///etc/passwd", "gopher://x/"]
    for target in targets:
        with pytest.raises((guard.Forbidden, httpx.HTTPError)):
            _get(listed, f"/?to={target}")
    with pytest.raises(guard.Forbidden, match="longer"):
        _get(listed, f"/long?to=http://127.0.0.1:{listed.port}/")
    twice = f"http://127.0.0.1:{listed.port}/?to=http://127.0.0.2:{canary.port}/"
    with pytest.raises(guard.Forbidden):
        _get(listed, f"/?to={twice}")
    assert listed.hits == len(targets) + 3
    assert canary.hits == 0


async def test_the_asynchronous_client_is_guarded_the_same(listed: Canary, canary: Canary) -> None:
    async with guard.async_client() as web:
        assert (await web.get(f"http://127.0.0.1:{listed.port}/")).status_code == 200
        for url in (f"http://127.0.0.2:{canary.port}/", f"http://127.0.0.1:{listed.port}/?to=http://127.0.0.2/"):
            with pytest.raises(guard.Forbidden):
                await web.get(url)
        with pytest.raises(guard.Forbidden, match="longer"):
            await web.get(f"http://127.0.0.1:{listed.port}/long?to=http://127.0.0.1:{listed.port}/")
    with pytest.raises(guard.Forbidden):
        await guard.aresolve(f"http://127.0.0.2:{canary.port}/")
    assert canary.hits == 0


def test_a_redirect_that_never_ends_is_given_up(listed: Canary) -> None:
    with pytest.raises(httpx.TooManyRedirects):
        _get(listed, "/?to=" + f"http://127.0.0.1:{listed.port}/?to=" * 8 + "x")


async def test_the_body_of_a_redirect_is_not_read(listed: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx reads it to its end, unpacked, before it goes on."""
    monkeypatch.setattr(GZipDecoder, "decode", lambda decoder, data: pytest.fail("it was unpacked"))
    home = f"http://127.0.0.1:{listed.port}/"
    assert _get(listed, f"/packed?to={home}").size == 10_000
    async with guard.async_client() as web:
        assert len((await web.get(f"{home}packed?to={home}")).content) == 10_000


@pytest.mark.usefixtures("listed")
def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    liar = Liar(monkeypatch)
    with pytest.raises(httpx.ConnectError):
        guard.fetch(f"http://rebind.example:{canary.port}/", io.BytesIO(), most_bytes=1000, most_s=1)
    assert liar.asked == 1
    with pytest.raises(guard.Forbidden):
        guard.resolve(f"http://rebind.example:{canary.port}/")
    assert canary.hits == 0


@pytest.mark.usefixtures("listed")
async def test_nor_from_the_asynchronous_client(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    liar = Liar(monkeypatch)
    async with guard.async_client() as web:
        with pytest.raises(httpx.ConnectError):
            await web.get(f"http://rebind.example:{canary.port}/", timeout=1)
    assert liar.asked == 1
    assert canary.hits == 0


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("1.1.1.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: both)
    with pytest.raises(guard.Forbidden):
        guard.resolve("http://mixed.example/")


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, canary: Canary, listed: Canary) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.2:{canary.port}")
    assert _get(listed, "/").size == 10_000
    assert canary.hits == 0


def test_a_file_larger_than_allowed_is_not_taken(listed: Canary) -> None:
    into = io.BytesIO()
    with pytest.raises(guard.TooMuch):
        guard.fetch(f"http://127.0.0.1:{listed.port}/large", into, most_bytes=50_000, most_s=5)
    assert len(into.getvalue()) <= 50_000


def test_a_file_that_takes_too_long_is_not_taken(listed: Canary) -> None:
    with pytest.raises(guard.TooMuch):
        guard.fetch(f"http://127.0.0.1:{listed.port}/", io.BytesIO(), most_bytes=50_000, most_s=-1)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_byte_now_and_then_buys_no_time(settings: Any, part: str) -> None:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    head = b"HTTP/1.1 200 OK\r\n" + (b"X: " if part == "headers" else b"Content-Length: 999\r\n\r\n")
    beats: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server, head), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(guard.TooMuch):
            guard.fetch(url, io.BytesIO(), most_bytes=9999, most_s=0.6, beat=lambda: beats.append(time.monotonic()))
    assert 0.5 < time.monotonic() - began < 3
    assert statistics.median(later - former for former, later in itertools.pairwise(beats)) < 0.5


def test_a_server_that_stops_is_left_when_the_time_is_over(settings: Any) -> None:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(guard.TooMuch):
        guard.fetch(f"http://127.0.0.1:{server.getsockname()[1]}/", io.BytesIO(), most_bytes=9, most_s=0.3)


def test_what_the_beat_raises_ends_the_fetch(listed: Canary) -> None:
    def beat() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        guard.fetch(f"http://127.0.0.1:{listed.port}/", io.BytesIO(), most_bytes=100_000, most_s=5, beat=beat)


def _drip(server: socket.socket, head: bytes) -> None:
    """Answer a byte every tenth of a second after the beginning, for five seconds at most."""
    visitor, _ = server.accept()
    with visitor, suppress(OSError):
        visitor.sendall(head)
        for _ in range(50):
            time.sleep(0.1)  # to be slow is what it is for: never silent for long, and never done
            visitor.sendall(b"x")


def test_without_the_guard_the_canary_is_hit(monkeypatch: pytest.MonkeyPatch, listed: Canary, canary: Canary) -> None:
    """The broken twins: no look at addresses; then no look at redirects either."""
    monkeypatch.setattr(addresses, "_may_touch", lambda address: True)
    reached = 0
    for host in PRIVATE[:12]:
        try:
            guard.fetch(f"http://{host}:{canary.port}/", io.BytesIO(), most_bytes=100_000, most_s=5)
            reached += 1
        except (guard.Forbidden, httpx.HTTPError):
            continue
    assert canary.hits == reached >= 4
    _get(listed, f"/?to=http://127.0.0.2:{canary.port}/")
    assert canary.hits == reached + 1


@pytest.mark.usefixtures("listed")
def test_asking_twice_would_be_fooled(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    """The broken twin of the rebinding test: look once, then let a plain client look again."""
    Liar(monkeypatch)
    url = f"http://rebind.example:{canary.port}/"
    guard.resolve(url)
    with httpx.Client(trust_env=False) as plain:
        assert plain.get(url).status_code == 200
    assert canary.hits == 1


def _get(server: Canary, path: str) -> guard.Fetched:
    url = f"http://{server.address}:{server.port}{path}"
    return guard.fetch(url, io.BytesIO(), most_bytes=100_000, most_s=10)
