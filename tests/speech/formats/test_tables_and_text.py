"""Plain text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv as tables
import io
import json as plain_json
import math

import pytest
from hypothesis import given

from memweb.speech import text
from memweb.speech.formats import Options, Unreadable, csv, json, md, txt
from memweb.speech.transcript import Segment, Transcript, Word
from tests.speech.formats.samples import HOSTILE, TALK
from tests.speech.making import said, transcripts

stored = said.map(text.clean)


def one(said: str, speaker: str | None = None) -> Transcript:
    return Transcript((Segment("1", 0, 1000, said, speaker=speaker),))


def test_text_without_choices_is_only_what_was_said():
    assert txt.write(one("Yes."), Options()) == b"Yes.\n"
    assert b"Anna" not in txt.write(TALK, Options(speakers=False, names={"A": "Anna"}))
    assert b"[0:00]" not in txt.write(TALK)
    assert txt.write(Transcript()) == b"\n"


@given(transcripts())
def test_text_keeps_every_word_on_one_line_per_paragraph(transcript):
    lines = txt.write(transcript, Options(speakers=False)).decode().split("\n\n")
    assert all("\n" not in line.strip("\n") for line in lines)
    letters = "".join("".join(text.plain(segment.text).split()) for segment in transcript.segments)
    assert "".join("".join(lines).split()).casefold() == letters.casefold()


@pytest.mark.parametrize(
    "hostile",
    [
        "# x",
        "- x",
        "+ x",
        "1. x",
        "12) x",
        "> x",
        "```",
        "***",
        "---",
        "===",
        "<b>",
        "[x](y)",
        "a_b_",
        "|a|",
        "&lt;",
        "~~x~~",
    ],
)
def test_nothing_said_is_markup_in_markdown(hostile):
    written = md.write(one(hostile)).decode().strip()
    assert written != hostile
    assert "".join(part for part in written if part != "\\") == hostile


def test_a_backslash_in_markdown_stays_one():
    assert md.write(one("a\\*b")) == b"a\\\\\\*b\n"


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "|x", "%x", "＝1", "－1"])
def test_no_cell_of_a_table_is_a_formula(formula):
    for cell in rows(one(formula, formula))[1][2:]:
        assert cell.startswith("'")


def rows(transcript: Transcript, options: Options | None = None) -> list[list[str]]:
    written = csv.write(transcript, options or Options()).decode("utf-8-sig")
    return list(tables.reader(io.StringIO(written, newline="")))


def test_a_table_has_a_row_for_each_segment_and_speakers_only_if_wanted():
    assert [len(row) for row in rows(HOSTILE)] == [4] * (len(HOSTILE.segments) + 1)
    assert rows(HOSTILE, Options(speakers=False))[0] == ["start", "end", "text"]
    assert rows(one('He said "so", then; left'))[1][3] == 'He said "so", then; left'


@given(transcripts(stored))
def test_json_reads_back_exactly_what_it_wrote(transcript):
    assert json.read(json.write(transcript)) == transcript


@given(transcripts())
def test_json_of_anything_is_utf_8_without_turners_and_comes_back_storable(transcript):
    written = json.write(transcript, Options(title="\u202e\x00", names={"A\ud800": "x"})).decode()
    assert not set(written) & set("\u202e\u2066\u2028\0")
    back = json.read(written.encode())
    assert json.read(json.write(back)) == back
    assert "\0" not in back.text


def test_a_confidence_that_is_no_number_is_unknown():
    words = (Word("a", 0, 1, math.nan), Word("b", 0, 1, math.inf), Word("c", 0, 1, 1))
    back = json.read(json.write(Transcript((Segment("1", 0, 1, "a b c", words),))))
    assert [word.confidence for word in back.segments[0].words] == [None, None, 1.0]


def test_names_and_title_are_in_the_file_for_others_to_read():
    content = plain_json.loads(json.write(TALK, Options(title="T", names={"A": "Anna"})))
    assert (content["title"], content["speakers"], content["version"]) == ("T", {"A": "Anna"}, 1)


def changed(**change) -> bytes:
    content = plain_json.loads(json.write(TALK))
    for path, value in change.items():
        *way, last = (int(part) if part.isdigit() else part for part in path.split("__"))
        place = content
        for part in way:
            place = place[part]
        place[last] = value
    return plain_json.dumps(content).encode()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not a JSON file"),
        (b"\xff\xff", "not a JSON file"),
        (b"[" * 100_000, "not a JSON file"),
        (b"[]", "not a memweb transcript"),
        (b"{}", "not a memweb transcript"),
        (changed(version=2), "has version 2 of the format"),
        (changed(version=None), "has version None"),
        (changed(segments=None), "A list is missing in the file"),
        (changed(segments__0=5), "Segment 1 is not an object"),
        (changed(segments__1__key="1-1"), "Two segments of the file have the same key"),
        (changed(segments__1__start_ms=-1), "Segment 2: start_ms is not a whole number from 0 on"),
        (changed(segments__1__start_ms=True), "Segment 2: start_ms is not"),
        (changed(segments__1__start_ms=1.5), "Segment 2: start_ms is not"),
        (changed(segments__1__start_ms=10**13), "Segment 2: start_ms is not"),
        (changed(segments__1__end_ms=0), "Segment 2 ends before it starts"),
        (changed(segments__1__key="k" * 65), "Segment 2: key has more than 64 characters"),
        (changed(segments__1__channel=70_000), "Segment 2: channel is not below 32768"),
        (changed(segments__1__opens="yes"), "Segment 2: opens is not true or false"),
        (changed(segments__1__text=None), "Segment 2: text is not text"),
        (changed(segments__1__speaker=5), "Segment 2: speaker is not text"),
        (changed(segments__0__words=5), "A list is missing in the words of segment 1"),
        (changed(segments__0__words__2__confidence=1.01), "Segment 1, word 3: confidence is not between 0 and 1"),
        (changed(segments__0__words__2__confidence=True), "Segment 1, word 3: confidence"),
        (changed(segments__0__words__2__estimated=1), "Segment 1, word 3: estimated is not true or false"),
        (changed(duration_ms="5"), "The file: duration_ms is not"),
    ],
)
def test_a_faulty_file_is_refused_with_the_place_of_the_fault(data, fault):
    with pytest.raises(Unreadable, match=fault):
        json.read(data)


def test_what_a_later_writer_adds_or_leaves_out_does_no_harm():
    least = {"key": "1", "start_ms": 5, "end_ms": 6, "text": "a\x00", "mood": "glad"}
    word = {"text": "a", "start_ms": 5, "end_ms": 6, "kind": "laughter"}
    sooner = {"key": "2", "start_ms": 0, "end_ms": 6, "text": "b", "words": [word]}
    content = {"format": "memweb-transcript", "version": 1, "segments": [least, sooner]}
    back = json.read(plain_json.dumps(content).encode())
    assert back.segments == (Segment("2", 0, 6, "b", (Word("a", 5, 6),)), Segment("1", 5, 6, "a\ufffd"))
