"""LiveSession against an upstream that drops at will: whatever happens, each stretch of sound becomes words once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from memweb.speech import session
from memweb.speech.actions import Action, Close, Commit, Connect, Done, End, Save, Send, State
from memweb.speech.events import Ended, Event, Failed, Final, Partial
from memweb.speech.session import LiveSession
from memweb.speech.transcript import Segment, Word

STRETCH = 1600
AGAIN = Failed("provider", "gone", retry=True)


class Upstream:
    """Hears 100 ms stretches; makes each a word; ends a segment after some of them, in two tellings."""

    def __init__(self, rng: random.Random, offset_ms: int) -> None:
        self.rng, self.offset = rng, offset_ms
        self.bits: list[tuple[int, int]] = []
        self.heard = 0
        self.said = 0
        self.turn = 0
        self.words: list[Word] = []

    def audio(self, start: int, end: int) -> None:
        assert start == self.offset * 16 + self.heard, "sound came out of order, twice or with a gap"
        self.heard += end - start

    def speak(self, *, all: bool = False) -> list[Event]:
        """What it says now about what it heard."""
        told: list[Event] = []
        while (self.said + 1) * STRETCH <= self.heard:
            begin = self.said * 100
            text = f"w{(self.offset + begin) // 100}"
            self.words.append(Word(text, begin, begin + 100))
            self.said += 1
            if len(self.words) >= self.rng.randint(2, 9):
                told += self.final()
        if self.words:
            told.append(
                Partial(" ".join(word.text for word in self.words), self.words[0].start_ms, self.words[-1].end_ms)
            )
        return told + (self.final() if all else [])

    def final(self) -> list[Event]:
        if not self.words:
            return []
        text = " ".join(word.text for word in self.words)
        first, last = self.words[0], self.words[-1]
        segment = Segment(str(self.turn), first.start_ms, last.end_ms, text, tuple(self.words))
        self.words, self.turn = [], self.turn + 1
        return [Final(segment), Final(segment)]


class World:
    """A page, a disk, a database, and a LiveSession between them and one upstream at a time."""

    def __init__(self, seed: int, make: Callable[..., LiveSession] = LiveSession) -> None:
        self.rng = random.Random(seed)
        self.make = make
        self.now = 100.0
        self.captured = 0
        self.saved: dict[str, Segment] = {}
        self.up: Upstream | None = None
        self.number = 0
        self.done = False
        self.connections = 0
        self.crash()

    def crash(self) -> None:
        """The process dies: what was saved and spooled is all there is."""
        floor = max((segment.end_ms for segment in self.saved.values()), default=0)
        self.up = None
        self.session = self.make(
            floor_ms=floor, connections=self.connections, pace=4.0, forms=2, chance=self.rng.random
        )
        self.do(self.session.hear(self.captured, self.now))
        self.do(self.session.start(self.now))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect(number, offset_ms):
                    self.number, self.connections = number, max(self.connections, number)
                    self.opening = Upstream(self.rng, offset_ms)
                    self.up = None
                case Send(start, end):
                    assert self.up is not None
                    assert end <= self.captured
                    self.up.audio(start, end)
                case Save(segment, again):
                    assert again == (segment.key in self.saved)
                    self.saved[segment.key] = segment
                case Commit():
                    assert self.up is not None
                    self.tell(self.up.speak(all=True))
                case End():
                    assert self.up is not None
                    if self.rng.random() < 0.7:
                        self.tell([*self.up.speak(all=True), Ended()])
                case Close():
                    self.up = None
                case Done(complete):
                    assert complete
                    self.done = True

    def tell(self, told: list[Event]) -> None:
        number = self.number
        for event in told:
            self.do(self.session.event(number, event, self.now))

    def step(self) -> None:
        """A tenth of a second in which anything may happen."""
        self.now += 0.1
        if not self.session._stopping:
            self.captured += STRETCH
            self.do(self.session.hear(self.captured, self.now))
        chance = self.rng.random()
        if self.up is None and self.session.state in (State.CONNECTING, State.FINISHING) and chance < 0.5:
            if chance < 0.1:
                self.do(self.session.closed(self.number, AGAIN, self.now))
            elif self.session._retry_at is None:
                self.up = self.opening
                self.do(self.session.opened(self.number, self.now))
        elif self.up is not None and chance < 0.6:
            self.tell(self.up.speak())
        elif self.up is not None and chance < 0.64:
            self.up = None
            self.do(self.session.closed(self.number, AGAIN, self.now))
        elif self.up is not None and chance < 0.66:
            self.tell([AGAIN])
        elif chance < 0.67 and not self.session._stopping:
            self.crash()
        self.do(self.session.tick(self.now))

    def run(self, steps: int) -> list[str]:
        """Every word that was saved, in order of time."""
        for _ in range(steps):
            self.step()
        self.do(self.session.stop(self.now))
        for _ in range(3000):
            if self.done:
                break
            self.step()
        assert self.done, "it never ended"
        segments = sorted(self.saved.values(), key=lambda segment: segment.start_ms)
        return [word for segment in segments for word in segment.text.split()]


@pytest.mark.parametrize("seed", range(150))
def test_each_stretch_becomes_words_once_whatever_happens(seed: int) -> None:
    world = World(seed)
    words = world.run(150)
    assert words == [f"w{number}" for number in range(world.captured // STRETCH)]


class ReplaysNothing(LiveSession):
    def _connect(self, now: float) -> list[Action]:
        self.floor = max(self.floor, self.sent)
        return super()._connect(now)


class ReplaysEverything(LiveSession):
    def _connect(self, now: float) -> list[Action]:
        self.floor = 0
        return super()._connect(now)


@pytest.mark.parametrize("twin", [ReplaysNothing, ReplaysEverything])
def test_the_world_sees_a_session_that_loses_or_doubles(twin: type[LiveSession]) -> None:
    broken = 0
    for seed in range(20):
        world = World(seed, twin)
        try:
            broken += world.run(150) != [f"w{number}" for number in range(world.captured // STRETCH)]
        except AssertionError:
            broken += 1
    assert broken >= 15


def test_a_backlog_is_sent_no_faster_than_the_pace() -> None:
    live = LiveSession(pace=2.0, chance=lambda: 0.5)
    (connect,) = live.hear(60 * 16000, 0.0)
    assert isinstance(connect, Connect)
    sent = _samples(live.opened(connect.connection, 10.0))
    assert sent <= session.BURST
    for tenth in range(1, 101):
        sent += _samples(live.tick(10.0 + tenth / 10))
    assert sent / 16000 == pytest.approx(1.5 + 2.0 * 10, abs=0.6)


def test_sound_as_it_is_spoken_is_sent_at_once() -> None:
    live = LiveSession(pace=2.0, chance=lambda: 0.5)
    live.start(0.0)
    live.opened(1, 0.1)
    for tenth in range(1, 600):
        assert live.hear(tenth * STRETCH, tenth / 10) == [Send((tenth - 1) * STRETCH, tenth * STRETCH)]


def test_words_before_the_beginning_of_a_connection_are_left_out_by_time() -> None:
    live = LiveSession(floor_ms=1000, connections=3, chance=lambda: 0.5)
    live.hear(48000, 0.0)
    live.start(0.0)
    live.opened(4, 0.1)
    old, new = Word("again", -300, -100), Word("new", 0, 300)
    actions = live.event(4, Final(Segment("0", -300, 300, "again new", (old, new))), 0.2)
    (save,) = [action for action in actions if isinstance(action, Save)]
    assert (save.segment.key, save.segment.text, save.segment.start_ms, save.segment.end_ms) == (
        "4-0",
        "new",
        1000,
        1300,
    )
    wholly_old = live.event(4, Final(Segment("1", -500, -100, "again", (old,))), 0.3)
    assert not [action for action in wholly_old if isinstance(action, Save)]


def test_pauses_between_frames_leave_the_clocks_together() -> None:
    """A piece below 50 ms reaches the provider with silence up to that, which its clock counts and ours does not."""
    live = LiveSession(chance=lambda: 0.5)
    live.start(0.0)
    live.opened(1, 0.0)
    captured = provider = 0
    for second in range(1, 21):
        captured += 16160  # a second, and 10 ms
        actions = [*live.hear(captured, float(second)), *live.pause(second + 0.1)]
        live.proceed(second + 0.2)
        assert Commit() in actions
        provider += sum(max(one.to_sample - one.from_sample, session.SHORTEST) for one in sends(actions))
    assert provider == live.sent
    assert captured - live.sent < session.SHORTEST
    (save,) = live.event(1, Final(Segment("0", 19_000, 20_000, "word", (Word("word", 19_000, 20_000),))), 21.0)
    assert isinstance(save, Save)
    assert (save.segment.start_ms, save.segment.end_ms) == (19_000, 20_000)
    live.closed(1, AGAIN, 22.0)
    assert live.tick(30.0) == [Connect(2, 20_000)]
    (*_, last) = sends(live.opened(2, 30.0))
    assert last.to_sample == captured


def test_a_final_without_times_ends_where_its_last_interim_words_were_heard() -> None:
    live = LiveSession(chance=lambda: 0.5)
    live.start(0.0)
    live.opened(1, 0.0)
    live.hear(16000, 1.0)
    live.event(1, Partial("hello"), 1.1)
    live.hear(24000, 1.5)
    actions = live.event(1, Final(Segment("0", 0, 0, "hello"), timed=False), 1.6)
    (save,) = [action for action in actions if isinstance(action, Save)]
    assert (save.segment.start_ms, save.segment.end_ms) == (0, 1000)
    assert live.floor == 16000


def test_times_that_follow_a_text_put_the_floor_where_its_words_end() -> None:
    """ElevenLabs tells a segment's text first, while more is being said already."""
    live = LiveSession(chance=lambda: 0.5)
    live.start(0.0)
    live.opened(1, 0.0)
    for second in range(1, 4):
        live.hear(second * 16000, float(second))
    live.event(1, Partial("one"), 3.0)
    live.event(1, Final(Segment("0", 0, 0, "one"), timed=False), 3.1)
    live.event(1, Final(Segment("1", 0, 0, "two"), timed=False), 3.1)
    assert live.floor == 48000
    live.event(1, Final(Segment("0", 200, 800, "one", (Word("one", 200, 800),))), 3.2)
    assert live.floor == 48000, "of the second segment no times are known"
    live.event(1, Final(Segment("1", 900, 1500, "two", (Word("two", 900, 1500),))), 3.2)
    assert live.floor == 24000
    live.closed(1, AGAIN, 3.3)
    assert live.tick(9.0) == [Connect(2, 1500)]


