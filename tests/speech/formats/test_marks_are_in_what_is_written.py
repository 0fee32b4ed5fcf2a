"""Chapters are headings where they begin, and what else was marked is a list, as readers that are not ours find them.

Word by python-docx, PDF by pypdf (its outline too), HTML by html.parser, captions and their chapters by FFmpeg, JSON
by its schema.
"""

from __future__ import annotations

import io
import json as plain_json
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import docx
import pypdf
import pytest
from docx.shared import Pt
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import Destination

from memweb.speech import text
from memweb.speech.formats import FORMATS, Options, Unreadable, json, vtt
from memweb.speech.formats.layout import LIST, UNNAMED, UNTITLED, Heading, notes, parts
from memweb.speech.transcript import Mark, Segment, Transcript
from tests.speech.formats.samples import HOSTILE, TALK
from tests.speech.formats.test_every_export_is_read_back import SCHEMA, captions, letters, spoken_letters
from tests.speech.making import any_text, transcripts

TO_BE_READ = ("txt", "md", "html", "docx", "pdf")
MARKED = replace(
    TALK,
    marks=(
        Mark(0, "Welcome", is_chapter=True),
        Mark(1_200, "Who is she?"),
        Mark(9_100, "The budget", is_chapter=True),
        Mark(12_000),
        Mark(3_605_500, "", is_chapter=True),
        Mark(3_609_900, "The end", is_chapter=True),
        Mark(3_610_000, "=1+1 Ask again"),
    ),
)
CHAPTERS = ["Welcome", "The budget", UNTITLED, "The end"]
LISTED = [("0:01", "Who is she?"), ("0:12", UNNAMED), ("1:00:10", "=1+1 Ask again")]
ATTACKS = tuple(
    Mark(at * 1000, said, is_chapter=at % 2 == 0)
    for at, said in enumerate(
        [
            "</title></h2><script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a --> b\n\n00:00:01.000 --> 00:00:02.000\nmore",
            "user\u202egnp.exe \u2066hidden",
            "nul\x00 lone\ud800 bell\x07 \ufffe\U0001f600",
            "[x](javascript:alert(1)) # ## `code` <!-- c -->",
            "## Heading\n- item ##",
            "=cmd|' /C calc'!A0",
            "NOTE x\n\nSTYLE",
            "x" * 2_000,
        ]
    )
)


def style(paragraph: Paragraph) -> ParagraphStyle:
    assert paragraph.style is not None
    return paragraph.style


def outline(reader: pypdf.PdfReader) -> list[Destination]:
    """Its entries, none of which has others below it."""
    entries = [entry for entry in reader.outline if isinstance(entry, Destination)]
    assert len(entries) == len(reader.outline)
    return entries


@dataclass
class Page(HTMLParser):
    """What stands on a page: its headings, list and paragraphs, in order."""

    data: bytes
    found: list[tuple[str, str]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    inside: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]
        if tag in ("h2", "li", "p"):
            self.inside = True
            self.found.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("h2", "li", "p")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] = (self.found[-1][0], self.found[-1][1] + data)


def headings_and_list(extension: str, data: bytes) -> tuple[list[str], list[str]]:
    """The titles of its chapters and the lines of its list, as a reader of this format finds them."""
    if extension == "docx":
        paragraphs = docx.Document(io.BytesIO(data)).paragraphs
        headings = [one.text for one in paragraphs if one.style and one.style.name == "Heading 1"]
        listed = [one.text for one in paragraphs if one.style and one.style.name == "List Bullet"]
    elif extension == "html":
        found = Page(data).found
        headings, listed = ([said.strip() for tag, said in found if tag == kind] for kind in ("h2", "li"))
    elif extension == "pdf":
        reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
        headings = [entry.title for entry in outline(reader)]
        said = "\n".join(page.extract_text().rpartition("\n")[0] for page in reader.pages)
        listed = said.rpartition(f"\n{LIST}\n")[2].splitlines() if LIST in said else []
    else:
        mark, item = {"md": ("## ", "- "), "txt": ("== ", "[")}[extension]
        lines = data.decode().split("\n")
        headings = [line.removeprefix(mark).removesuffix(" ==") for line in lines if line.startswith(mark)]
        tail = data.decode().rpartition(LIST)[2].split("\n") if LIST in data.decode() else []
        listed = [re.sub(r"^(- |\[)([0-9:]+)\]? ", r"\2 ", line) for line in tail if line.startswith(item)]
    return [one for one in headings if one != LIST], listed


