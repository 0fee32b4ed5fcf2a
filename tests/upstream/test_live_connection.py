"""The lean live client against a real WebSocket server: every size, every ending, every refusal, a silent peer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import psutil
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from memweb.upstream import errors, live
from memweb.upstream.address import Gateway

Serve = Callable[[Callable[[ServerConnection], Awaitable[None]]], Awaitable[Gateway]]


class Notebook:
    """Writes down what a connection hears."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.ends: list[tuple[int, str]] = []
        self.blocks: list[bool] = []
        self.ended = asyncio.Event()

    def heard(self, message: str | bytes) -> None:
        self.messages.append(message)

    def gone(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.ended.set()

    def blocked(self, blocked: bool) -> None:
        self.blocks.append(blocked)


@pytest.fixture
async def serving() -> AsyncIterator[Callable[..., Awaitable[Gateway]]]:
    servers: list[Server] = []

    async def start(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> Gateway:
        server = await serve(handler, "127.0.0.1", 0, **{"max_size": None, **options})
        servers.append(server)
        port = next(iter(server.sockets)).getsockname()[1]
        return Gateway(f"http://127.0.0.1:{port}", "sk-test")

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_messages_of_every_size_come_back_unchanged(serving: Callable[..., Awaitable[Gateway]]) -> None:
    connection = await live.connect(await serving(echo), [("provider", "x")])
    notebook = Notebook()
    connection.listen(notebook)
    sent: list[str | bytes] = [bytes(range(256))[:size] * (1 if size < 256 else size // 256) for size in
                               (0, 1, 125, 126, 127, 256, 65280, 65536, 300_032)]  # fmt: skip
    sent += ["", "a", "é" * 40_000]
    for message in sent:
        connection.send(message)
    await until(lambda: len(notebook.messages) == len(sent))
    assert notebook.messages == sent
    connection.close()


async def test_no_compression_is_offered_and_the_key_goes_in_a_header(
    serving: Callable[..., Awaitable[Gateway]],
) -> None:
    seen: list[Any] = []

    async def look(connection: ServerConnection) -> None:
        seen.append(connection.request)
        await connection.wait_closed()

    connection = await live.connect(await serving(look), [("provider", "x y"), ("language", "de")])
    await until(lambda: bool(seen))
    connection.close()
    assert seen[0].headers["Authorization"] == "sk-test"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers
    assert seen[0].path == "/serve/ws/v2/audio-stream?provider=x+y&language=de"


async def test_what_was_said_before_anybody_listened_is_heard(serving: Callable[..., Awaitable[Gateway]]) -> None:
    async def greet(connection: ServerConnection) -> None:
        await connection.send("hello")
        await connection.close(3005, "over")

    connection = await live.connect(await serving(greet), [])
    await asyncio.sleep(0.2)
    notebook = Notebook()
    connection.listen(notebook)
    await asyncio.wait_for(notebook.ended.wait(), 10)
    assert notebook.messages == ["hello"]
    assert notebook.ends == [(3005, "over")]


async def test_a_fragmented_message_is_heard_as_one(serving: Callable[..., Awaitable[Gateway]]) -> None:
    async def fragments(connection: ServerConnection) -> None:
        await connection.send(["one ", "two ", "three"])
        await connection.wait_closed()

    connection = await live.connect(await serving(fragments), [])
    notebook = Notebook()
    connection.listen(notebook)
    await until(lambda: bool(notebook.messages))
    assert notebook.messages == ["one two three"]
    connection.close()


async def test_a_dropped_connection_is_told_once(serving: Callable[..., Awaitable[Gateway]]) -> None:
    async def drop(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    connection = await live.connect(await serving(drop), [])
    notebook = Notebook()
    connection.listen(notebook)
    connection.send(b"sound")
    await asyncio.wait_for(notebook.ended.wait(), 10)
    assert [code for code, _ in notebook.ends] == [1006]
    connection.send(b"more")  # nothing happens
    connection.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Refused), (401, errors.Unauthorised), (402, errors.InsufficientBalance), (403, errors.Forbidden),
        (404, errors.Refused), (429, errors.AtCapacity), (503, errors.AtCapacity), (500, errors.Unreachable),
    ],
)  # fmt: skip
async def test_each_refusal_has_its_error(
    serving: Callable[..., Awaitable[Gateway]], status: int, kind: type[errors.UpstreamError]
) -> None:
    gateway = await serving(
        echo, process_request=lambda connection, request: connection.respond(HTTPStatus(status), "no")
    )
    with pytest.raises(kind) as caught:
        await live.connect(gateway, [])
    assert type(caught.value) is kind
    assert caught.value.retry is (kind in (errors.AtCapacity, errors.Unreachable))
    assert caught.value.sentence.endswith(".")


@pytest.mark.parametrize("gateway", [Gateway("http://127.0.0.1:1", "k"), Gateway("http://no.invalid", "k")])
async def test_nobody_there_is_unreachable(gateway: Gateway) -> None:
    with pytest.raises(errors.Unreachable):
        await live.connect(gateway, [])


@pytest.mark.parametrize(
    "gateway",
    [Gateway("http://", "k"), Gateway("http://127.0.0.1:1", "kéy"), Gateway("http://127.0.0.1:1", "k\r\nx: y")],
)
async def test_what_cannot_be_an_address_or_key_is_refused(gateway: Gateway) -> None:
    with pytest.raises(errors.Refused):
        await live.connect(gateway, [])


async def test_something_that_is_no_websocket_server_is_unreachable() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(errors.Unreachable):
        await live.connect(Gateway(f"http://127.0.0.1:{port}", "k"), [])
    server.close()
    await server.wait_closed()


async def test_who_gives_up_waiting_for_the_handshake_leaves_no_connection() -> None:
    came, ended = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    attempt = asyncio.create_task(live.connect(Gateway(f"http://127.0.0.1:{port}", "k"), []))
    await asyncio.wait_for(came.wait(), 10)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await asyncio.wait_for(ended.wait(), live.CONNECT_SECONDS - 1)
    server.close()
    await server.wait_closed()


async def test_a_goodbye_at_once_waits_for_nobody(serving: Callable[..., Awaitable[Gateway]]) -> None:
    go = asyncio.Event()
    codes: list[int | None] = []

    async def busy(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await go.wait()
        connection.transport.resume_reading()
        await connection.wait_closed()
        codes.append(connection.close_code)

    gateway = await serving(busy, ping_interval=None)
    connection = await live.connect(gateway, [])
    notebook = Notebook()
    connection.listen(notebook)
    assert sockets_to(gateway)
    connection.close(at_once=True)
    for _ in range(2):
        await asyncio.sleep(0)
    left = sockets_to(gateway)
    go.set()
    assert not left
    await until(lambda: codes == [1000])
    assert notebook.ends == []


def sockets_to(gateway: Gateway) -> list[int]:
    """This process's open sockets that lead there, by file number."""
    port = int(gateway.url.rpartition(":")[2])
    opened = psutil.Process().net_connections("tcp")
    return [one.fd for one in opened if one.raddr and one.raddr[1] == port]


async def test_a_silent_peer_is_given_up(
    serving: Callable[..., Awaitable[Gateway]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    monkeypatch.setattr(live, "DEAD_SECONDS", 0.5)

    async def sleep(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    connection = await live.connect(await serving(sleep, ping_interval=None), [])
    notebook = Notebook()
    connection.listen(notebook)
    await asyncio.wait_for(notebook.ended.wait(), 10)
    assert notebook.ends[0][0] == 1006


async def test_a_peer_that_only_answers_pings_is_kept(
    serving: Callable[..., Awaitable[Gateway]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    monkeypatch.setattr(live, "DEAD_SECONDS", 1.5)
    connection = await live.connect(await serving(echo, ping_interval=None), [])
    notebook = Notebook()
    connection.listen(notebook)
    await asyncio.sleep(2.5)
    assert notebook.ends == []
    connection.close()


async def test_a_peer_that_takes_nothing_is_noticed_and_nothing_is_lost(
    serving: Callable[..., Awaitable[Gateway]],
) -> None:
    go = asyncio.Event()
    got: list[int] = []

    async def slow(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await go.wait()
        connection.transport.resume_reading()
        async for message in connection:
            got.append(len(message))  # noqa: PERF401

    connection = await live.connect(await serving(slow, ping_interval=None), [])
    notebook = Notebook()
    connection.listen(notebook)
    sent = 0
    while not notebook.blocks and sent < 500:
        connection.send(bytes(64_000))
        sent += 1
        await asyncio.sleep(0)
    assert notebook.blocks == [True]
    go.set()
    await until(lambda: len(got) == sent)
    assert notebook.blocks == [True, False]
    connection.close()
