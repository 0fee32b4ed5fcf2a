"""What LiveSession tells the person, and the many ways a dictation comes to its end."""

from __future__ import annotations

from memweb.speech.actions import Close, Commit, Connect, Done, End, Save, Send, State
from memweb.speech.events import Began, Ended, Failed, Final, Partial
from memweb.speech.session import END_AGAIN_S, END_PATIENCE_S, GIVE_UP_S, HEALTHY_S, LiveSession  # fmt: skip
from memweb.speech.transcript import Segment, Word

LATER = Failed("provider", "The gateway is away.", retry=True)


def session(**options: bool | int) -> LiveSession:
    return LiveSession(chance=lambda: 1.0, **options)  # type: ignore[arg-type]


def listening(**options: bool | int) -> LiveSession:
    live = session(**options)
    live.start(0.0)
    live.opened(1, 0.0)
    return live


def test_each_state_is_told_in_its_word() -> None:
    live = session()
    assert live.view().state == "connecting"
    live.start(0.0)
    assert live.view().state == "connecting"
    live.opened(1, 0.1)
    live.event(1, Began("id", "an engine"), 0.1)
    assert (live.view().state, live.view().engine) == ("listening", "an engine")
    live.closed(1, LATER, 1.0)
    assert (live.view().state, live.view().note) == ("reconnecting", "The gateway is away.")
    live.tick(2.0)
    assert live.view().state == "reconnecting"
    live.opened(2, 2.1)
    assert (live.view().state, live.view().note) == ("listening", "")
    live.pause(3.0)
    assert live.view().state == "paused"
    live.proceed(4.0)
    assert live.view().state == "listening"
    live.leave(5.0)
    assert live.view().state == "paused"
    live.start(6.0)
    live.stop(7.0)
    assert live.view().state == "finishing"
    live.event(2, Ended(), 8.0)
    assert live.view().state == "ended"


def test_a_line_that_rests_between_words_still_counts_as_listening() -> None:
    live = listening()
    live.tick(9.0)
    live.event(1, Ended(), 9.1)
    assert live.state is State.IDLE
    assert live.view().state == "listening"
    assert live.hear(16000, 20.0) == [Close(), Connect(2, 0)][1:]


def test_the_clock_of_words_stands_where_words_end_and_lag_is_what_is_missing() -> None:
    live = listening()
    live.hear(16000 * 5, 1.0)  # more than may be sent at once
    assert live.view().lag_ms == 5000 - 1500
    assert live.view().state == "catching_up"
    for tenth in range(1, 40):
        live.tick(1.0 + tenth / 10)
    assert (live.view().lag_ms, live.view().state) == (0, "listening")
    live.event(1, Partial("slow", 0, 1000), 5.0)
    assert (live.view().lag_ms, live.view().transcribed_ms) == (4000, 1000)
    live.event(1, Partial("slow", 0, 1200), 5.1)  # the same words again say nothing new
    assert live.view().lag_ms == 4000
    live.event(1, Partial(""), 5.2)
    live.event(1, Final(Segment("0", 0, 4800, "slow")), 5.3)
    assert (live.view().lag_ms, live.view().transcribed_ms) == (0, 5000)


def test_leaving_twice_is_leaving_once() -> None:
    live = listening()
    live.leave(1.0)
    live.leave(14.0)
    live.hear(16000, 12.0)
    assert End(0) in live.tick(16.5)


def test_a_pause_asks_for_finals_only_when_all_was_sent() -> None:
    live = listening()
    live.hear(16000, 1.0)
    assert live.pause(1.1) == [Commit()]
    late = listening()
    late.hear(16000 * 20, 1.0)
    assert Commit() not in late.pause(1.1)


def test_a_blocked_line_is_sent_nothing_and_catches_up_after() -> None:
    live = listening()
    assert live.block(True, 0.5) == []
    assert live.hear(16000, 1.0) == []
    assert live.tick(1.1) == []
    sends = live.block(False, 1.2)
    assert [type(action) for action in sends] == [Send, Send]
    live.stop(1.3)
    assert live.block(False, 1.4) == []


def test_a_connection_that_held_for_a_while_makes_the_next_drop_a_first_one() -> None:
    live = session()
    live.start(0.0)
    for _ in range(4):
        live.closed(live.connection, LATER, 0.0)
        live.tick(10.0)
    live.opened(live.connection, 10.0)
    live.hear(1600, 10.0 + HEALTHY_S)
    live.tick(10.1 + HEALTHY_S)
    live.closed(live.connection, LATER, 30.0)
    assert live.tick(30.2) == []
    assert live.tick(30.26) == [Connect(live.connection, 0)]


