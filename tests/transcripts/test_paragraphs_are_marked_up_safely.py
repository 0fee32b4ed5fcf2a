"""Paragraphs as HTML: the elements the page knows and no others, whatever was said, by whom, under which key."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech.transcript import Segment
from transcripts.shown.markup import PART, paragraphs, parts
from transcripts.shown.paragraphs import NOBODY, Gap, Line, Turn, Voice, turns

HOSTILE = "</span><script>alert(1)</script>\"'><b onclick=x &amp; {{ 7 }}&lt;"
READ_ONLY = ["article", "div", "time", "div", "p", "span"]
PLAYED = ["article", "div", "b", "button", "div", "p", "span"]
CORRECTED = ["article", "div", "button", "b", "button", "button", "svg", "use", "div", "p", "span"]


class Parsed(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[dict[str, str | None]]] = {}
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.setdefault(tag, []).append(dict(attrs))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data


def turn(text: str = "Hello.", key: str = "1-0", name: str = "", revision: int = 0) -> Turn:
    voice = Voice(name, "c1") if name else NOBODY
    return Turn(61_000, "1:01", voice, [Line(key, 61_000, 62_500, "", text, "0.5.0?", revision)])


def test_a_gap_stands_between_what_was_said_before_it_and_after_it() -> None:
    """Though nobody paused: what is missing takes no time in what was heard."""
    said = [Segment(str(at), at, at + 900, f"word {at},") for at in (0, 1000, 2000, 3000)]
    assert len(turns(said, voices={})) == 1
    for at_ms, before in ((0, []), (1900, [0, 1000]), (2000, [0, 1000]), (3900, [0, 1000, 2000, 3000])):
        gap = Gap(at_ms, "4 seconds are missing")
        html = paragraphs(turns(said, voices={}, gaps=[gap]), [gap])
        above, _, below = html.partition(gap.said)
        assert [row.start_ms for row in said if f">{row.text}<" in above] == before
        assert [row.start_ms for row in said if f">{row.text}<" in below] == [0, 1000, 2000, 3000][len(before) :]


def test_parts_hold_all_paragraphs_in_order_and_few_each() -> None:
    many = [turn(f"word {number},", str(number)) for number in range(2 * PART + 1)]
    html = parts(many, [Gap(0, "4 seconds are missing")])
    held = [part.count("<article") for part in html.split('<div class="part">')[1:]]
    assert held == [PART - 1, PART, 2]
    assert html.replace('<div class="part">', "").replace("</article></div>", "</article>") == paragraphs(
        many, [Gap(0, "4 seconds are missing")]
    )
    assert parts([]) == ""


def test_a_line_has_its_times_its_words_and_its_revision() -> None:
    line = Parsed(paragraphs([turn(revision=3)])).attributes["span"][0]
    times = {"data-start": "61000", "data-end": "62500"}
    assert line == {"class": "s", "id": "s-1-0", **times, "data-words": "0.5.0?", "data-rev": "3"}
    assert "data-rev" not in Parsed(paragraphs([turn()])).attributes["span"][0]


@pytest.mark.parametrize(
    ("corrects", "plays", "name", "tags"),
    [(False, False, "", READ_ONLY), (False, True, "Anna", PLAYED), (True, True, "Anna", CORRECTED)],
)
def test_what_can_be_done_with_it_depends_on_who_reads(corrects: bool, plays: bool, name: str, tags: list[str]) -> None:
    assert Parsed(paragraphs([turn(name=name)], corrects=corrects, plays=plays)).tags == tags


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_whatever_was_said_is_text(said: str, key: str, name: str) -> None:
    for text, segment, speaker in ((said, key, name), (HOSTILE, HOSTILE, HOSTILE)):
        html = paragraphs([turn(text, segment, speaker)], corrects=True)
        found = Parsed(html.replace("\r", " "))
        assert found.tags == CORRECTED
        assert found.text.get("span", "") == text.replace("\r", " ")
        assert found.text["b"] == speaker.replace("\r", " ")
        assert found.attributes["span"][0]["id"] == f"s-{segment}".replace("\r", " ")
        pen = found.attributes["button"][2]
        assert (pen["form"], pen["name"], pen["value"]) == ("correct", "segment", segment.replace("\r", " "))
