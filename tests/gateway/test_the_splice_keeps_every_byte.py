"""However the bytes fall into pieces: the provider gets what the client sent, the count is right, and an ending of ours
never lands inside a frame of theirs."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from typing import Any

import pytest
from websockets.speedups import apply_mask

from memweb.gateway import splice as splicing
from memweb.gateway.relay import Gauge
from memweb.gateway.splice import Frames, Splice, header_at
from memweb.speech.dialects import live_server
from memweb.speech.dialects.counting import audio_count
from tests.gateway.scripted import Purse
from tests.server.raw import frame

CHUNK = json.dumps({"message_type": "input_audio_chunk", "audio_base_64": "A" * 4000, "commit": False}).encode()
SENT = [
    frame(2, bytes(3200)),
    frame(2, b""),
    frame(1, b"{}"),
    frame(1, CHUNK),
    frame(1, CHUNK[:1000], fin=False),
    frame(9, b"ping"),
    frame(0, CHUNK[1000:]),
    frame(2, bytes(70_000), fin=False),
    frame(0, bytes(100)),
    frame(8, b"\x03\xe8bye"),
]
TOLD = [frame(1, b"x" * size, masked=False) for size in (3, 200, 70_000, 0)] + [
    frame(1, b"in ", fin=False, masked=False),
    frame(9, b"", masked=False),
    frame(0, b"parts", masked=False),
]


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.line: socket.socket | None = None

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int) -> None: ...
    def get_extra_info(self, name: str) -> socket.socket | None:
        assert name == "socket"
        return self.line

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def resume_reading(self) -> None: ...
    def pause_reading(self) -> None: ...


class Dialled:
    rest = b""

    def __init__(self) -> None:
        self.transport = Wire()


async def nothing(*_: Any) -> Any: ...


def joined(
    provider: str, purse: Purse, lines: tuple[socket.socket | None, socket.socket | None] = (None, None)
) -> tuple[Splice, Wire, Wire]:
    """A splice, its client's wire and its provider's; below them, these sockets."""
    dialled: Any = Dialled()
    client: Any = Wire()
    gauge = Gauge(purse, audio_count(provider, {}))
    splice = Splice(live_server(provider, {}, "s"), dialled, gauge, nothing, nothing)
    client.line, dialled.transport.line = lines
    splice.join(client)
    return splice, client, dialled.transport


def in_pieces(data: bytes, seed: int) -> list[bytes]:
    """Of every size from one byte on, cut with a liking for the heads of frames."""
    chance = random.Random(seed)
    pieces = []
    while data:
        size = chance.choice([1, 1, 2, 3, 5, 100, 3000, 50_000])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai"])
@pytest.mark.parametrize("seed", range(20))
async def test_the_provider_gets_every_byte_and_the_count_is_right(provider: str, seed: int) -> None:
    purse = Purse()
    splice, _, upstream = joined(provider, purse)
    for piece in in_pieces(b"".join(SENT), seed):
        splice.from_client(piece)
    assert upstream.written == b"".join(SENT)
    sound = 3200 + 70_100 + (2 * 3000 if provider == "elevenlabs" else 0)
    assert max(purse.told) == sound // 32


@pytest.mark.parametrize("seed", range(20))
async def test_a_frame_that_is_not_paid_for_is_not_passed_on(seed: int) -> None:
    splice, client, upstream = joined("assemblyai", Purse(pays_ms=250))
    for piece in in_pieces(frame(1, b"{}") + SENT[0] * 2 + SENT[0] + SENT[0], seed):
        splice.from_client(piece)
    opcodes = []
    at = 0
    while (header := header_at(upstream.written, at)) is not None:
        opcodes.append(header[0] & 15)
        at = header[2] + header[3]
    assert (opcodes, at) == ([1, 2, 2], len(upstream.written))
    assert b"4002" in client.written
    assert client.written.endswith(b"The balance is used up. Add to it, then go on.")


async def test_a_peer_that_vanished_is_noticed_within_half_a_minute() -> None:
    """A phone that lost its network says nothing: its session, and its place, would be held for hours."""
    with socket.socket() as one, socket.socket() as other:
        joined("assemblyai", Purse(), (one, other))
        for line in (one, other):
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, interval, count, unheard = (
                line.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            )
            assert (idle + interval * count, unheard) == (30, 30_000)


def cut_short(seed: int) -> tuple[bytes, bytes]:
    """What a client was told by a provider that was cut off somewhere, and all the provider would have said."""
    splice, client, _ = joined("assemblyai", Purse())
    said = b"".join(TOLD) + b"".join(TOLD)
    pieces = in_pieces(said, seed)
    for at, piece in enumerate(pieces):
        if at == len(pieces) // 2:
            splice.revoked()
        splice.from_provider(piece)
    return client.written, said


def broken_at(told: bytes, said: bytes) -> bool:
    """Whether the farewell lies within a message of the provider's."""
    start = told.index(b"no longer valid") if b"no longer valid" in told else len(told)
    ends, at, within = {0}, 0, False
    while (header := header_at(said, at)) is not None:
        at = header[2] + header[3]
        if header[0] & 15 < 8:
            within = header[0] < 0x80
        if not within:
            ends.add(at)
    prefix = next(end for end in sorted(ends, reverse=True) if told.startswith(said[:end]))
    follows = told[prefix:]
    return not (follows[:1] == b"\x81" and b"no longer valid" in follows[: 4 + start])


@pytest.mark.parametrize("seed", range(30))
async def test_an_ending_of_ours_waits_for_the_end_of_theirs(seed: int) -> None:
    assert not broken_at(*cut_short(seed))


async def test_an_ending_that_does_not_wait_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Frames, "between", property(lambda self: True))
    assert any(broken_at(*cut_short(seed)) for seed in range(30))


async def test_a_client_that_does_not_mask_and_a_text_without_end_are_refused() -> None:
    for bad, code in ((frame(2, b"x", masked=False), 1002), (frame(1, b"", length=2 << 20), 1009)):
        splice, client, upstream = joined("elevenlabs", Purse())
        splice.from_client(bad)
        assert code.to_bytes(2, "big") in client.written
        assert upstream.written == b""


async def test_a_provider_that_is_cut_off_is_told_as_lost_but_never_within_its_words() -> None:
    splice, client, _ = joined("assemblyai", Purse())
    splice.provider_gone()
    assert client.written[:4] == b"\x88" + bytes([len(client.written) - 2]) + (1014).to_bytes(2, "big")
    splice, client, _ = joined("assemblyai", Purse())
    splice.from_provider(TOLD[1][:50])
    splice.provider_gone()
    assert client.written == TOLD[1][:50]
    assert splicing.GOODBYE_SECONDS < 10


def test_the_tests_own_masking_is_the_real_one() -> None:
    made = frame(2, b"abcdefgh")
    assert apply_mask(made[6:], made[2:6]) == b"abcdefgh"
