"""Two readings side by side: what differs is marked on both sides, and nothing is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import comparing
from tests.speech.test_editing import said


def marked(pieces: tuple[comparing.Piece, ...]) -> str:
    return "".join(f"[{piece.text}]" if piece.differs else piece.text for piece in pieces)


def test_words_that_differ_are_marked_on_both_sides() -> None:
    row = comparing.rows([said("belonged to the harper office.")], [said("Belonged to the harbour office")])[0]
    assert marked(row.left) == "belonged to the [harper] office."
    assert marked(row.right) == "Belonged to the [harbour] office"
    assert (row.words, row.of, row.is_same) == (1, 5, False)


def test_words_of_one_side_only_are_marked_there() -> None:
    row = comparing.rows([said("so, you know, it was")], [said("so, it was")])[0]
    assert marked(row.left) == "so, [you know,] it was"
    assert marked(row.right) == "so, it was"
    assert (row.words, row.of) == (2, 5)


def test_never_more_words_differ_than_there_are() -> None:
    row = comparing.rows([said("one two three the")], [said("the four five six")])[0]
    assert (row.words, row.of) == (6, 7)


def test_each_paragraph_stands_beside_what_was_said_at_its_time() -> None:
    left = [said("one", key="a"), said("two", key="b", start_ms=1500), said("three", key="c", start_ms=30_000)]
    right = [said("one two", key="x"), said("three", key="y", start_ms=30_200)]
    first, second = comparing.rows(left, right)
    assert (first.left_keys, first.right_keys) == (("a", "b"), ("x",))
    assert (second.left_keys, second.is_same) == (("c",), True)


def test_what_only_one_reading_has_has_a_row_of_its_own() -> None:
    assert [marked(row.left) for row in comparing.rows([said("alone")], [])] == ["[alone]"]
    assert [marked(row.right) for row in comparing.rows([said("", key="e")], [said("alone")])] == ["[alone]"]
    assert comparing.rows([], []) == []
    assert comparing.text_of([]) == ""


def test_spaces_before_the_first_word_are_kept() -> None:
    row = comparing.rows([said("a b")], [said("a b")])[0]
    assert marked(row.left) == marked(row.right) == "a b"


words = st.lists(st.sampled_from(["a", "bee", "Sea,", "dee.", "…", "今"]), min_size=1, max_size=8).map(" ".join)


@given(words, words)
def test_pieces_join_to_the_whole_text(one: str, two: str) -> None:
    row = comparing.rows([said(one)], [said(two)])[0]
    assert "".join(piece.text for piece in row.left) == comparing.text_of([said(one)])
    assert "".join(piece.text for piece in row.right) == comparing.text_of([said(two)])
