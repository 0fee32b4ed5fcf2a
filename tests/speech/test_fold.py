"""The fold: events, in order, into a transcript."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.events import Began, Ended, Failed, Final, Partial, Revised, SpeakersMerged
from memweb.speech.fold import Fold, fold
from memweb.speech.transcript import Segment, Transcript, Word
from tests.speech.making import events, segments


def final(key: str, start: int = 0, end: int = 1000, text: str = "said", **more) -> Final:
    return Final(Segment(key, start, end, text, **more))


def is_valid(transcript: Transcript) -> bool:
    keys = [segment.key for segment in transcript.segments]
    timed = [*transcript.segments, *(word for segment in transcript.segments for word in segment.words)]
    return (
        len(set(keys)) == len(keys)
        and all(0 <= one.start_ms <= one.end_ms for one in timed)
        and all(sooner.start_ms <= later.start_ms for sooner, later in pairwise(transcript.segments))
        and all(segment.text or segment.words for segment in transcript.segments)
        and (transcript.duration_ms is None or all(s.end_ms <= transcript.duration_ms for s in transcript.segments))
    )


@given(st.lists(events, max_size=20))
def test_any_prefix_is_a_valid_transcript(said):
    folded = Fold()
    assert is_valid(folded.transcript)
    for event in said:
        folded.apply(event)
        assert is_valid(folded.transcript)
        assert "\0" not in folded.transcript.text
        folded.transcript.text.encode()


@given(st.lists(events, max_size=20))
def test_in_one_go_is_step_by_step(said):
    folded = Fold()
    for event in said:
        folded.apply(event)
        folded.transcript  # noqa: B018 - asking in between must not change the outcome
    assert folded.transcript == fold(said)


@given(st.lists(events, max_size=20), st.integers(0, 19))
def test_a_repeat_changes_nothing(said, at):
    once = fold(said)
    assert fold([*said, *said]) == once
    assert fold([*said[: at + 1], *said[at : at + 1], *said[at + 1 :]]) == once


@given(st.lists(segments(), max_size=6, unique_by=lambda segment: segment.key), st.lists(events, max_size=6), st.data())
def test_the_order_of_finals_with_distinct_keys_does_not_matter(said, others, data):
    others = [event for event in others if not isinstance(event, Final)]
    finals = [Final(segment) for segment in said]
    assert fold([*data.draw(st.permutations(finals)), *others]) == fold([*finals, *others])
    assert fold([*others, *finals]).segments == fold([*finals, *others]).segments


def test_a_partial_replaces_the_last_and_is_never_part_of_the_transcript():
    folded = Fold()
    folded.apply(Partial("so"))
    folded.apply(Partial("so my"))
    assert folded.partial == Partial("so my")
    assert folded.transcript == Transcript()


@pytest.mark.parametrize("end", [Partial(""), final("1"), Ended()])
def test_a_partial_is_cleared_by_what_follows_it(end):
    folded = Fold()
    folded.apply(Partial("so"))
    folded.apply(end)
    assert folded.partial is None


def test_a_failure_leaves_the_partial_to_be_read():
    folded = Fold()
    folded.apply(Partial("so"))
    folded.apply(Failed("provider", "gone", retry=True))
    assert folded.partial == Partial("so")


def test_a_final_with_a_known_key_replaces_and_an_empty_one_takes_back():
    assert fold([final("1", text="ask not"), final("1", text="Ask not.")]).text == "Ask not."
    assert fold([final("1"), final("1", text="")]).segments == ()


def test_segments_are_in_order_of_start_then_of_key_as_a_person_counts():
    said = [final("1-10", 5), final("1-9", 5), final("2-1", 0), final("1-09", 5)]
    assert [segment.key for segment in fold(said).segments] == ["2-1", "1-09", "1-9", "1-10"]


def test_a_key_of_thousands_of_digits_is_only_a_key():
    assert len(fold([final("9" * 5000), final("8" * 5000)]).segments) == 2


def test_impossible_times_are_made_possible():
    word = Word("w", -5, -9)
    [segment] = fold([final("1", -10, -20, words=(word,))]).segments
    assert (segment.start_ms, segment.end_ms) == (0, 0)
    assert (segment.words[0].start_ms, segment.words[0].end_ms) == (0, 0)


def test_a_revision_names_the_speaker_also_when_it_comes_first():
    revision = Revised("1", "B")
    assert fold([final("1", speaker="A"), revision]).segments[0].speaker == "B"
    assert fold([revision, final("1", speaker="A")]).segments[0].speaker == "B"
    assert fold([revision]).segments == ()


def test_a_revision_replaces_words_only_where_it_counts_the_same_words():
    old, new = (Word("ask", 0, 1, speaker="A"),), (Word("ask", 0, 1, speaker="B"),)
    assert fold([final("1", words=old), Revised("1", "B", new)]).segments[0].words == new
    assert fold([final("1"), Revised("1", "B", new)]).segments[0].words == new
    assert fold([final("1", words=old * 2), Revised("1", "B", new)]).segments[0].words == old * 2


def test_merged_speakers_are_one_also_through_others_and_in_circles():
    said = [final("1", speaker="A", words=(Word("w", 0, 1, speaker="B"),)), final("2", 5, speaker="C"), final("3", 9)]
    merges = [SpeakersMerged("A", "B"), SpeakersMerged("B", "C"), SpeakersMerged("C", "A"), SpeakersMerged("A", "A")]
    transcript = fold([*said, *merges])
    assert [segment.speaker for segment in transcript.segments] == ["C", "C", None]
    assert transcript.segments[0].words[0].speaker == "C"


def test_the_length_is_the_longest_told_and_never_less_than_what_was_said():
    assert fold([final("1")]).duration_ms is None
    assert fold([Ended(0)]).duration_ms == 0
    assert fold([Ended(5000), Ended(3000), Ended(None), final("1")]).duration_ms == 5000
    assert fold([Ended(10), final("1", 0, 700)]).duration_ms == 700


def test_the_language_is_the_one_most_was_said_in():
    said = [
        final("1", language="de", text="ja"),
        final("2", language="en", text="yes, it is"),
        final("3", text="x" * 50),
    ]
    assert fold(said).language == "en"
    assert fold([final("1")]).language is None
    assert fold([final("1", language="es"), final("2", language="de")]).language == "de"


def test_other_events_change_nothing():
    folded = Fold()
    folded.apply(final("1"))
    before = folded.transcript
    folded.apply(Began("s"))
    assert folded.transcript is before
