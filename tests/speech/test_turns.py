"""A turn ends after the silence that was asked for; whatever happens, no word is lost, doubled or out of order."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects.silences import LEAST_DB
from memweb.speech.events import Committed, Ended, Event, Failed, Final, Partial, SpeechBegan, Warned
from memweb.speech.transcript import Segment, Word
from memweb.speech.turns import LONGEST_MS, TurnRules, Turns

RULES = TurnRules(silence_ms=1200, confident_ms=400)


def voice(ms: int, level: float = 0.3) -> bytes:
    """A tone in a quiet room."""
    samples = ms * 16
    return struct.pack(
        f"<{samples}h", *(round(32767 * level * math.sin(at * 0.2)) + random.randint(-8, 8) for at in range(samples))
    )


def silence(ms: int, noise: int = 8) -> bytes:
    samples = ms * 16
    return struct.pack(f"<{samples}h", *(random.randint(-noise, noise) for _ in range(samples)))


def final(words: str, start_ms: int, end_ms: int) -> Final:
    made = tuple(Word(word, start_ms, end_ms) for word in words.split())
    return Final(Segment(str(start_ms), start_ms, end_ms, words, made))


def asked_at(turns: Turns, sound: bytes) -> int | None:
    """Milliseconds into `sound`, heard in pieces of 100 ms, at which a commit is asked for."""
    for at in range(0, len(sound), 3200):
        if turns.hear(sound[at : at + 3200]):
            return at // 32 + 100
    return None


def after_a_voice(rules: TurnRules, words: str = "") -> Turns:
    """Somebody has just said `words`, and the engine still thinks about them."""
    turns = Turns(rules)
    assert asked_at(turns, silence(1500)) is None
    assert asked_at(turns, voice(800)) is None
    turns.take(Partial(words, 1500, 2300))
    return turns


@pytest.mark.parametrize("silence_ms", [300, 600, 1500, 3000])
def test_a_commit_is_asked_for_after_the_silence_that_was_named(silence_ms: int) -> None:
    turns = after_a_voice(TurnRules(silence_ms, silence_ms), "some words")
    at = asked_at(turns, silence(6000))
    assert at is not None
    assert silence_ms <= at <= silence_ms + 250
    assert asked_at(turns, silence(3000)) is None, "once for one turn"


def test_words_that_end_a_sentence_need_less_silence_than_others() -> None:
    assert (asked_at(after_a_voice(RULES, "It is done."), silence(3000)) or 0) <= 700
    assert (asked_at(after_a_voice(RULES, "because of the"), silence(3000)) or 0) >= 1200


def test_the_rules_can_be_asked_after_and_taken_away() -> None:
    turns = after_a_voice(RULES)
    turns.take(final("held", 1500, 2300))
    turns.rules = None
    assert turns.rules is None
    assert not turns.hear(silence(5000))
    (whole, ended) = turns.take(Ended())
    assert isinstance(whole, Final)
    assert (whole.segment.text, ended) == ("held", Ended())


def test_a_voice_that_never_pauses_is_not_cut_by_the_endpointer() -> None:
    turns = Turns(TurnRules(400, 400))
    talk = (voice(300) + silence(200)) * 44
    assert asked_at(turns, silence(1500) + talk) is None, "an utterance of 20 s is cut, a turn is not"
    assert asked_at(turns, silence(1000)) is not None


def test_a_voice_that_comes_back_in_time_makes_one_turn_of_two_lines() -> None:
    turns = after_a_voice(RULES, "we went")
    assert asked_at(turns, silence(800)) is None
    assert turns.take(final("we went", 1500, 2300)) == [Partial("we went", 1500, 2300)]
    assert asked_at(turns, voice(800)) is None
    assert turns.take(Partial("home", 3100, 3900)) == [Partial("we went home", 1500, 3900)]
    assert asked_at(turns, silence(3000)) is not None
    assert turns.take(final("home again", 3100, 3900)) == [Partial("we went home again", 1500, 3900)]
    (whole,) = turns.take(Committed())
    assert isinstance(whole, Final)
    assert (whole.segment.text, whole.segment.start_ms, whole.segment.end_ms) == ("we went home again", 1500, 3900)
    assert [word.text for word in whole.segment.words] == ["we", "went", "home", "again"]


def test_the_clients_own_commit_ends_the_turn_and_is_answered() -> None:
    turns = after_a_voice(RULES, "we")
    turns.commit()
    assert turns.take(final("we went", 1500, 2300)) == [Partial("we went", 1500, 2300)]
    whole, answer = turns.take(Committed())
    assert isinstance(whole, Final)
    assert answer == Committed()


def test_without_rules_all_passes_as_it_comes() -> None:
    turns = Turns()
    assert not turns.hear(voice(500) + silence(5000))
    turns.commit()
    for event in (SpeechBegan(10), Partial("a", 0, 10), final("a", 0, 10), Warned("lag", "0"), Committed(), Ended(10)):
        assert turns.take(event) == [event]


@pytest.mark.parametrize("end", [Ended(10), Failed("provider", "x", retry=True)])
def test_what_is_held_comes_before_the_end(end: Event) -> None:
    turns = Turns(RULES)
    turns.take(final("held", 0, 500))
    whole, last = turns.take(end)
    assert isinstance(whole, Final)
    assert (whole.segment.text, last) == ("held", end)


def test_in_a_room_that_is_never_quiet_the_engines_word_ends_a_turn() -> None:
    turns = Turns(TurnRules(500, 500))
    asked_at(turns, silence(1500) + voice(1000))
    turns.take(final("over the noise", 1500, 2500))
    assert (asked_at(turns, voice(9000)) or 0) >= 2500


def test_a_turn_without_end_is_cut_at_a_minute() -> None:
    turns = Turns(RULES)
    assert isinstance(turns.take(final("a", 0, LONGEST_MS - 1))[0], Partial)
    assert isinstance(turns.take(final("b", LONGEST_MS, LONGEST_MS + 1))[0], Final)


def test_a_sound_shorter_than_speech_ends_nothing() -> None:
    rules = TurnRules(400, 400, min_speech_ms=1000)
    turns = Turns(rules)
    assert asked_at(turns, silence(1500) + voice(500) + silence(3000)) is None
    assert asked_at(turns, voice(1500) + silence(3000)) is not None


@pytest.mark.parametrize(("above_db", "hears"), [(LEAST_DB, True), (17, False)])
def test_a_higher_threshold_asks_for_a_louder_voice(above_db: float, hears: bool) -> None:
    turns = Turns(TurnRules(400, 400, above_floor_db=above_db))
    asked_at(turns, silence(3000, noise=100))  # a room is learned in its first second
    turns.take(Committed())
    heard = asked_at(turns, voice(800, level=0.01) + silence(3000, noise=100))
    assert (heard is not None) is hears


def test_rules_may_change_while_somebody_speaks() -> None:
    turns = after_a_voice(RULES, "it goes on")
    turns.rules = TurnRules(300, 300)
    at = asked_at(turns, voice(400) + silence(2000))
    assert at is not None
    assert at <= 400 + 300 + 250


EVENTS = st.lists(
    st.sampled_from(["final", "partial", "empty", "speech", "answer", "client", "quiet", "voice", "rules"]), max_size=30
)
SOUNDS = {"quiet": silence(1500), "voice": voice(600)}


@given(script=EVENTS, ruled=st.booleans())
def test_no_word_is_lost_doubled_or_moved(script: list[str], ruled: bool) -> None:
    turns = Turns(RULES if ruled else None)
    said: list[str] = []
    told: list[str] = []
    asked: list[bool] = []
    answers = clients = 0

    def take(event: Event) -> None:
        nonlocal answers
        for each in turns.take(event):
            if isinstance(each, Final):
                told.extend(word.text for word in each.segment.words)
                assert each.segment.text == " ".join(word.text for word in each.segment.words)
            answers += isinstance(each, Committed)

    for number, step in enumerate(script):
        if step == "final":
            said.append(f"w{number}")
            take(final(f"w{number}", number * 100, number * 100 + 50))
        elif step == "empty":
            take(final("", number * 100, number * 100))
        elif step == "partial":
            take(Partial(f"p{number}", number * 100, number * 100 + 50))
        elif step == "speech":
            take(SpeechBegan(number))
        elif step == "client":
            turns.commit()
            asked.append(False)
            clients += 1
        elif step == "answer" and asked:
            asked.pop(0)
            take(Committed())
        elif step == "rules":
            turns.rules = TurnRules(900, 300)
        elif step in SOUNDS and turns.hear(SOUNDS[step]):
            asked.append(True)
    for _ in asked:
        take(Committed())
    take(Ended())
    assert told == said
    assert answers == clients
