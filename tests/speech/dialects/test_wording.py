"""Words are written as a client wishes: no word changes its time, and what is not asked for changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.dialects.wording import PROFANE, Wording, worded
from memweb.speech.transcript import Transcript
from tests.speech.dialects.recordings import segment


def written(said: str, wording: Wording) -> str:
    return worded(wording, Transcript((segment(said),), "en")).text


@pytest.mark.parametrize(("said", "wording", "becomes"), [
    ("Um, well, uh I see.", Wording(fillers=False), "well, I see."),
    ("He is in the ER now.", Wording(fillers=False), "He is in the ER now."),
    ("Hello, World! It's 5 o'clock.", Wording(marks=False), "Hello World It's 5 o'clock"),
    ("Hello - World", Wording(marks=False), "Hello World"),
    ("Hello, World!", Wording(capitals=False), "hello, world!"),
    ("Oh “Shit!” he said", Wording(profanity="filter_profanity"), "Oh “S***!” he said"),
    ("I like mem web, really.", Wording(spellings={("mem", "web"): "memweb"}), "I like memweb, really."),
    ("(Mem web) mem", Wording(spellings={("mem", "web"): "memweb", ("mem",): "M"}), "(memweb) M"),
    ("A sequel server", Wording(spellings={("sequel",): "SQL"}, capitals=False), "a sql server"),
])  # fmt: skip
def test_each_wish_is_followed(said: str, wording: Wording, becomes: str) -> None:
    assert written(said, wording) == becomes


def test_a_spelling_takes_the_time_of_all_it_replaces() -> None:
    spelt = worded(Wording(spellings={("mem", "web"): "memweb"}), Transcript((segment("I like mem web"),), "en"))
    last = spelt.segments[0].words[-1]
    assert (last.text, last.start_ms, last.end_ms) == ("memweb", 1000, 1900)


def test_a_segment_of_fillers_alone_is_gone() -> None:
    assert worded(Wording(fillers=False), Transcript((segment("Um."), segment("Yes.")), "en")).text == "Yes."


def test_silence_in_another_language_has_nothing_to_mask() -> None:
    assert worded(Wording(profanity="filter_profanity"), Transcript((), "de")).segments == ()


def test_no_wish_changes_nothing() -> None:
    transcript = Transcript((segment("Um, damn  it."),), "fr")
    assert worded(Wording(), transcript) is transcript


@given(st.text(min_size=1).filter(str.strip), st.booleans(), st.booleans(), st.booleans())
def test_any_text_can_be_worded(said: str, fillers: bool, marks: bool, capitals: bool) -> None:
    wording = Wording(fillers, "filter_profanity", {("a",): "b"}, marks, capitals)
    once = worded(wording, Transcript((segment(said),), "en"))
    assert all(word.text for one in once.segments for word in one.words)
    assert not {word.text.lower() for one in once.segments for word in one.words} & PROFANE