# --- where they stand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", TO_BE_READ)
def test_chapters_are_headings_and_marks_a_list(extension: str) -> None:
    headings, listed = headings_and_list(extension, FORMATS[extension].write(MARKED, Options()))
    assert headings == CHAPTERS
    assert [line.replace("\\", "") for line in listed] == [f"{time} {said}" for time, said in LISTED]


@pytest.mark.parametrize("extension", TO_BE_READ)
def test_neither_is_there_where_it_is_not_wanted(extension: str) -> None:
    without = FORMATS[extension].write(MARKED, Options(marks=False))
    assert without == FORMATS[extension].write(TALK, Options())
    assert headings_and_list(extension, without) == ([], [])


@pytest.mark.parametrize("extension", TO_BE_READ)
def test_no_word_is_lost_between_headings(extension: str) -> None:
    options = Options(speakers=False)
    data = FORMATS[extension].write(MARKED, options)
    if extension == "docx":
        said = "".join(one.text for one in docx.Document(io.BytesIO(data)).paragraphs if style(one).name == "Normal")
    elif extension == "html":
        said = "".join(said for tag, said in Page(data).found if tag == "p")
    else:
        return  # text and PDF do not tell a heading from a line
    assert letters(said) == spoken_letters(TALK)


def test_a_heading_stands_before_the_line_that_mostly_follows_it() -> None:
    lines = tuple(Segment(str(at), at * 10_000, at * 10_000 + 8_000, f"Line {at}.", speaker="A") for at in range(3))

    def laid_out(at_ms: int) -> list[str]:
        told = parts(Transcript(lines, marks=(Mark(at_ms, "Here", is_chapter=True),)), Options())
        return [part.title if isinstance(part, Heading) else part.text for part in told]

    assert laid_out(0) == laid_out(4_000) == ["Here", "Line 0.", "Line 1.", "Line 2."]
    assert laid_out(4_001) == laid_out(9_000) == laid_out(14_000) == ["Line 0.", "Here", "Line 1.", "Line 2."]
    assert laid_out(24_001) == laid_out(10**9) == ["Line 0.", "Line 1.", "Line 2.", "Here"]


def test_a_heading_parts_a_paragraph_and_the_speaker_is_told_anew() -> None:
    lines = (Segment("1", 0, 2000, "One,", speaker="A"), Segment("2", 2000, 4000, "two.", speaker="A"))
    transcript = Transcript(lines, marks=(Mark(2100, "Two", is_chapter=True),))
    assert FORMATS["txt"].write(transcript, Options()) == b"A: One,\n\n== Two ==\n\nA: two.\n"
    assert FORMATS["md"].write(transcript, Options(times=True)).decode() == (
        "**A** 0:00\n\nOne,\n\n## Two · 0:02\n\n**A** 0:02\n\ntwo.\n"
    )


def test_a_transcript_of_nothing_but_marks_says_them() -> None:
    only = Transcript(marks=(Mark(5_000, "A chapter", is_chapter=True), Mark(6_000, "A note")))
    for extension in TO_BE_READ:
        data = FORMATS[extension].write(only, Options())
        assert headings_and_list(extension, data) == (["A chapter"], ["0:06 A note"]), extension


