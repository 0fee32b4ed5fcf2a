"""Who speaks when, laid over words: by overlap, else by nearness."""

from __future__ import annotations

import pytest

from memweb.speech.transcript import Segment, Word
from memweb.speech.voices import Turn, loudest, voiced

TURNS = (Turn(0, 1000, "0"), Turn(1200, 3000, "1"), Turn(2800, 3600, "0"))


def said(*times: tuple[int, int]) -> Segment:
    words = tuple(Word(f"w{number}", start, end) for number, (start, end) in enumerate(times))
    return Segment("1", times[0][0], times[-1][1], "text", words)


@pytest.mark.parametrize(
    ("time", "voice"),
    [
        ((0, 500), "0"),
        ((1300, 1500), "1"),
        ((900, 1400), "1"),  # more of it in the second turn
        ((700, 1250), "0"),
        ((1010, 1050), "0"),  # in the gap: the nearer one
        ((1150, 1190), "1"),
        ((2700, 3600), "0"),  # two turns at once
        ((90_000, 90_500), "0"),  # after all of them
    ],
)
def test_a_word_has_the_voice_that_covers_most_of_it(time: tuple[int, int], voice: str) -> None:
    (segment,) = voiced([said(time)], TURNS)
    assert segment.words[0].speaker == segment.speaker == voice


def test_a_segment_has_the_voice_of_most_of_its_words() -> None:
    (segment,) = voiced([said((0, 400), (1300, 1500), (1500, 1900))], TURNS)
    assert [word.speaker for word in segment.words] == ["0", "1", "1"]
    assert segment.speaker == "1"


def test_a_segment_without_words_has_the_voice_of_its_time() -> None:
    (segment,) = voiced([Segment("1", 1300, 2000, "text")], TURNS[::-1])
    assert segment.speaker == "1"


def test_without_turns_nobody_is_named() -> None:
    segments = (said((0, 400)),)
    assert voiced(segments, ()) == segments


def test_no_more_voices_are_kept_than_were_asked_for() -> None:
    assert loudest(TURNS, None) == TURNS
    assert {turn.voice for turn in loudest(TURNS, 1)} == {"0"}  # 1.8 s each: the first heard
    three = (*TURNS, Turn(4000, 4100, "2"))
    assert loudest(three, 2) == TURNS
    (segment,) = voiced([said((4000, 4100))], loudest(three, 2))
    assert segment.speaker == "0"
