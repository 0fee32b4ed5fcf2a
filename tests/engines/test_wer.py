"""The measure that other tests trust."""

from __future__ import annotations

import pytest

from tests.wer import errors, pooled, wer, words


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Mr. Hale, don't!", "mister hale do not"),
        ("the 15th century", "the fifteenth century"),
        ("It cost 1,240 francs.", "it cost one thousand two hundred forty francs"),
        ("Uh, the shop-boy said: no", "the shop boy said no"),
        ("I can't", "i cannot"),
    ],
)
def test_the_same_words_in_another_writing_are_no_error(written: str, spoken: str) -> None:
    assert words(written) == words(spoken)


def test_other_languages_keep_their_letters() -> None:
    assert words("¿Qué? El año 2001, ¡niño!", "es") == ["qué", "el", "año", "2001", "niño"]


@pytest.mark.parametrize(
    ("wanted", "got", "count"),
    [("a b c", "a b c", 0), ("a b c", "", 3), ("", "a b", 2), ("a b c", "a x c", 1), ("a b c d", "b c d e", 2)],
)
def test_errors_are_the_fewest_edits(wanted: str, got: str, count: int) -> None:
    assert errors(wanted.split(), got.split()) == count


def test_a_pool_weighs_by_words_and_not_by_texts() -> None:
    assert pooled([("one", "two"), ("a b c d e f g h i", "a b c d e f g h i")]) == pytest.approx(0.1)
    assert wer("a b", "a") == pytest.approx(0.5)
