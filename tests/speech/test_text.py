"""Text made safe, measured and joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import text
from memweb.speech.transcript import Segment
from tests.speech.making import any_text


def test_what_cannot_be_stored_becomes_a_visible_mark():
    assert text.clean("a\x00b\ud800c\udfff") == "a\ufffdb\ufffdc\ufffd"


def test_two_halves_of_one_character_are_put_together():
    assert text.clean("\ud83d\ude00\x00") == "\U0001f600\ufffd"


def test_controls_become_spaces_but_lines_and_tabs_stay():
    assert text.clean("a\x07b\x1bc\x85d\x7fe\tf\r\ng\rh") == "a b c d e\tf\ng\nh"


@given(any_text)
def test_clean_text_can_be_encoded_and_cleaning_it_again_changes_nothing(raw):
    cleaned = text.clean(raw)
    cleaned.encode()
    assert "\0" not in cleaned
    assert text.clean(cleaned) == cleaned


@given(any_text)
def test_plain_text_is_one_line_that_turns_nothing_around(raw):
    shown = text.plain(raw)
    assert shown.splitlines() in ([], [shown])
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert text.plain(shown) == shown


def test_marks_that_arabic_and_hebrew_need_stay():
    assert text.plain("שלום\u200f!") == "שלום\u200f!"
    assert text.plain("\u202egnp.exe") == "\ufffdgnp.exe"


@pytest.mark.parametrize(("shown", "columns"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1), ("ｱ", 1)])
def test_width_counts_columns(shown, columns):
    assert text.width(shown) == columns


@pytest.mark.parametrize("ending", ["Yes.", "Yes?”", "Well…", "Yes.) ", "はい。", "نعم؟", 'He said "no."'])
def test_a_sentence_ends(ending):
    assert text.ends_sentence(ending)


@pytest.mark.parametrize("open_end", ["", "Yes", "Yes,", "3.5", "a.b"])
def test_a_sentence_goes_on(open_end):
    assert not text.ends_sentence(open_end)


def test_pieces_are_joined_with_one_space_and_empty_ones_vanish():
    assert text.join([" Ask ", "", "\x07", "not\nwhat."]) == "Ask not what."
    assert text.join([]) == ""


def test_scripts_without_spaces_are_joined_without():
    assert text.join(["これは", "テスト。", "です"]) == "これはテスト。です"
    assert text.join(["これは", "memweb"]) == "これは memweb"


def test_a_capital_made_by_a_pause_is_taken_back():
    assert text.join(["We fear", "And so we ask,", "But not now", "The end."], "en") == (
        "We fear and so we ask, but not now the end."
    )
    assert text.join(["He said", "so"], "en") == "He said so"


@pytest.mark.parametrize(
    ("before", "after"),
    [("Ask not.", "What now?"), ("He said", "I know."), ("We met", "Anna."), ("It was", "Android."), ("“Yes”", "And")],
)
def test_capitals_that_may_be_meant_stay(before, after):
    assert text.join([before, after], "en") == f"{before} {after}"


def test_other_languages_keep_their_capitals():
    assert text.join(["Ich sehe", "Die Katze"], "de") == "Ich sehe Die Katze"
    assert text.join(["We fear", "And hope"]) == "We fear And hope"


def seg(start: int, end: int, said: str = "So it is.", **more) -> Segment:
    return Segment(str(start), start, end, said, **more)


def grouped(*segments: Segment) -> list[int]:
    return [len(paragraph.segments) for paragraph in text.paragraphs(segments)]


def test_a_paragraph_ends_at_a_pause_after_a_sentence():
    assert grouped(seg(0, 1000), seg(1100, 2000), seg(3500, 4000)) == [2, 1]


def test_a_pause_inside_a_sentence_divides_only_when_it_is_long():
    assert grouped(seg(0, 1000, "and then"), seg(3000, 4000)) == [2]
    assert grouped(seg(0, 1000, "and then"), seg(5000, 6000)) == [1, 1]


@pytest.mark.parametrize("change", [{"speaker": "B"}, {"channel": 1}, {"language": "de"}])
def test_another_speaker_channel_or_language_begins_a_paragraph(change):
    assert grouped(seg(0, 1000), seg(1000, 2000, **change), seg(2000, 3000, **change)) == [1, 2]


def test_an_endless_monologue_is_divided_at_its_sentences():
    monologue = [seg(at, at + 1000, "This is a sentence of some length, it is.") for at in range(0, 60_000, 1000)]
    sizes = grouped(*monologue)
    assert sum(sizes) == 60
    assert max(sizes) <= 16


def test_a_paragraph_knows_its_bounds_speaker_and_text():
    long, short = seg(0, 9000, "We fear", speaker="A", language="en"), seg(500, 800, "And hope.", speaker="A")
    [first, second] = text.paragraphs([long, seg(10, 20, " "), short])
    assert (first.start_ms, first.end_ms, first.speaker, first.text) == (0, 9000, "A", "We fear")
    assert second.text == "And hope."
    assert text.Paragraph((long, short)).end_ms == 9000
    assert text.Paragraph((long, short)).text == "We fear and hope."


def test_nothing_said_is_no_paragraph():
    assert list(text.paragraphs([])) == []
    assert list(text.paragraphs([seg(0, 1, "")])) == []


@given(st.lists(any_text, max_size=8), st.sampled_from([None, "en"]))
def test_joining_loses_no_letter(pieces, language):
    kept = "".join(text.join(pieces, language).split()).casefold()
    assert kept == "".join("".join(text.line(piece) for piece in pieces).split()).casefold()
