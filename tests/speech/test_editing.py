"""Corrections: what was not touched keeps its time, what was stays inside its bounds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import editing, text
from memweb.speech.transcript import Segment, Word


def said(written: str, *, key: str = "1-0", start_ms: int = 1000, speaker: str | None = None) -> Segment:
    """A segment whose words take 300 ms each, with 100 ms between them."""
    words = tuple(
        Word(word, start_ms + i * 400, start_ms + i * 400 + 300, 0.9, speaker)
        for i, word in enumerate(editing.tokens(written))
    )
    return Segment(key, start_ms, start_ms + 400 * len(words), written, words, speaker=speaker, language="en")


def times(segment: Segment) -> list[tuple[str, int, int, bool]]:
    return [(word.text, word.start_ms, word.end_ms, word.estimated) for word in segment.words]


def test_untouched_words_keep_their_times_and_a_replaced_one_takes_the_span_it_replaced() -> None:
    edited = editing.retext(said("the harper office was closed"), "the harbour office was closed")
    assert times(edited) == [
        ("the", 1000, 1300, False),
        ("harbour", 1400, 1700, True),
        ("office", 1800, 2100, False),
        ("was", 2200, 2500, False),
        ("closed", 2600, 2900, False),
    ]
    assert edited.words[0].confidence == 0.9
    assert edited.words[1].confidence is None


def test_case_and_punctuation_touch_no_time() -> None:
    edited = editing.retext(said("so it was"), "So, it was!")
    assert times(edited) == [("So,", 1000, 1300, False), ("it", 1400, 1700, False), ("was!", 1800, 2100, False)]


def test_two_words_in_the_place_of_one_share_its_time_by_their_length() -> None:
    edited = editing.retext(said("going to matter"), "going too very matter")
    assert times(edited)[1:3] == [("too", 1400, 1528, True), ("very", 1528, 1700, True)]


def test_words_put_between_two_others_take_the_gap_between_them() -> None:
    edited = editing.retext(said("say word"), "say a word")
    assert times(edited)[1] == ("a", 1300, 1400, True)


@pytest.mark.parametrize(("written", "expected"), [("oh say word", (1000, 1000)), ("say word now", (1700, 1800))])
def test_words_before_the_first_and_after_the_last_stay_inside(written: str, expected: tuple[int, int]) -> None:
    edited = editing.retext(said("say word"), written)
    new = next(word for word in edited.words if word.estimated)
    assert (new.start_ms, new.end_ms) == expected


def test_new_words_are_said_by_whoever_said_the_word_beside_them() -> None:
    edited = editing.retext(said("yes it was", speaker="A"), "yes it really was so")
    assert {word.speaker for word in edited.words} == {"A"}


def test_a_segment_without_word_times_just_changes_its_text() -> None:
    plain = Segment("1-0", 0, 900, "helo")
    assert editing.retext(plain, "hello") == Segment("1-0", 0, 900, "hello")


def test_each_character_counts_where_a_script_has_no_spaces() -> None:
    heard = Segment("1-0", 0, 1000, "今天天气", (Word("今天", 0, 400), Word("天气", 400, 1000)))
    edited = editing.retext(heard, "今天空气")
    assert times(edited) == [("今天", 0, 400, False), ("空", 400, 700, True), ("气", 700, 1000, True)]


def test_a_word_that_is_only_space_harms_nobody() -> None:
    odd = Segment("1-0", 0, 100, "a b", (Word("a", 0, 10), Word(" ", 10, 20), Word("b", 20, 30)))
    assert editing.retext(odd, "a b").words[0] == odd.words[0]


def test_a_rewritten_paragraph_gives_every_word_to_the_segment_it_belongs_to() -> None:
    first, second = said("we were three students", key="1-0"), said("with one machine", key="1-1", start_ms=3000)
    whole = "We were three old students, with one heavy machine"
    one, two = editing.rewrite([first, second], whole)
    assert (one.key, one.text) == ("1-0", "We were three old students,")
    assert (two.key, two.text) == ("1-1", "with one heavy machine")


def test_a_segment_that_reads_as_before_is_the_very_same() -> None:
    first, second = said("the steps", key="1-0"), said("And allowed", key="1-1", start_ms=3000)
    assert text.join([first.text, second.text], "en") == "the steps and allowed"
    one, two = editing.rewrite([first, second], "the stairs and allowed")
    assert one.text == "the stairs"
    assert two is second


def test_replacing_across_two_segments_leaves_words_to_both() -> None:
    first, second = said("a b", key="1-0"), said("c d", key="1-1", start_ms=3000)
    one, two = editing.rewrite([first, second], "a x y d")
    assert (one.text, two.text) == ("a x", "y d")


def test_a_segment_that_lost_all_its_words_is_empty_and_what_was_put_first_stays_first() -> None:
    first, second = said("um er", key="1-0"), said("it was", key="1-1", start_ms=3000)
    one, two = editing.rewrite([first, second], "it was")
    assert (one.text, one.words) == ("", ())
    assert two is second
    one, two = editing.rewrite([first, second], "")
    assert one.text == two.text == ""
    assert editing.rewrite([said("it was")], "well it was")[0].text == "well it was"


def test_words_for_a_paragraph_that_had_none_go_to_its_first_segment() -> None:
    assert editing.rewrite([Segment("1-0", 0, 10, "")], "hello")[0].text == "hello"


def test_a_split_cuts_text_words_and_time_at_the_same_place() -> None:
    left, right = editing.split(said("we met. she left"), 8, "1-0/1")
    assert (left.text, left.start_ms, left.end_ms) == ("we met.", 1000, 1700)
    assert (right.key, right.text, right.start_ms, right.end_ms) == ("1-0/1", "she left", 1800, 2600)
    assert right.opens is True
    assert len(left.words) == len(right.words) == 2


def test_a_split_without_word_times_shares_the_time_by_length() -> None:
    left, right = editing.split(Segment("1-0", 0, 1000, "aaa bbb"), 4, "k")
    assert (left.end_ms, right.start_ms, right.end_ms) == (500, 500, 1000)


def test_a_split_beside_the_only_timed_word_stays_inside() -> None:
    heard = Segment("1-0", 0, 1000, "well then", (Word("then", 200, 900),))
    left, right = editing.split(heard, 5, "k")
    assert (left.words, left.end_ms, right.start_ms) == ((), 200, 200)
    heard = Segment("1-0", 0, 1000, "well then", (Word("well", 200, 900),))
    left, right = editing.split(heard, 5, "k")
    assert (left.end_ms, right.start_ms, right.words) == (900, 1000, ())


@pytest.mark.parametrize("at", [0, 99])
def test_a_split_that_would_leave_nothing_on_one_side_is_refused(at: int) -> None:
    with pytest.raises(ValueError, match="between two words"):
        editing.split(said("we met"), at, "k")


def test_a_place_in_a_paragraph_is_found_in_its_segment() -> None:
    parts = [said("we met.", key="a"), said("she left", key="b", start_ms=3000)]
    assert editing.offset_in(parts, 3) == (0, 3)
    assert editing.offset_in(parts, 8) == (1, 0)
    assert editing.offset_in(parts, 12) == (1, 4)
    assert editing.offset_in(parts, 99) == (1, 91)


def test_a_person_says_where_paragraphs_begin() -> None:
    one, two = said("we met.", key="a"), said("she left", key="b", start_ms=1900)
    assert len(list(text.paragraphs([one, two]))) == 1
    opened = editing.split(said("we met. she left"), 8, "b")[1]
    assert len(list(text.paragraphs([one, opened]))) == 2
    late = said("she left", key="b", start_ms=90_000)
    joined = Segment(late.key, late.start_ms, late.end_ms, late.text, language="en", opens=False)
    assert len(list(text.paragraphs([one, late]))) == 2
    assert len(list(text.paragraphs([one, joined]))) == 1


words_ = st.lists(st.sampled_from(["a", "bee", "Sea,", "dee.", "été", "今", "x-y", "…"]), max_size=12).map(" ".join)


@given(words_, words_)
def test_whatever_is_written_times_stay_ordered_and_inside(before: str, after: str) -> None:
    segment = said(before) if before else Segment("1-0", 1000, 2000, "", (Word("", 1000, 1000),))
    edited = editing.retext(segment, after)
    assert " ".join(editing.tokens(after)) == " ".join(
        token for word in edited.words for token in editing.tokens(word.text)
    )
    spots = [(word.start_ms, word.end_ms) for word in edited.words]
    assert all(segment.start_ms <= start <= end <= segment.end_ms for start, end in spots)
    assert all(former[0] <= later[0] for former, later in pairwise(spots))


@given(words_, words_, words_)
def test_whatever_is_written_no_word_of_a_paragraph_is_lost(one: str, two: str, after: str) -> None:
    parts = [said(one, key="a"), said(two, key="b", start_ms=20_000)]
    written = editing.rewrite(parts, after)
    assert [part.key for part in written] == ["a", "b"]
    kept = [token for part in written for token in editing.tokens(part.text)]
    assert [editing.norm(token) for token in kept] == [editing.norm(token) for token in editing.tokens(after)]


@given(words_.filter(lambda written: " " in written), st.integers(0, 60))
def test_a_split_loses_no_word(written: str, at: int) -> None:
    segment = said(written)
    try:
        left, right = editing.split(segment, at, "k")
    except ValueError:
        return
    assert (left.text + right.text).replace(" ", "") == written.replace(" ", "")
    assert left.words + right.words == segment.words
    assert segment.start_ms <= left.end_ms <= right.start_ms <= segment.end_ms
