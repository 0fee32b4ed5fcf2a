"""What users' URLs are allowed: streams, sources, webhooks. Which addresses they may lead to, `memweb.addresses` says.

Redirects pass the same guard, hop by hop, because it sits where connections are made.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import certifi
import httpcore
import httpx

from memweb.addresses import Forbidden as Forbidden
from memweb.addresses import Network, addresses_of, check_port

WEB = ("http", "https")
PORTS = {"http": 80, "https": 443, "rtmp": 1935, "rtmps": 443, "rtsp": 554, "rtsps": 322}
LONGEST_URL = 2000
"""As much as every column for one holds."""
MOST_REDIRECTS = 5
CONNECT_S = 10.0
SILENT_S = 20.0
"""A server that sends nothing for so long is given up."""
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]+", re.IGNORECASE)


class TooMuch(Exception):
    """More came than was allowed, or for longer. `str()` is a sentence for whoever gave the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be touched, and where it leads: connect to `addresses`, never to the name again."""

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve(url: str, *, schemes: Iterable[str] = WEB) -> Target:
    """Look at a URL and at every address its host has. Blocking. Raises Forbidden."""
    scheme, host, port = _parts(url, tuple(schemes))
    return Target(url, scheme, host, port, addresses_of(host, port))


async def aresolve(url: str, *, schemes: Iterable[str] = WEB) -> Target:
    """`resolve`, off the event loop."""
    return await asyncio.to_thread(resolve, url, schemes=schemes)


def check(url: str, *, schemes: Iterable[str] = WEB) -> None:
    """Look at the URL's form alone, without asking for its addresses. Raises Forbidden."""
    _parts(url, tuple(schemes))


def _parts(url: str, schemes: tuple[str, ...]) -> tuple[str, str, int]:
    """Scheme, host and port. What two parsers read differently is refused."""
    if len(url) > LONGEST_URL:
        raise Forbidden(f"The URL is longer than {LONGEST_URL} characters.")
    if not url.isascii() or not url.isprintable() or any(mark in url for mark in ' \\"<>'):
        raise Forbidden("The URL has characters that must be written as %XX.")
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
        other = httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise Forbidden("The URL cannot be read.") from None
    scheme = split.scheme
    if scheme not in schemes:
        raise Forbidden(f"The URL must begin with {' or '.join(f'{name}://' for name in schemes)}.")
    if not host or len(host) > 253 or not _HOST.fullmatch(host) or other.host.lower() != host:
        raise Forbidden("The URL names no host.")
    port = PORTS.get(scheme, 443) if port is None else port
    check_port(port)
    return scheme, host, port


class _Allowance:
    """How long a fetch may take, over all its connections. Every step asks it; a step is a sign of life too."""

    def __init__(self, most_s: float, beat: Callable[[], None]) -> None:
        self._most_s, self._beat = most_s, beat
        self._until = time.monotonic() + most_s

    def step(self, timeout: float | None) -> float:
        """The timeout of the next step. Raises TooMuch once the time is over, and what the beat raises."""
        self._beat()
        left = self._until - time.monotonic()
        if left <= 0:
            raise TooMuch(f"The file behind the URL did not arrive within {self._most_s:.0f} s.")
        return left if timeout is None else min(timeout, left)


class _Timed(httpcore.NetworkStream):
    """A connection within an allowance: a byte now and then, of the headers too, buys no more time."""

    def __init__(self, inner: httpcore.NetworkStream, allowance: _Allowance) -> None:
        self._inner, self._allowance = inner, allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._inner.read(max_bytes, self._allowance.step(timeout))
        except httpcore.ReadTimeout:
            self._allowance.step(timeout)  # says so, where it was the allowance that ended
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._allowance.step(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._inner.start_tls(ssl_context, server_hostname, self._allowance.step(timeout))
        return _Timed(secure, self._allowance)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Network(Network):
    """Makes connections for a blocking client, to addresses that were looked at, within an allowance."""

    def __init__(self, allowance: _Allowance) -> None:
        self._allowance = allowance

    def connect_to(self, address: str, port: int, timeout: float | None, *args: Any, **options: Any) -> Any:
        allowed_s = self._allowance.step(timeout)
        return _Timed(super().connect_to(address, port, allowed_s, *args, **options), self._allowance)


class _AsyncNetwork(httpcore.AsyncNetworkBackend):
    """The same for an asynchronous client."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any) -> Any:  # noqa: ASYNC109 - httpcore's
        failure: Exception | None = None
        for address in await asyncio.to_thread(addresses_of, host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, *args, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(host)

    async def connect_unix_socket(self, path: str, *args: Any, **options: Any) -> Any:
        raise Forbidden("A path is no URL.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Transport(httpx.HTTPTransport):
    def __init__(self, allowance: _Allowance) -> None:
        super().__init__(verify=_trust(), trust_env=False)
        self._pool = httpcore.ConnectionPool(ssl_context=_trust(), network_backend=_Network(allowance))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        check(str(request.url))
        answer = super().handle_request(request)
        if answer.has_redirect_location:
            answer.close()
            return _without_body(answer)
        return answer


class _AsyncTransport(httpx.AsyncHTTPTransport):
    def __init__(self) -> None:
        super().__init__(verify=_trust(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=_trust(), network_backend=_AsyncNetwork())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        check(str(request.url))
        answer = await super().handle_async_request(request)
        if answer.has_redirect_location:
            await answer.aclose()
            return _without_body(answer)
        return answer


def _without_body(answer: httpx.Response) -> httpx.Response:
    """A redirect. httpx would read all of its body, and unpack it, before it goes on: however much that is."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != "content-encoding"]
    return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(b""))


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def async_client(*, redirects: bool = True, silent_s: float = SILENT_S) -> httpx.AsyncClient:
    """A client for users' URLs: it reaches what `resolve` allows, at each redirect anew, and no proxy. May raise
    Forbidden besides what httpx raises."""
    return httpx.AsyncClient(transport=_AsyncTransport(), **_options(redirects, silent_s))


def unguarded_client(*, silent_s: float) -> httpx.AsyncClient:
    """A client for this server's own door, which the guard forbids: it reaches whatever it is given."""
    return httpx.AsyncClient(**_options(False, silent_s))


def _options(redirects: bool, silent_s: float) -> dict[str, Any]:
    return {
        "follow_redirects": redirects,
        "max_redirects": MOST_REDIRECTS,
        "timeout": httpx.Timeout(silent_s, connect=CONNECT_S),
        "trust_env": False,
        "headers": {"User-Agent": "memweb", "Accept-Encoding": "identity"},
    }


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was behind a URL."""

    size: int
    content_type: str
    url: str
    """After redirects."""


def fetch(
    url: str, into: BinaryIO, *, most_bytes: int, most_s: float, beat: Callable[[], None] = lambda: None
) -> Fetched:
    """Write what is behind a URL into a file, piece by piece, as it is sent. `beat` is called all the while.

    Raises Forbidden, TooMuch, or httpx.HTTPError, also for an answer that is no 2xx; and what `beat` raises. Blocking.
    """
    web = httpx.Client(transport=_Transport(_Allowance(most_s, beat)), **_options(True, SILENT_S))
    with web, web.stream("GET", _checked(url)) as answer:
        answer.raise_for_status()
        size = 0
        for piece in answer.iter_raw():
            size += len(piece)
            if size > most_bytes:
                raise TooMuch(f"The file behind the URL is larger than {most_bytes // 1_000_000} MB.")
            into.write(piece)
        return Fetched(size, answer.headers.get("content-type", ""), str(answer.url))


def _checked(url: str) -> str:
    check(url)
    return url