def test_waits_between_tries_grow_to_five_seconds_and_are_spread() -> None:
    waits = []
    live = LiveSession(chance=lambda: 1.0)
    now = 0.0
    live.start(now)
    for _ in range(8):
        live.closed(live.connection, AGAIN, now)
        began = now
        while not live.tick(now):
            now += 0.05
        waits.append(now - began)
    assert waits == pytest.approx([0.25, 0.5, 1, 2, 4, 5, 5, 5], abs=0.11)
    soon = LiveSession(chance=lambda: 0.0)
    soon.start(0.0)
    soon.closed(1, AGAIN, 0.0)
    assert soon.tick(0.0) == [Connect(2, 0)]


@pytest.mark.parametrize("code", ["auth", "funds", "input"])
def test_what_only_a_person_can_mend_is_not_tried_again(code: str) -> None:
    live = LiveSession(chance=lambda: 0.5)
    live.start(0.0)
    live.closed(1, Failed(code, "a sentence", retry=False), 0.5)
    assert live.state is State.FAILED
    assert live.view().note == "a sentence"
    for second in range(1, 100):
        assert live.tick(float(second)) == []
        assert live.hear(second * 16000, float(second)) == []
    assert live.proceed(100.0) == [Connect(2, 0)]


def test_a_page_that_left_lets_the_line_go_after_a_while_and_takes_it_up_again() -> None:
    live = LiveSession(chance=lambda: 0.5)
    live.start(0.0)
    live.opened(1, 0.0)
    live.hear(16000, 1.0)
    live.leave(1.0)
    actions = [action for second in range(2, 30) for action in live.tick(float(second))]
    assert End(0) in actions
    live.event(1, Ended(), 30.0)
    assert live.state is State.IDLE
    live.start(60.0)
    assert live.connection == 2


def sends(actions: list[Action]) -> list[Send]:
    return [action for action in actions if isinstance(action, Send)]


def _samples(actions: list[Action]) -> int:
    return sum(action.to_sample - action.from_sample for action in actions if isinstance(action, Send))