def test_an_entry_of_the_outline_leads_to_its_heading() -> None:
    lines = tuple(Segment(str(at), at * 1000, at * 1000 + 900, f"Line {at}. " + "word " * 150) for at in range(30))
    marks = tuple(Mark(at * 1000, f"Chapter {at}", is_chapter=True) for at in range(30))
    data = FORMATS["pdf"].write(Transcript(lines, marks=marks), Options(paragraphs=False))
    reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
    for at, entry in enumerate(outline(reader)):
        number = reader.get_destination_page_number(entry)
        assert number is not None
        page = reader.pages[number]
        lines_of_page = page.extract_text().splitlines()
        place = lines_of_page.index(f"Chapter {at}")
        assert lines_of_page[place + 1].startswith(f"Line {at}."), "a heading does not stand alone below a page"
    assert len(reader.pages) > 3


def test_a_pdf_has_the_letters_of_its_marks() -> None:
    told = Transcript(marks=(Mark(0, "안녕하세요", is_chapter=True), Mark(9, "今天天气很好")))
    page = pypdf.PdfReader(io.BytesIO(FORMATS["pdf"].write(told, Options()))).pages[0].extract_text()
    assert "안녕하세요" in page
    assert "今天天气很好" in page


def test_a_word_document_looks_like_the_pdf() -> None:
    document = docx.Document(io.BytesIO(FORMATS["docx"].write(MARKED, Options(title="T", about="Today"))))
    [box] = {
        tuple(page.mediabox[2:]) for page in pypdf.PdfReader(io.BytesIO(FORMATS["pdf"].write(TALK, Options()))).pages
    }
    section = document.sections[0]
    assert section.page_width is not None
    assert section.page_height is not None
    assert (round(section.page_width.pt), round(section.page_height.pt)) == tuple(map(round, box))
    assert 'w:instr="PAGE"' in section.footer._element.xml
    sizes = [(style(one).name, style(one).font.size) for one in document.paragraphs[:3]]
    assert sizes == [("Title", Pt(20)), ("Subtitle", Pt(10)), ("Heading 1", Pt(14))]


def test_a_word_heading_tells_its_time_quietly() -> None:
    document = docx.Document(io.BytesIO(FORMATS["docx"].write(MARKED, Options(times=True))))
    headings = [one for one in document.paragraphs if style(one).name == "Heading 1"]
    assert [one.text.rsplit(" ", 1) for one in headings[:2]] == [["Welcome", "0:00"], ["The budget", "0:09"]]
    assert [one.runs[-1].bold for one in headings] == [False] * 4 + [None], "and none stands above the list at the end"


# --- nothing but text ----------------------------------------------------------------------------------------

ATTACKED = replace(HOSTILE, marks=ATTACKS)


def test_hostile_marks_are_text_on_a_page() -> None:
    page = Page(FORMATS["html"].write(ATTACKED, Options(title="T", times=True)))
    known = "html head meta title style body main h1 h2 p b bdi time ul li"
    assert page.tags <= set(known.split())
    shown = " ".join(said for _, said in page.found)
    assert "</h2><script>alert(1)</script>" in shown
    assert "\u202e" not in shown


def test_hostile_marks_are_text_in_markdown() -> None:
    written = FORMATS["md"].write(ATTACKED, Options()).decode()
    own = [line for line in written.split("\n") if line.startswith(("## ", "- "))]
    assert len(own) == len(ATTACKS) + 1, "each is one line"
    for line in own:
        said = re.sub(r"^## |^- [0-9:]+ ", "", line)
        assert not re.search(r"(?<!\\)[<\[\]`#*_&|~]", said.replace("\\\\", "")), line


def test_hostile_marks_are_text_in_a_word_document_and_a_pdf() -> None:
    for extension in ("docx", "pdf"):
        headings, listed = headings_and_list(extension, FORMATS[extension].write(ATTACKED, Options()))
        assert len(headings) == 5
        assert headings[0] == "</title></h2><script>alert(1)</script>"
        assert not [one for one in headings + listed if re.search("[\x00-\x1f\u202a-\u202e\u2066-\u2069]", one)]


@pytest.mark.parametrize("extension", ["srt", "vtt", "csv"])
def test_captions_and_tables_are_as_they_were(extension: str) -> None:
    assert FORMATS[extension].write(ATTACKED, Options()) == FORMATS[extension].write(HOSTILE, Options())


# --- a menu for players --------------------------------------------------------------------------------------


