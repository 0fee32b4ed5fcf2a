"""Frames, both ways, held against the websockets package as a second opinion."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from memweb import wire

messages = st.lists(
    st.tuples(st.sampled_from([wire.TEXT, wire.BINARY, wire.PING, wire.PONG]), st.binary(max_size=125))
    | st.tuples(st.just(wire.BINARY), st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70000]).map(bytes)),
    max_size=8,
)


def heard(reader: wire.Reader, data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    """Every message of these bytes, fed in pieces that end at the cuts."""
    found = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        reader.feed(data[start:end])
        while (message := reader.next()) is not None:
            found.append(message)
    return found


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(messages, st.lists(st.integers(0, 10**6), max_size=20), st.booleans())
def test_what_is_framed_is_heard_again_however_it_is_cut(
    said: list[tuple[int, bytes]], cuts: list[int], masked: bool
) -> None:
    data = b"".join(wire.frame(opcode, payload, masked=masked) for opcode, payload in said)
    assert heard(wire.Reader(masked=masked, limit=1 << 20), data, cuts) == said


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(messages, st.booleans())
def test_the_websockets_package_hears_the_same(said: list[tuple[int, bytes]], masked: bool) -> None:
    other = Protocol(SERVER if masked else CLIENT, state=OPEN, max_size=None)
    other.receive_data(b"".join(wire.frame(opcode, payload, masked=masked) for opcode, payload in said))
    frames = [event for event in other.events_received() if isinstance(event, Frame)]
    assert [(int(frame.opcode), bytes(frame.data)) for frame in frames] == said


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=300), st.integers(1, 20), st.lists(st.integers(0, 10**6), max_size=5))
def test_a_message_in_parts_is_heard_whole_with_pings_between(payload: bytes, size: int, cuts: list[int]) -> None:
    parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    frames = [
        Frame(Opcode.TEXT if place == 0 else Opcode.CONT, part, fin=place == len(parts) - 1).serialize(mask=True)
        for place, part in enumerate(parts)
    ]
    ping = wire.frame(wire.PING, b"?", masked=True)
    pings = [(wire.PING, b"?")] * (len(frames) - 1)
    assert heard(wire.Reader(masked=True, limit=1000), ping.join(frames), cuts) == [*pings, (wire.TEXT, payload)]


def test_no_mask_is_used_twice() -> None:
    masked = [wire.frame(wire.PING, b"", masked=True)[2:] for _ in range(3 * wire.MASKS)]
    assert len(set(masked)) > len(masked) - 3  # four bytes, by chance the same once in a thousand runs


def test_noise_is_refused_where_the_websockets_package_refuses_it() -> None:
    chance = random.Random(20261128)
    refused = 0
    for _ in range(5000):
        first = chance.choice([0x81, 0x82, 0x01, 0x80, 0x00, 0x88, 0x89, 0x8A, chance.randrange(256)])
        second = chance.choice([0x80, 0x81, 0x85, 0xFD, chance.randrange(256)])
        data = bytes([first, second]) + chance.randbytes(chance.choice([4, 9, 140]))
        other = Protocol(SERVER, state=OPEN, max_size=1000)
        other.receive_data(data + bytes(2000))  # it looks at a frame once its head is whole
        if _code_of(data) in (None, 1007):  # websockets leaves it to others whether text is UTF-8
            continue
        refused += 1
        assert other.parser_exc is not None, data
    assert refused > 500


def _code_of(data: bytes) -> int | None:
    """The close code these bytes deserve, if they do."""
    reader = wire.Reader(masked=True, limit=1000)
    reader.feed(data)
    try:
        while (message := reader.next()) is not None:
            if message[0] == wire.CLOSE:
                wire.closing(message[1])
                return None
    except wire.Violation as violation:
        return violation.code
    return None


@pytest.mark.parametrize("parts", [[b"\xff"], [b"\xed\xa0\x80"], [b"\xc3"]])
def test_text_is_utf_8_or_refused(parts: list[bytes]) -> None:
    with pytest.raises(wire.Violation) as refused:
        wire.text(b"".join(parts))
    assert refused.value.code == 1007


def test_a_close_frame_says_its_code_and_as_much_of_the_reason_as_fits() -> None:
    reader = wire.Reader(masked=False, limit=1000)
    reader.feed(wire.close_frame(4000, "é" * 100) + wire.close_frame(wire.NO_CODE))
    first, second = reader.next(), reader.next()
    assert first is not None
    assert second is not None
    assert wire.closing(first[1]) == (4000, "é" * 61)
    assert wire.closing(second[1]) == (wire.NO_CODE, "")


def test_a_frame_that_comes_byte_by_byte_is_put_together_once() -> None:
    reader = wire.Reader(masked=True, limit=1 << 18)
    data = wire.frame(wire.BINARY, bytes(1 << 18), masked=True)
    for byte in data[:-1]:
        reader.feed(bytes([byte]))
        assert reader.next() is None
    reader.feed(data[-1:])
    assert reader.next() == (wire.BINARY, bytes(1 << 18))