def test_the_end_is_asked_for_in_every_form_before_it_is_given_up() -> None:
    live = listening(forms=2)
    live.hear(16000, 1.0)
    assert End(0) in live.stop(1.0)
    assert live.tick(1.0 + END_AGAIN_S) == []
    assert live.tick(1.1 + END_AGAIN_S) == [End(1)]
    assert live.tick(END_PATIENCE_S) == []
    assert live.tick(1.1 + END_PATIENCE_S) == [Close(), Done(complete=True)]


def test_a_dialect_without_a_word_for_the_end_is_waited_for_a_moment() -> None:
    live = listening(says_ended=False)
    live.hear(16000, 1.0)
    live.stop(1.0)
    live.event(1, Final(Segment("0", 0, 900, "last")), 1.5)
    assert live.tick(2.0) == []
    assert live.tick(2.6) == [Close(), Done(complete=True)]
    silent = listening(says_ended=False)
    silent.stop(1.0)
    assert silent.tick(3.9) == []
    assert silent.tick(4.1) == [Close(), Done(complete=True)]


def test_interim_words_that_never_became_final_are_asked_for_again_but_not_for_ever() -> None:
    live = listening()
    live.hear(16000, 1.0)
    live.event(1, Partial("never final", 0, 900), 1.1)
    live.stop(1.2)
    now, done, connections = 1.3, [], 1
    while not done:
        actions = live.event(live.connection, Ended(), now)
        now += 10
        done = [action for action in actions if isinstance(action, Done)]
        if not done:
            live.tick(now)
            live.opened(live.connection, now)
            connections += 1
            live.tick(now + 0.1)
            live.event(live.connection, Partial("never final", 0, 900), now + 0.2)
    assert done == [Done(complete=False)]
    assert connections == 3


def test_interim_words_that_were_given_up_in_a_pause_are_told_at_the_end() -> None:
    live = listening()
    live.hear(16000, 1.0)
    live.pause(1.0)
    now = 1.0
    while live.state is not State.IDLE:  # each line is given back in the pause, and none makes these words final
        live.event(live.connection, Partial("never final", 0, 900), now + 0.1)
        live.tick(now + 9.0)
        live.event(live.connection, Ended(), now + 9.1)
        now += 20.0
        live.tick(now)
        live.opened(live.connection, now)
    live.start(now)
    live.opened(live.connection, now)
    live.stop(now)
    assert live.event(live.connection, Ended(), now + 2.0) == [Close(), Done(complete=False)]


def test_sound_that_came_after_the_end_was_asked_for_gets_a_line_of_its_own() -> None:
    live = listening()
    live.hear(16000, 1.0)
    live.stop(1.0)
    live.hear(32000, 1.1)
    assert live.event(1, Ended(), 2.0) == [Close(), Connect(2, 1000)]
    assert live.state is State.FINISHING
    sends = live.opened(2, 2.1)
    assert sends[-1] == End(0)
    assert live.event(2, Ended(), 3.0) == [Close(), Done(complete=True)]


def test_a_gateway_that_is_gone_does_not_hold_up_the_end() -> None:
    live = listening()
    live.hear(16000, 1.0)
    live.closed(1, LATER, 1.1)
    live.stop(2.0)
    now = 2.0
    done: list[object] = []
    while not done:
        now += 0.5
        for action in live.tick(now):
            if isinstance(action, Connect):
                live.closed(action.connection, LATER, now)
            done += [action] if isinstance(action, Done) else []
    assert done == [Done(complete=False)]
    assert GIVE_UP_S < now - 2.0 < GIVE_UP_S + 2


def test_a_gateway_that_ends_each_connection_at_once_is_not_hammered() -> None:
    live = session()
    live.start(0.0)
    tries = 0
    now = 0.0
    while now < 60:
        now += 0.1
        tries += any(isinstance(action, Connect) for action in live.tick(now))
        live.hear(int(now * 16000), now)
        if live.opened(live.connection, now) or live.state is State.LISTENING:
            live.event(live.connection, Ended(), now + 0.01)
    assert tries < 25


def test_a_segment_that_begins_a_little_early_keeps_all_its_words() -> None:
    live = LiveSession(floor_ms=1000, chance=lambda: 0.5)
    live.hear(48000, 0.0)
    live.opened(1, 0.1)
    words = (Word("new", 20, 300),)
    (save,) = (a for a in live.event(1, Final(Segment("0", -60, 300, "new", words)), 0.2) if isinstance(a, Save))
    assert (save.segment.start_ms, save.segment.text, len(save.segment.words)) == (1000, "new", 1)
    wordless = live.event(1, Final(Segment("1", -60, 500, "more")), 0.3)
    (save,) = (action for action in wordless if isinstance(action, Save))
    assert (save.segment.start_ms, save.segment.end_ms) == (1000, 1500)