def test_chapters_are_a_file_for_players() -> None:
    found = captions("vtt", vtt.chapters(MARKED))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in found] == [
        (0, 9_100, "Welcome"),
        (9_100, 3_605_500, "The budget"),
        (3_605_500, 3_609_900, UNTITLED),
        (3_609_900, 3_610_000, "The end"),
    ]


def test_hostile_chapters_are_titles_in_that_file() -> None:
    data = vtt.chapters(ATTACKED)
    assert data.count(b"-->") == 5
    assert b"<" not in data
    assert len(captions("vtt", data)) == 5
    same = (Mark(5, "a", is_chapter=True), Mark(5, "b", is_chapter=True))
    assert [cue.text for cue in captions("vtt", vtt.chapters(Transcript(marks=same)))] == ["a", "b"]


# --- and back again ------------------------------------------------------------------------------------------

marks = st.lists(st.builds(Mark, st.integers(0, 10**9), any_text.map(text.clean), st.booleans()), max_size=6).map(
    lambda found: tuple(sorted(found, key=lambda mark: (mark.at_ms, not mark.is_chapter)))
)


def test_json_has_them_as_arrays_whatever_is_wanted() -> None:
    content = plain_json.loads(FORMATS["json"].write(MARKED, Options(marks=False)))
    assert [(row["at_ms"], row["title"]) for row in content["chapters"]] == [
        (0, "Welcome"), (9_100, "The budget"), (3_605_500, ""), (3_609_900, "The end"),
    ]  # fmt: skip
    assert content["marks"][1] == {"at_ms": 12_000, "note": ""}
    assert not list(SCHEMA.iter_errors(content))
    for broken in (
        {"chapters": None}, {"chapters": [{}]}, {"chapters": [{"at_ms": -1, "title": "x"}]},
        {"marks": [{"at_ms": 1.5, "note": "x"}]}, {"marks": [{"at_ms": 1, "note": None}]},
    ):  # fmt: skip
        assert list(SCHEMA.iter_errors(content | broken)), broken


@settings(max_examples=60, deadline=None)
@given(transcripts(any_text.map(text.clean)), marks)
def test_json_brings_them_back(transcript: Transcript, found: tuple[Mark, ...]) -> None:
    told = replace(transcript, marks=found)
    data = json.write(told)
    assert json.read(data).marks == found
    assert not list(SCHEMA.iter_errors(plain_json.loads(data)))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"chapters": 5}, "A list is missing in the file"),
        ({"chapters": [5]}, "Chapter 1 is not an object"),
        ({"marks": [{"at_ms": 1}, {"at_ms": -1}]}, "Mark 2: at_ms is not a whole number from 0 on"),
        ({"marks": [{"at_ms": 1, "note": 5}]}, "Mark 1: note is not text"),
    ],
)
def test_a_faulty_mark_is_refused_with_its_place(change: dict[str, object], fault: str) -> None:
    content = plain_json.loads(json.write(MARKED)) | change
    with pytest.raises(Unreadable, match=fault):
        json.read(plain_json.dumps(content).encode())


def test_a_file_of_an_older_memweb_has_none() -> None:
    content = plain_json.loads(json.write(MARKED))
    del content["chapters"], content["marks"]
    assert json.read(plain_json.dumps(content).encode()).marks == ()
    assert not list(SCHEMA.iter_errors(content))


@settings(max_examples=60, deadline=None)
@given(transcripts(), marks, st.booleans())
def test_each_mark_is_told_once_and_each_word_too(
    transcript: Transcript, found: tuple[Mark, ...], paragraphs: bool
) -> None:
    told, options = replace(transcript, marks=found), Options(paragraphs=paragraphs)
    laid = list(parts(told, options))
    assert [part.start_ms for part in laid if isinstance(part, Heading)] == [m.at_ms for m in found if m.is_chapter]
    assert [note.at_ms for note in notes(told, options)] == [m.at_ms for m in found if not m.is_chapter]
    assert letters("".join(part.text for part in laid if not isinstance(part, Heading))) == spoken_letters(transcript)
