"""Who gets the decoder next, and how measured lag makes partials rarer. With ears of cardboard: no audio, no clock."""

from __future__ import annotations

import io
import queue

import pytest

from memweb.engines import wire, worker
from memweb.engines.protocol import Line, Want
from memweb.engines.worker import Stream, Worker

INTERVALS = (0.5, 1.0, 2.0)


class Ear:
    """An ear that wants what it is told to want."""

    def __init__(self, want: Want = Want.NOTHING) -> None:
        self.wants = want
        self.asked: list[float] = []
        self.heard = self.thought = self.settled = 0
        self.closed = False

    def hear(self, pcm: bytes) -> list[int]:
        if pcm == b"??":
            raise ValueError("bad")
        self.heard += len(pcm) // 2
        return []

    def want(self, interval_s: float) -> Want:
        self.asked.append(interval_s)
        return self.wants

    def speak(self) -> list[Line]:
        return [Line("word", 0, 100, True)]

    def commit(self) -> list[Line]:
        return []

    def close(self) -> None:
        self.closed = True


class Engine:
    name = "cardboard"
    intervals = INTERVALS

    def open(self, language: str | None, base: int) -> Ear:
        return Ear()


def _worker(*ears: Ear) -> tuple[Worker, io.BytesIO]:
    out = io.BytesIO()
    made = Worker(Engine(), out)
    made._streams = {number: Stream(number, ear, INTERVALS) for number, ear in enumerate(ears)}
    return made, out


def _frames(out: io.BytesIO) -> list[wire.Head]:
    out.seek(0)
    frames = []
    while frame := wire.read(out):
        frames.append(frame[0])
    return frames


def test_a_final_goes_before_any_partial() -> None:
    made, _ = _worker(Ear(Want.PARTIAL), Ear(Want.FINAL), Ear(Want.PARTIAL))
    chosen = made._choose(1.0)
    assert chosen is not None
    assert chosen.number == 1


def test_among_equals_the_one_that_waits_longest_is_next() -> None:
    ears = [Ear(), Ear(Want.PARTIAL), Ear()]
    made, _ = _worker(*ears)
    made._choose(1.0)
    ears[0].wants = Want.PARTIAL
    ears[2].wants = Want.PARTIAL
    chosen = made._choose(2.0)
    assert chosen is not None
    assert chosen.number == 1
    chosen.turned(2.5)
    following = made._choose(3.0)
    assert following is not None
    assert following.number != 1


def test_nobody_wanting_gets_no_turn() -> None:
    assert _worker(Ear(), Ear())[0]._choose(1.0) is None


def _after(lags: list[float]) -> float:
    stream = Stream(1, Ear(Want.PARTIAL), INTERVALS)
    now = 0.0
    for lag in lags:
        stream.last_audio = now
        stream.want(now)
        now += lag
        stream.turned(now)
        now += 1
    return stream.interval_s


def test_lag_makes_partials_rarer_step_by_step_until_there_are_finals_only() -> None:
    late = worker.LAG_SLOWER_S * 2
    steps = [_after([late] * count) for count in range(6)]
    assert steps == [0.5, 1.0, 2.0, float("inf"), float("inf"), float("inf")]


def test_partials_come_back_when_turns_are_in_time_for_a_while() -> None:
    late, quick = worker.LAG_SLOWER_S * 2, 0.01
    assert _after([late, late, *[quick] * (worker.QUICKER_AFTER - 1)]) == 2.0
    assert _after([late, late, *[quick] * worker.QUICKER_AFTER]) == 1.0
    assert _after([late, late, *[quick] * worker.QUICKER_AFTER * 2]) == 0.5


def test_audio_that_is_not_followed_by_more_is_decoded_without_the_interval() -> None:
    ear = Ear()
    stream = Stream(1, ear, INTERVALS)
    ear.heard = 8000
    stream.last_audio = 10.0
    stream.want(10.1)
    stream.want(10.1 + worker.IDLE_S)
    assert ear.asked[0] == 0.5
    assert ear.asked[1] < 0.1


def test_one_streams_trouble_leaves_the_others_alone() -> None:
    inbox: queue.SimpleQueue[wire.Frame] = queue.SimpleQueue()
    made, out = _worker()
    for number in (1, 2):
        inbox.put(({"t": "open", "s": number, "language": "en", "base": 0}, b""))
    inbox.put(({"t": "audio", "s": 1}, b"??"))
    inbox.put(({"t": "audio", "s": 2}, bytes(32_000)))
    inbox.put(({"t": "audio", "s": 1}, bytes(100)))
    made._take_all(inbox)
    said = _frames(out)
    assert [(head["t"], head["s"]) for head in said] == [("broken", 1), ("progress", 2)]
    assert said[1]["heard"] == 16_000
    assert list(made._streams) == [2]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 20])
def test_a_frame_that_ends_early_is_the_end(cut: int) -> None:
    frame = wire.pack({"t": "audio", "s": 1}, b"1234")
    assert wire.read(io.BytesIO(frame)) == ({"t": "audio", "s": 1}, b"1234")
    assert wire.read(io.BytesIO(frame[:cut])) is None


def test_a_frame_larger_than_any_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than any"):
        wire.read(io.BytesIO(b"\xff" * 16))
