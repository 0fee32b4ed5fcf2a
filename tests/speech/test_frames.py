"""The page socket's protocol: frames as bytes, messages as JSON, and a torn tail that is seen as one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import frames
from memweb.speech.frames import BadFrame, BadMessage, Frame, FrameHeader

headers = st.builds(
    FrameHeader,
    number=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 400),
    flags=st.integers(0, 255),
    peak=st.just(0),
    first_sample=st.floats(0, 2**40),
    wall_ms=st.floats(0, 2**42),
)


@st.composite
def some_frames(draw: st.DrawFn) -> list[Frame]:
    return [Frame(header, draw(st.binary(min_size=2 * header.samples, max_size=2 * header.samples)))
            for header in draw(st.lists(headers, max_size=5))]  # fmt: skip


@given(some_frames())
def test_what_was_built_is_read_back(made: list[Frame]) -> None:
    data = b"".join(frames.build(frame.header, frame.pcm) for frame in made)
    assert frames.read(data) == (made, len(data))


@given(some_frames(), st.data())
def test_any_cut_keeps_every_whole_frame_and_nothing_else(made: list[Frame], data: st.DataObject) -> None:
    whole = b"".join(frames.build(frame.header, frame.pcm) for frame in made)
    cut = data.draw(st.integers(0, len(whole)))
    found, used = frames.read(whole[:cut])
    assert found == made[: len(found)]
    assert used == sum(frame.header.size for frame in found) <= cut
    assert len(found) == len(made) or used + made[len(found)].header.size > cut


def test_a_tail_of_zeros_where_sound_was_announced_is_torn() -> None:
    loud = frames.build(FrameHeader(0, 4, peak=900), b"\1\2" * 4)
    lost = frames.build(FrameHeader(1, 4, peak=900), bytes(8))
    silent = frames.build(FrameHeader(1, 4, peak=0), bytes(8))
    assert len(frames.read(loud + lost)[0]) == 1
    assert len(frames.read(loud + silent)[0]) == 2
    assert frames.read(loud + bytes(100)) == (frames.read(loud)[0], len(loud))


def test_a_header_is_laid_out_as_the_page_writes_it() -> None:
    data = frames.build(FrameHeader(7, 1, flags=1, peak=0x1234, first_sample=1.0, wall_ms=2.0), b"\x05\x06")
    assert data.hex() == (
        "4d57" "01" "01" "07000000" "0100" "3412" "00000000" "000000000000f03f" "0000000000000040" "0506"
    )  # fmt: skip
    assert frames.parse(data).is_last_of_stretch
    assert not frames.parse_header(frames.build(FrameHeader(7, 1), b"\0\0")).is_last_of_stretch


@pytest.mark.parametrize(
    "data",
    [b"", b"MW", bytes(32), b"MX\1\0" + bytes(40), b"MW\2\0" + bytes(40), b"MW\1\0" + bytes(28),
     frames.build(FrameHeader(0, 2), b"abcd") + b"e", frames.build(FrameHeader(0, 2), b"abcd")[:-1]],
)  # fmt: skip
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        frames.parse(data)


def test_a_frame_has_as_many_samples_as_it_says() -> None:
    with pytest.raises(BadFrame):
        frames.build(FrameHeader(0, 3), b"ab")
    with pytest.raises(BadFrame):
        frames.build(FrameHeader(0, 16001), bytes(32002))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"t":"pause"}', frames.Pause()),
        ('{"t":"continue"}', frames.Continue()),
        ('{"t":"undo"}', frames.Undo()),
        ('{"t":"redo"}', frames.Redo()),
        ('{"t":"ping","more":1}', frames.Ping()),
        ('{"t":"mark","at_ms":12.7}', frames.Mark(12)),
        ('{"t":"title","title":"a\\u0000b\\ud800"}', frames.Title("a\ufffdb\ufffd")),
        ('{"t":"language","language":"de"}', frames.Language("de")),
        ('{"t":"finish","next":3}', frames.Finish(3)),
        ('{"t":"whose","from":3}', frames.Whose(3)),
        ('{"t":"open"}', frames.Open()),
        (
            '{"t":"open","provider":"elevenlabs","language":"","title":"x","started":5,"rate":48000,"rev":2,"intent":"upload"}',
            frames.Open("elevenlabs", "", "x", 5, 48000, 2, "upload"),
        ),
    ],
)
def test_messages_of_the_page_are_understood(text: str, message: frames.Up) -> None:
    assert frames.parse_message(text) == message


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "5", "{}", '{"t":1}', '{"t":"?"}', '{"t":"finish"}', '{"t":"finish","next":true}',
     '{"t":"mark","at_ms":NaN}', '{"t":"mark","at_ms":1e300}', '{"t":"title","title":7}', "[" * 60000, " " * 70000],
)  # fmt: skip
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        frames.parse_message(text)


@pytest.mark.parametrize("wall", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clock_that_says_nothing_is_not_known(wall: float) -> None:
    assert frames.FrameHeader(0, 1, wall_ms=wall).known_wall_ms is None


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for candidate in (text, json.dumps({"t": text}), json.dumps({"t": "title", "title": text})):
        try:
            frames.parse_message(candidate)
        except BadMessage:
            continue


def test_messages_to_the_page_have_the_agreed_shape() -> None:
    told = [
        frames.resume(next=3, revision=4, state="idle", status="new", wall=1.5e12),
        frames.resume(next=0, revision=0, state="idle", status="new"),
        frames.walls(first=3, walls=[1.5e12, None]),
        frames.marked(at_ms=5),
        frames.ack(next=3, safe_ms=300),
        frames.state(state="listening", transcribed_ms=1, lag_ms=2, cost="0.0042", engine="e", note=""),
        frames.partial(text="<b>", start_ms=5),
        frames.html(revision=4, html="<p>"),
        frames.error(code="auth", message="A sentence.", action="settings", fatal=True),
        frames.ended(url="/transcripts/x/"),
        frames.pong(),
    ]
    assert [json.loads(text) for text in told] == [
        {"t": "resume", "next": 3, "rev": 4, "state": "idle", "status": "new", "wall": 1.5e12},
        {"t": "resume", "next": 0, "rev": 0, "state": "idle", "status": "new", "wall": None},
        {"t": "walls", "from": 3, "walls": [1.5e12, None]},
        {"t": "marked", "at_ms": 5},
        {"t": "ack", "next": 3, "safe_ms": 300},
        {
            "t": "state",
            "state": "listening",
            "transcribed_ms": 1,
            "lag_ms": 2,
            "cost": "0.0042",
            "engine": "e",
            "note": "",
        },
        {"t": "partial", "text": "<b>", "start_ms": 5},
        {"t": "html", "rev": 4, "html": "<p>"},
        {"t": "error", "code": "auth", "message": "A sentence.", "action": "settings", "fatal": True},
        {"t": "ended", "url": "/transcripts/x/"},
        {"t": "pong"},
    ]  # fmt: skip
