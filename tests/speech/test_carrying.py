"""Corrections find their words again in another reading, or say that they did not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from memweb.speech import carrying, editing
from memweb.speech.transcript import Segment, Word
from tests.speech.test_editing import said


def carried(before: str, after: str, reading: str, *, late_ms: int = 0) -> carrying.Carried:
    original = said(before)
    current = editing.retext(original, after)
    changes = carrying.corrections([original], [current])
    return carrying.carry(changes, [said(reading, key="w-0", start_ms=1000 + late_ms)])


@pytest.mark.parametrize(
    ("before", "after", "reading", "expected"),
    [
        ("the harper office was closed", "the harbour office was closed", "The harper office, was closed.",
         "The harbour office, was closed."),
        ("we saw it", "we never saw it", "We saw it.", "We never saw it."),
        ("um we saw it", "we saw it", "Um, we saw it.", "we saw it."),
        ("on and on and on", "on and on and off", "on and on and on", "on and on and off"),
    ],
)  # fmt: skip
def test_a_correction_finds_its_words_again(before: str, after: str, reading: str, expected: str) -> None:
    found = carried(before, after, reading, late_ms=300)
    assert found.segments[0].text == expected
    assert (found.placed, found.agreed, found.unplaced) == (1, 0, ())


def test_what_the_new_reading_heard_by_itself_is_not_done_twice() -> None:
    found = carried("the harper office", "the harbour office", "the harbour office")
    assert (found.segments[0].text, found.placed, found.agreed) == ("the harbour office", 0, 1)
    assert carried("um we saw", "we saw", "we saw").agreed == 1


def test_what_finds_no_place_is_told_with_its_time() -> None:
    found = carried("the harper office", "the harbour office", "the half of this")
    assert found.segments[0].text == "the half of this"
    assert [(change.before, change.after) for change in found.unplaced] == [(("harper",), "harbour")]
    assert found.unplaced[0].start_ms == 1400


def test_a_correction_is_not_looked_for_at_another_time() -> None:
    assert len(carried("the harper", "the harbour", "the harper", late_ms=60_000).unplaced) == 1


def test_two_corrections_of_the_same_words_are_not_both_made() -> None:
    change = carrying.corrections([said("a b c")], [said("a x c")])[0]
    found = carrying.carry([change, replace(change, after="y")], [said("a b c")])
    assert (found.segments[0].text, found.placed, len(found.unplaced)) == ("a x c", 1, 1)


def test_only_segments_that_were_changed_are_looked_into() -> None:
    same, old = said("as it was", key="a"), said("the harper", key="b", start_ms=5000)
    assert len(carrying.corrections([same, old], [same, editing.retext(old, "the harbour")])) == 1


def test_words_put_where_nothing_stood_are_told() -> None:
    changes = carrying.corrections([], [said("all new")])
    found = carrying.carry(changes, [said("other words")])
    assert [change.after for change in found.unplaced] == ["all new"]


def test_words_put_in_that_are_there_already_are_not_put_in_twice() -> None:
    found = carried("we saw it", "we never saw it", "We never saw it.")
    assert (found.segments[0].text, found.placed, found.agreed) == ("We never saw it.", 0, 1)
    assert carried("it is very good", "it is very very good", "It is very good.").placed == 1


def test_what_was_made_already_is_not_made_in_the_next_word_that_is_alike() -> None:
    [change] = carrying.corrections([said("um so um we saw")], [said("so um we saw")])
    later = replace(change, start_ms=change.start_ms + 60_000)
    assert carrying.not_made([change, change, later], [replace(change, start_ms=change.start_ms + 300)]) == [
        change, later,
    ]  # fmt: skip


def test_a_split_is_no_change_of_words() -> None:
    whole = said("we met. she left")
    assert carrying.corrections([whole], editing.split(whole, 8, "b")) == []


def test_words_without_times_are_looked_for_by_their_share() -> None:
    original = Segment("a", 0, 4000, "one two three fore")
    changes = carrying.corrections([original], [replace(original, text="one two three four")])
    assert changes[0].start_ms == 3000
    reading = Segment("w", 0, 4000, "one two three fore", (Word("one", 0, 10),))
    assert carrying.carry(changes, [reading]).segments[0].text == "one two three four"


def test_all_of_a_hundred_corrections_are_there_in_another_reading() -> None:
    chance = random.Random(7)
    original = [
        said(" ".join(f"w{line}x{word}" for word in range(12)), key=str(line), start_ms=line * 6000)
        for line in range(60)
    ]
    current = list(original)
    wanted = []
    for number in range(100):
        line, word = number % 60, chance.randrange(12)
        put = f"fixed{number}"
        tokens = editing.tokens(current[line].text)
        if tokens[word].startswith("fixed"):
            word = next(at for at, token in enumerate(tokens) if not token.startswith("fixed"))
        tokens[word] = put
        current[line] = editing.retext(current[line], " ".join(tokens))
        wanted.append(put)
    reading = [
        said(" ".join(editing.tokens(f"{one.text}.")), key=f"n{one.key}", start_ms=one.start_ms + 120)
        for one in original
    ]
    found = carrying.carry(carrying.corrections(original, current), reading)
    text = " ".join(segment.text for segment in found.segments)
    assert all(put in text for put in wanted)
    assert found.unplaced == ()


def test_the_speakers_a_person_assigned_go_with_the_time() -> None:
    assigned = [replace(said("a b c", key="1"), speaker="A"), replace(said("d e", key="2", start_ms=5000), speaker="B")]
    reading = [said("a b c d", key="n"), said("far away", key="m", start_ms=60_000)]
    one, two = carrying.with_speakers(reading, assigned)
    assert (one.speaker, two.speaker) == ("A", None)
    assert carrying.with_speakers(reading, []) == tuple(reading)


def test_a_paragraph_begins_where_its_words_do_in_another_reading() -> None:
    current = [said("Yes.", key="0"), replace(said("Good day to all.", key="1", start_ms=1400), opens=True)]
    whole = [said("Yes. Good day to all.", key="n-0")]
    assert carrying.openings(current, whole) == ([carrying.Opening("n-0", 5, True)], [])
    without = [said("Good day to all.", key="n-0", start_ms=1400)]
    assert carrying.openings(current, without) == ([], []), "the first paragraph begins there anyway"
    assert carrying.openings(current, [said("Something else was heard.", key="n-0")]) == ([], [current[1]])
