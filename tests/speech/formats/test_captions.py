"""Cutting a transcript into captions."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import text
from memweb.speech.formats import CaptionRules, Options
from memweb.speech.formats.captions import cues
from memweb.speech.formats.times import clock, parse, stamp
from memweb.speech.transcript import Segment, Transcript, Word
from tests.speech.formats.samples import TALK, spoken
from tests.speech.making import transcripts

rules = st.builds(
    CaptionRules,
    line_columns=st.integers(2, 60),
    lines=st.integers(1, 3),
    columns_per_second=st.integers(1, 40),
    least_ms=st.integers(0, 3000),
    most_ms=st.integers(1, 9000),
    pad_ms=st.integers(0, 1000),
    pause_ms=st.integers(1, 3000),
)


def made(*segments: Segment, **changed) -> list[tuple[int, int, str]]:
    options = Options(captions=CaptionRules(**changed))
    return [(cue.start_ms, cue.end_ms, "/".join(cue.lines)) for cue in cues(Transcript(segments), options)]


@given(transcripts(), rules, st.booleans())
def test_no_two_cues_overlap_and_each_lasts(transcript, chosen, labelled):
    cut = cues(transcript, Options(captions=chosen), labelled=labelled)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in cut)
    for sooner, later in pairwise(cut):
        assert sooner.end_ms <= later.start_ms


def test_what_is_said_to_the_end_of_the_recording_ends_with_it():
    said = Segment("1", 9_000, 9_900, "Is it so?")
    for length, end in ((9_950, 9_950), (9_800, 9_800), (9_000, 10_200), (None, 10_200), (0, 10_200), (99_000, 10_200)):
        transcript = Transcript((said,), duration_ms=length)
        assert [(cue.start_ms, cue.end_ms) for cue in cues(transcript, Options())] == [(9_000, end)], length


@given(transcripts(), rules)
def test_no_line_is_too_long_and_no_cue_has_too_many(transcript, chosen):
    for cue in cues(transcript, Options(captions=chosen)):
        assert 1 <= len(cue.lines) <= chosen.lines
        assert all(line and text.width(line) <= chosen.line_columns for line in cue.lines)


@given(transcripts())
def test_every_letter_is_in_exactly_one_cue(transcript):
    written = "".join("".join(text.plain(segment.text).split()) for segment in transcript.segments)
    cut = "".join("".join("".join(cue.lines).split()) for cue in cues(transcript, Options()))
    assert sorted(cut) == sorted(written)


def test_a_short_segment_is_one_cue_with_its_end_padded():
    assert made(Segment("1", 1000, 2500, "Is it so?")) == [(1000, 2800, "Is it so?")]


def test_a_cue_stays_for_at_least_a_second_where_there_is_room():
    assert made(Segment("1", 0, 100, "Yes.")) == [(0, 1000, "Yes.")]
    assert made(Segment("1", 0, 100, "Yes."), Segment("2", 600, 1900, "No.")) == [(0, 600, "Yes."), (600, 2200, "No.")]


def test_a_cue_stays_long_enough_to_be_read_where_there_is_room():
    [(_, end, _)] = made(Segment("1", 0, 1000, "x" * 40))
    assert end == 2000


def test_two_lines_are_about_as_long():
    [(_, _, lines)] = made(Segment("1", 0, 3000, "one two three four five six seven eight nine ten eleven"))
    first, second = lines.split("/")
    assert abs(len(first) - len(second)) < 12


def test_a_cue_ends_with_its_sentence_rather_than_in_the_next():
    said = spoken("1", 0, "He had asked for the keys to the old house in the valley. Nobody gave him any, so he went.")
    assert [lines for _, _, lines in made(said, most_ms=60_000)] == [
        "He had asked for the keys to/the old house in the valley.",
        "Nobody gave him any, so he went.",
    ]


def test_a_cue_ends_with_a_clause_where_no_sentence_ends():
    said = spoken(
        "1", 0, "nobody had asked for the keys to the old house in the valley, which was for sale that whole year"
    )
    first, _ = made(said, most_ms=60_000)
    assert first[2].endswith("valley,")


def test_a_pause_begins_a_new_cue():
    words = (Word("Yes,", 0, 300), Word("well.", 1300, 1500))
    assert len(made(Segment("1", 0, 1500, "Yes, well.", words))) == 2


def test_words_give_their_times_and_an_edit_shares_them_out():
    heard = spoken("1", 0, " ".join(["word"] * 40), pace=200)
    times = [start for start, _, _ in made(heard)]
    assert times
    assert all(start % 200 == 0 for start in times)
    edited = Segment("1", 0, 8000, " ".join(["word"] * 39), heard.words)
    shared = [start for start, _, _ in made(edited)]
    assert len(shared) == len(times)
    assert shared[1] == pytest.approx(times[1], abs=200)


def test_words_that_go_back_in_time_do_not_change_the_order_of_the_text():
    words = tuple(Word(str(at), 9000 - at * 1000, 9500 - at * 1000) for at in range(9))
    said = made(Segment("1", 0, 9500, " ".join(str(at) for at in range(9)), words))
    assert " ".join(lines for _, _, lines in said) == "0 1 2 3 4 5 6 7 8"


def test_two_people_at_once_are_shown_one_after_the_other():
    said = made(Segment("1", 0, 4000, "I think so.", speaker="A"), Segment("2", 0, 3000, "No.", speaker="B"))
    assert said == [(0, 1000, "I think so."), (1000, 3300, "No.")]


def test_japanese_breaks_between_characters_but_not_before_a_full_stop():
    said = "これは日本語のとても長い文章です。" * 4
    for _, _, lines in made(Segment("1", 0, 20_000, said)):
        for line in lines.split("/"):
            assert text.width(line) <= 42
            assert line[0] not in "。、"


def test_a_word_longer_than_a_line_is_divided_and_thai_keeps_its_vowels():
    [(_, _, lines)] = made(Segment("1", 0, 3000, "x" * 80))
    assert lines == "x" * 42 + "/" + "x" * 38
    thai = "ที่" * 30
    for _, _, lines in made(Segment("1", 0, 3000, thai), line_columns=10):
        assert all(line.startswith("ท") for line in lines.split("/"))


def test_a_character_wider_than_the_line_is_still_shown():
    assert [lines for _, _, lines in made(Segment("1", 0, 900, "日本"), line_columns=1, lines=1)] == ["日", "本"]


@given(transcripts(), rules)
def test_a_name_stands_exactly_where_the_cue_before_is_anothers(transcript, chosen):
    """Also where people speak at once, and whatever the lines have room for."""
    options = Options(captions=chosen, names={one.speaker: f"☛{at}" for at, one in enumerate(transcript.segments)})
    shown = ""
    for cue in cues(transcript, options, labelled=True):
        assert ("☛" in "".join(cue.lines)) == (cue.speaker not in ("", shown))
        assert len(cue.lines) <= chosen.lines
        shown = cue.speaker


def test_who_interrupts_gets_the_name_and_so_does_who_goes_on():
    long = spoken("1", 0, "First I thought of this. " * 8, pace=200, speaker="A")
    said = cues(Transcript((long, Segment("2", 2_000, 2_500, "No.", speaker="B"))), Options(), labelled=True)
    assert [cue.speaker for cue in said[:3]] == ["A", "B", "A"]
    assert [cue.lines[0].split()[0] for cue in said[:3]] == ["A:", "B:", "A:"]
    assert not any(":" in line for cue in said[3:] for line in cue.lines)


def test_names_are_written_where_speakers_change_and_only_if_wanted():
    names = {"A": "Anna", "B": "Bo"}
    labelled = [cue.lines[0] for cue in cues(TALK, Options(names=names), labelled=True)]
    assert [line.split(":")[0] for line in labelled if ":" in line] == ["Anna", "Bo", "Anna", "Bo", "Anna"]
    assert not any("Anna" in line for line in (cue.lines[0] for cue in cues(TALK, Options(names=names))))
    assert {cue.speaker for cue in cues(TALK, Options(names=names))} == {"Anna", "Bo", ""}
    assert {cue.speaker for cue in cues(TALK, Options(speakers=False), labelled=True)} == {""}


def test_segments_without_text_give_no_cue():
    assert made(Segment("1", 0, 1000, " \x07 "), Segment("2", 0, 10, "")) == []


@pytest.mark.parametrize(
    ("stamped", "ms"),
    [
        ("00:00:01,000", 1000),
        ("1:02:03.4", 3_723_400),
        ("02:03.456", 123_456),
        ("100:00:00.0000009", 360_000_000),
        ("0:05", 5000),
        ("5", None),
        ("a:b", None),
        ("", None),
    ],
)
def test_times_are_read_in_every_usual_form(stamped, ms):
    assert parse(stamped) == ms


@given(st.integers(0, 10**12), st.sampled_from(".,"))
def test_a_time_is_read_back_as_it_was_written(ms, point):
    assert parse(stamp(ms, point)) == (ms if ms < 3_600_000 * 1_000_000 else None)


def test_a_clock_shows_hours_only_when_there_are_some():
    assert [clock(ms) for ms in (0, 59_999, 60_000, 3_600_000)] == ["0:00", "0:59", "1:00", "1:00:00"]


def test_the_work_grows_with_the_length_and_not_with_its_square():
    said = "and so the whole of the matter was settled before anybody had asked, or so it seemed to us all."
    hours = [Transcript(tuple(spoken(str(at), at * 7200, said, "AB"[at % 2]) for at in range(n))) for n in (150, 1500)]
    took = []
    for transcript in hours:
        began = time.process_time()
        assert len(cues(transcript, Options())) >= len(transcript.segments)
        took.append(time.process_time() - began)
    assert took[1] < 40 * max(took[0], 0.001)  # ten times the length; its square would be a hundred times the work


def test_a_word_without_end_is_measured_a_few_times_and_not_once_for_each_of_its_letters(monkeypatch):
    measured, width = 0, text.width

    def counting(said):
        nonlocal measured
        measured += len(said)
        return width(said)

    monkeypatch.setattr(text, "width", counting)
    word = "ก" * 2_000  # Thai has no spaces: a long paragraph is one word
    found = cues(Transcript((Segment("1", 0, 600_000, word),)), Options())
    assert "".join(line for cue in found for line in cue.lines) == word
    assert measured < 10 * len(word)
