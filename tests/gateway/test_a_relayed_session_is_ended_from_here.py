"""How memweb itself ends a session with a provider: never within a message of theirs, and not left to a client that
no longer reads.

Real lines on both sides. What the client gets is judged by the websockets library.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from memweb.gateway import relay, splice
from memweb.gateway.dial import Dialled, dial
from memweb.gateway.providers.binding import Binding
from memweb.gateway.relay import Gauge, Provider, Relay
from memweb.gateway.splice import Splice
from memweb.speech.dialects import live_server
from memweb.speech.dialects.counting import audio_count
from tests.gateway.scripted import Purse
from tests.server.raw import frame
from tests.upstream_simulator import HALVES, StandIn

UNREAD_S = 0.5
AMPLE_S = 3.0
"""To read all of the flood in, on a busy machine too."""
FLOOD = "x_flood=4000"
FLOOD_BYTES = 4000 * 1024
LET_GO_S = 15
"""Less than the half minute after which the system gives up such a line by itself (splice.LOST_AFTER_S)."""
BUFFER = 64 * 1024


class Watched(Splice):
    """Tells when its client has fallen behind."""

    behind: asyncio.Event

    def client_is_behind(self) -> None:
        super().client_is_behind()
        self.behind.set()


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (relay, splice):
        monkeypatch.setattr(module, "UNREAD_SECONDS", UNREAD_S)


async def dialled(provider: StandIn, query: str) -> Dialled:
    url = f"ws://127.0.0.1:{provider.port}/v3/ws"
    return await dial(Binding("assemblyai", url, "authorization", "operators-assembly"), query, {})


def gauge(purse: Purse) -> Gauge:
    return Gauge(purse, audio_count("assemblyai", {}))


async def nothing_more() -> Any:
    """A client, or a server, that has nothing to say."""
    await asyncio.Event().wait()


@asynccontextmanager
async def spliced(
    provider: StandIn, query: str, purse: Purse | None = None
) -> AsyncIterator[tuple[Watched, asyncio.Task[None], asyncio.StreamReader, asyncio.StreamWriter]]:
    """A splice, its session, and the client's two ends. The system takes little for a client that does not read."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.connect(door.getsockname())
        line, _ = door.accept()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)

        async def accept(message: dict[str, Any]) -> None:
            await loop.connect_accepted_socket(lambda: message["splice"](b"", b""), line)

        server = live_server("assemblyai", {}, "s")
        joined = Watched(server, await dialled(provider, query), gauge(purse or Purse()), nothing_more, accept)
        joined.behind = asyncio.Event()
        session = loop.create_task(joined.run())
        reader, writer = await asyncio.open_connection(sock=client)
        try:
            async with asyncio.timeout(60):
                yield joined, session, reader, writer
        finally:
            session.cancel()
            await asyncio.wait([session])
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def told(reader: asyncio.StreamReader, judge: Protocol, last: Opcode) -> list[Frame]:
    """The frames that come until one of this kind has. Fails where they break the protocol."""
    frames: list[Any] = []
    while last not in [one.opcode for one in frames]:
        data = await reader.read(BUFFER)
        assert data, f"it ended after {frames}"
        judge.receive_data(data)
        assert judge.parser_exc is None, f"{judge.parser_exc}: {data!r}"
        frames += judge.events_received()
    return frames


async def test_an_ending_of_ours_waits_for_the_last_part_of_their_message(provider: StandIn) -> None:
    """Between two parts of a message only control frames may come (RFC 6455, 5.4)."""
    judge = Protocol(Side.CLIENT)
    async with spliced(provider, "x_halves=1", Purse(pays_ms=0)) as (_, _, reader, writer):
        begun = await told(reader, judge, Opcode.PING)
        # In one piece: whoever hears of the first hears of it after the second was found not to be paid for.
        writer.write(frame(1, b"go on") + frame(2, bytes(3200)))
        ended = await told(reader, judge, Opcode.CLOSE)
    kinds = [(one.opcode, one.fin) for one in begun[1:] + ended]
    whole = [(Opcode.TEXT, False), (Opcode.PING, True), (Opcode.CONT, False), (Opcode.CONT, True)]
    assert kinds == [*whole, (Opcode.TEXT, True), (Opcode.CLOSE, True)]
    assert (bytes(begun[1].data), bytes(ended[0].data)) == HALVES
    assert json.loads(ended[-2].data)["error_code"] == 4002
    assert judge.close_rcvd is not None
    assert judge.close_rcvd.code == 4002


async def test_a_client_that_no_longer_reads_is_let_go(provider: StandIn) -> None:
    async with spliced(provider, FLOOD) as (_, session, reader, _):
        async with asyncio.timeout(LET_GO_S):
            await session
        assert len(await reader.read()) < FLOOD_BYTES, "its line is closed"
    assert await asyncio.to_thread(provider.connections[-1].over.wait, LET_GO_S), "the provider is let go too"


async def test_a_client_that_was_behind_and_reads_again_is_kept(
    provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splice, "UNREAD_SECONDS", AMPLE_S)
    async with spliced(provider, FLOOD) as (joined, session, reader, _):
        await joined.behind.wait()
        read = 0
        while read < FLOOD_BYTES:
            read += len(await reader.read(BUFFER))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(session), AMPLE_S)


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_server_that_takes_no_more_for_its_client_does_not_keep_the_session(
    provider: StandIn, revoked: bool
) -> None:
    """By messages: its `send` waits as long as the client does not read, for the words of our ending too."""
    kinds: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        kinds.append(message["type"])
        if message["type"] != "websocket.accept":
            if revoked:
                session.revoked()
            await nothing_more()

    upstream = Provider(await dialled(provider, FLOOD))
    session = Relay(live_server("assemblyai", {}, "s"), upstream, gauge(Purse()), nothing_more, send)
    async with asyncio.timeout(LET_GO_S):
        await session.run()
    assert kinds == ["websocket.accept", "websocket.send", "websocket.send" if revoked else "websocket.close"]
    assert await asyncio.to_thread(provider.connections[-1].over.wait, LET_GO_S)
