"""What is written, read by parsers that are not ours: the same words, the same times, and nothing that runs.

Word by zipfile and ElementTree, PDF by pypdf, HTML by html.parser, captions by FFmpeg, CSV by csv, JSON by its schema.
"""

from __future__ import annotations

import csv as plain_csv
import html as plain_html
import io
import json as plain_json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import av
import jsonschema_rs
import pypdf
import pytest
from hypothesis import given, settings

from memweb.speech import text
from memweb.speech.formats import FORMATS, CaptionRules, Options
from memweb.speech.formats.times import clock, parse
from memweb.speech.transcript import Segment, Transcript, Word
from tests.speech.formats.samples import HOSTILE, LANGUAGES, TALK, spoken
from tests.speech.making import transcripts

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = jsonschema_rs.validator_for(plain_json.loads((ROOT / "docs" / "transcript.schema.json").read_text()))
LONG_WORD = Transcript((Segment("1", 0, 9000, "x" * 10_000),))
SAMPLES = {"talk": TALK, "hostile": HOSTILE, "languages": LANGUAGES, "empty": Transcript(), "long word": LONG_WORD}
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PLAIN = Options(speakers=False)


def written(extension: str, transcript: Transcript, **chosen) -> bytes:
    return FORMATS[extension].write(transcript, replace(PLAIN, **chosen))


def letters(said: str) -> str:
    """What has to be the same: all but the spaces, and the capitals that joining takes back."""
    return "".join(said.split()).casefold()


def spoken_letters(transcript: Transcript) -> str:
    return letters("".join(text.plain(segment.text) for segment in transcript.segments))


# --- the readers ---------------------------------------------------------------------------------------------


@dataclass
class Said:
    """A paragraph of a document."""

    text: str
    is_rtl: bool = False
    language: str = ""


def word_document(data: bytes) -> list[Said]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        root = ElementTree.fromstring(package.read("word/document.xml"))
    return [
        Said(
            "".join(node.text or "" for node in paragraph.iter(f"{W}t")),
            paragraph.find(f"{W}pPr/{W}bidi") is not None,
            "".join(value for node in paragraph.iter(f"{W}lang") for value in node.attrib.values()),
        )
        for paragraph in root.iter(f"{W}p")
    ]


def pdf_pages(data: bytes) -> list[str]:
    """The text of each page, without the number below it."""
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data), strict=True).pages]
    for number, page in enumerate(pages, 1):
        assert page.splitlines()[-1] == str(number)
    return ["\n".join(page.splitlines()[:-1]) for page in pages]


@dataclass
class Page(HTMLParser):
    data: bytes
    paragraphs: list[Said] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    words: list[tuple[int, int, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    title: str = ""
    inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.data.decode())
        self.close()
        assert not [tag for tag in self.inside if tag != "meta"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.seen.add(tag)
        assert not [name for name in found if name.startswith("on") or name in ("src", "href", "style")]
        if tag == "p" and "class" not in found:
            self.paragraphs.append(Said("", found.get("dir") == "rtl", found.get("lang") or ""))
        if tag == "time":
            self.times.append(float((found["datetime"] or "").removeprefix("PT").removesuffix("S")))
        if tag == "span":
            self.words.append((int(found["data-start"] or ""), int(found["data-end"] or ""), ""))
        if tag != "meta":
            self.inside.append(f"{tag}.{found.get('class') or ''}")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop().startswith(f"{tag}.")

    def handle_data(self, data: str) -> None:
        if "p." in self.inside:
            self.paragraphs[-1].text += data
        if "span." in self.inside:
            self.words[-1] = (*self.words[-1][:2], self.words[-1][2] + data)
        if "title." in self.inside:
            self.title += data


@dataclass
class Shown:
    start_ms: int
    end_ms: int
    payload: str
    """As FFmpeg gives it."""
    text: str


def captions(extension: str, data: bytes) -> list[Shown]:
    """As FFmpeg finds them; it opens no file without any."""
    if not data.replace(b"WEBVTT", b"").strip():
        return []
    with av.open(io.BytesIO(data), format={"srt": "srt", "vtt": "webvtt"}[extension]) as container:
        found = [packet for packet in container.demux(container.streams[0]) if packet.size]
        assert all(packet.time_base == container.streams[0].time_base for packet in found)
        shown = [(packet.pts, packet.pts + packet.duration, bytes(packet).decode()) for packet in found]
    bare = unmarked if extension == "vtt" else unparted
    return [Shown(start, end, payload, bare(payload)) for start, end, payload in shown]


def unmarked(payload: str) -> str:
    return plain_html.unescape(re.sub("<[^>]*>", "", payload))


def unparted(payload: str) -> str:
    return payload.replace("\u2060", "")


def table(data: bytes) -> list[dict[str, str]]:
    return list(plain_csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True))


# --- the same words ------------------------------------------------------------------------------------------


def documents(transcript: Transcript) -> Iterator[tuple[str, str]]:
    """What each document says, by extension, spaces aside; PDF apart."""
    yield "txt", written("txt", transcript).decode()
    yield "docx", "".join(said.text for said in word_document(written("docx", transcript)))
    for paragraphs in (True, False):
        for words in (True, False):
            page = Page(written("html", transcript, paragraphs=paragraphs, words=words))
            yield "html", "".join(said.text for said in page.paragraphs)
    for words in (True, False):
        rows = table(written("csv", transcript, words=words))
        yield "csv", "".join(uncelled(row["word" if words else "text"]) for row in rows)
        yield "vtt", "".join(cue.text for cue in captions("vtt", written("vtt", transcript, words=words)))
    yield "srt", "".join(cue.text for cue in captions("srt", written("srt", transcript)))
    yield (
        "json",
        "".join(text.plain(said["text"]) for said in plain_json.loads(written("json", transcript))["segments"]),
    )


def uncelled(cell: str) -> str:
    """Without the mark that keeps a cell from being calculated."""
    assert not re.match(r"\s*[=+\-@|%]", cell)
    return cell.removeprefix("'")


@pytest.mark.parametrize("transcript", SAMPLES.values(), ids=SAMPLES)
def test_every_format_says_what_was_said(transcript: Transcript) -> None:
    found = {(extension, letters(said)) for extension, said in documents(transcript)}
    assert found == {(extension, spoken_letters(transcript)) for extension in FORMATS if extension not in ("pdf", "md")}


@settings(max_examples=60, deadline=None)
@given(transcripts())
def test_every_format_says_whatever_is_said(transcript: Transcript) -> None:
    for extension, said in documents(transcript):
        if extension not in ("srt", "vtt"):  # FFmpeg drops cues by rules of its own; test_caption_files reads those
            assert letters(said) == spoken_letters(transcript), extension


@pytest.mark.parametrize("name", ["talk", "hostile", "empty", "long word"])
def test_a_pdf_says_what_was_said(name: str) -> None:
    transcript = SAMPLES[name]
    assert letters("".join(pdf_pages(written("pdf", transcript)))) == spoken_letters(transcript)


def test_a_pdf_has_the_letters_of_every_language_that_can_be_asked_for() -> None:
    said = "\n".join(pdf_pages(written("pdf", LANGUAGES, paragraphs=False)))
    said = said.replace("\b", "")  # how pypdf shows a vowel sign that is set before its letter
    assert "\ufffd" not in said
    for segment in LANGUAGES.segments:
        # pypdf gives a line of Arabic or Hebrew word by word from the left
        whole = segment.text.split() if segment.language in ("ar", "he") else [segment.text]
        assert all(letters(part.strip(".,،؟")) in letters(said) for part in whole)


def test_a_pdf_counts_what_its_fonts_lack_and_logs_none_of_it(caplog: pytest.LogCaptureFixture) -> None:
    said = "A smile \U0001f600, বাংলা, joined\u200d and\ufe0f soft\u00adly. {nb} pages"
    [page] = pdf_pages(written("pdf", Transcript((Segment("1", 0, 9, said),))))
    assert "A smile \ufffd, \ufffd\ufffd\ufffd\ufffd\ufffd, joined" in page
    assert "{nb} pages" in page
    assert "6 characters are shown as \ufffd" in page.replace("\n", " ")
    assert not [record for record in caplog.records if record.levelname != "DEBUG" and record.name.startswith("fpdf")]
    [page] = pdf_pages(written("pdf", Transcript((Segment("1", 0, 9, "\U0001f600"),))))
    assert "1 character is shown" in page


def test_a_pdf_of_nothing_but_a_place_to_break_is_one_all_the_same() -> None:
    pages = pdf_pages(written("pdf", Transcript((Segment("1", 0, 9, "\u00ad"),))))
    assert "".join(pages).strip() == ""


@pytest.mark.timeout(60)  # fpdf's own breaking takes minutes
@pytest.mark.parametrize("said", ["e" + "\u0301" * 10_000, "مرحبا" * 2000, "ทดสอบ" * 2000], ids=["marks", "ar", "th"])
def test_a_pdf_takes_words_of_ten_thousand_letters(said: str) -> None:
    pages = pdf_pages(written("pdf", Transcript((Segment("1", 0, 9, said),) * 3)))
    assert len(pages) > 1


def test_a_pdf_breaks_a_long_line_of_japanese_inside_the_page() -> None:
    [page] = pdf_pages(written("pdf", Transcript((Segment("1", 0, 9, "長い文章です。" * 40),))))
    lines = page.splitlines()
    assert len(lines) > 3
    assert all(len(line) < 46 and line[0] != "。" for line in lines)
    assert "\u200b" not in page


# --- the same times ------------------------------------------------------------------------------------------


def test_times_of_paragraphs_are_those_of_their_first_words() -> None:
    chosen = {"times": True, "paragraphs": False}
    starts = [segment.start_ms for segment in TALK.segments]
    assert Page(written("html", TALK, **chosen)).times == [start / 1000 for start in starts]
    shown = [clock(start) for start in starts]
    assert [said.text for said in word_document(written("docx", TALK, **chosen))][::2] == shown
    lines = "\n".join(pdf_pages(written("pdf", TALK, **chosen))).splitlines()
    assert [line for line in lines if re.fullmatch(r"[0-9:]+", line)] == shown
    assert re.findall(r"^\[([0-9:]+)\] ", written("txt", TALK, **chosen).decode(), re.MULTILINE) == shown
    assert re.findall(r"^([0-9:]+)$", written("md", TALK, **chosen).decode(), re.MULTILINE) == shown
    gathered = Page(written("html", TALK, times=True)).times
    assert gathered == [0.48, 9.0, 10.5, 24.0, 26.0, 3605.0]


def test_each_word_has_its_own_time_where_the_format_has_a_place_for_it() -> None:
    heard = [(word.start_ms, word.end_ms, word.text) for segment in TALK.segments[:4] for word in segment.words]
    rows = table(written("csv", TALK, words=True))
    assert [(parse(row["start"]), parse(row["end"]), row["word"]) for row in rows][: len(heard)] == heard
    assert Page(written("html", TALK, words=True)).words[: len(heard)] == heard
    stamped = "".join(cue.payload for cue in captions("vtt", written("vtt", TALK, words=True)))
    stamps = {parse(found) for found in re.findall("<([0-9:.]+)>", stamped)}
    first_of_cues = {cue.start_ms for cue in captions("vtt", written("vtt", TALK))}
    assert {start for start, _, _ in heard} - first_of_cues <= stamps
    [*segments] = plain_json.loads(written("json", TALK))["segments"]
    assert [(w["start_ms"], w["end_ms"], w["text"]) for said in segments[:4] for w in said["words"]] == heard


def test_words_without_spaces_keep_their_times() -> None:
    words = tuple(Word(said, at * 500, at * 500 + 400) for at, said in enumerate(["今日", "は", "、", "晴れ", "。"]))
    said = Transcript((Segment("1", 0, 9000, "今日は、晴れ。", words),))
    expected = [(0, 400, "今日"), (500, 1400, "は、"), (1500, 2400, "晴れ。")]
    assert Page(written("html", said, words=True)).words == expected
    assert [(parse(row["start"]), row["word"]) for row in table(written("csv", said, words=True))] == [
        (start, word) for start, _, word in expected
    ]
    assert "".join(p.text for p in Page(written("html", said, words=True)).paragraphs) == "今日は、晴れ。"
    joined = Segment("1", 0, 900, "well known", (Word("well known", 0, 900),))
    assert [row["word"] for row in table(written("csv", Transcript((joined,)), words=True))] == ["well", "known"]


def test_stamps_in_a_cue_grow_and_stay_inside_it() -> None:
    back = tuple(Word(str(at), 3000 - at * 900, 4000) for at in range(4))
    transcript = Transcript((Segment("1", 0, 4000, "0 1 2 3", back), spoken("2", 4500, "and so it goes")))
    for cue in captions("vtt", written("vtt", transcript, words=True)):
        stamps = [cue.start_ms, *(parse(found) or 0 for found in re.findall("<([0-9:.]+)>", cue.payload)), cue.end_ms]
        assert all(sooner < later for sooner, later in pairwise(stamps))


def check_captions(transcript: Transcript, extension: str, rules: CaptionRules) -> None:
    """Every cue begins with its first word, none overlaps the next, none is larger than asked."""
    starts = [
        word.start_ms
        for segment in transcript.segments
        for word in segment.words
        for _ in letters(text.plain(word.text))
    ]
    cues = captions(extension, written(extension, transcript, captions=rules))
    at = 0
    for cue in cues:
        assert cue.start_ms == starts[at]
        assert len(cue.payload.splitlines()) <= rules.lines
        assert all(len(line) <= rules.line_columns for line in cue.text.splitlines())
        at += len(letters(cue.text))
    assert at == len(starts)
    assert all(sooner.end_ms <= later.start_ms for sooner, later in pairwise(cues))


# --- real speech ---------------------------------------------------------------------------------------------


def clips(folder: Path) -> Iterator[tuple[str, Transcript]]:
    """Each public clip as its reference says: its sentences as segments, its words spread over its time."""
    for clip in plain_json.loads((folder / "manifest.json").read_text()):
        sentences = re.split(r"(?<=[.!?;,]) ", clip["reference"]) if clip["reference"] else []
        total, length = len(clip["reference"].split()) or 1, int(clip["seconds"] * 1000)
        segments, done = [], 0
        for number, sentence in enumerate(sentences, 1):
            said = sentence.split()
            words = tuple(
                Word(word, (done + at) * length // total, (done + at + 1) * length // total)
                for at, word in enumerate(said)
            )
            done += len(said)
            speaker = "AB"[number % 2] if clip.get("speakers", 1) != 1 else "A"
            segments.append(Segment(str(number), words[0].start_ms, words[-1].end_ms, sentence, words, speaker))
        yield clip["file"], Transcript(tuple(segments), clip.get("language"), length)


def test_every_export_of_every_public_clip_has_its_words_and_times(speech_clips: Path) -> None:
    names = []
    for name, transcript in clips(speech_clips):
        names.append(name)
        expected = spoken_letters(transcript)
        for extension, said in documents(transcript):
            assert letters(said) == expected, (name, extension)
        assert letters("".join(pdf_pages(written("pdf", transcript)))) == expected, name
        for rules in (CaptionRules(), CaptionRules(line_columns=32, lines=1)):
            check_captions(transcript, "srt", rules)
            check_captions(transcript, "vtt", rules)
        heard = [(word.start_ms, word.end_ms, word.text) for segment in transcript.segments for word in segment.words]
        assert Page(written("html", transcript, words=True)).words == heard
        rows = table(written("csv", transcript, words=True))
        assert [(parse(row["start"]), parse(row["end"]), uncelled(row["word"])) for row in rows] == heard
        assert not list(SCHEMA.iter_errors(plain_json.loads(written("json", transcript))))
    assert len(names) >= 10


# --- nothing but text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transcript", SAMPLES.values(), ids=SAMPLES)
def test_json_keeps_to_its_schema(transcript: Transcript) -> None:
    content = plain_json.loads(written("json", transcript, names={"A": "Anna"}))
    assert not list(SCHEMA.iter_errors(content))
    for broken in ({**content, "version": 2}, {**content, "segments": [{}]}, {**content, "duration_ms": -1}):
        assert list(SCHEMA.iter_errors(broken))


@settings(max_examples=60, deadline=None)
@given(transcripts())
def test_json_keeps_to_its_schema_whatever_is_said(transcript: Transcript) -> None:
    assert not list(SCHEMA.iter_errors(plain_json.loads(written("json", transcript))))


def test_a_page_holds_nothing_that_runs_or_is_fetched() -> None:
    data = FORMATS["html"].write(HOSTILE, Options(title="</title><script>x</script>", about="<img src=x>", words=True))
    page = Page(data)
    known = "html head meta title style body main h1 p b bdi span"
    assert page.seen <= set(known.split())
    assert page.title == "</title><script>x</script>"
    assert b"default-src 'none'" in data
    assert b"://" not in data


def test_a_page_says_its_languages_and_directions() -> None:
    page = Page(written("html", LANGUAGES, paragraphs=False))
    assert [said.is_rtl for said in page.paragraphs] == [s.language in ("ar", "he") for s in LANGUAGES.segments]
    assert [said.language for said in page.paragraphs][1:] == [s.language for s in LANGUAGES.segments][1:]
    assert written("html", LANGUAGES).splitlines()[1] == b'<html lang="en" dir="ltr">'
    by = FORMATS["html"].write(LANGUAGES, Options(paragraphs=False)).decode().split('<p class="by" dir="')[1:]
    assert [one[:3] for one in by] == ["rtl" if said.is_rtl else "ltr" for said in page.paragraphs]
    arabic = Transcript((Segment("1", 0, 9, "(123) مرحبا", language='ar" onload="x'),), "ar")
    assert written("html", arabic).splitlines()[1] == b'<html lang="ar" dir="rtl">'
    assert b"onload" not in written("html", arabic)


def test_a_word_document_says_its_languages_and_directions() -> None:
    data = written("docx", LANGUAGES, paragraphs=False, speakers=True, names={"B": "ענת"}, title="שלום", about="Today")
    said = word_document(data)
    title, about, *rest = said
    assert (title.text, title.is_rtl, about.text) == ("שלום", True, "Today")
    paragraphs = [paragraph for paragraph in rest if paragraph.text not in ("A", "ענת")]
    assert [one.is_rtl for one in paragraphs] == [s.language in ("ar", "he") for s in LANGUAGES.segments]
    assert [one.language for one in paragraphs] == [s.language for s in LANGUAGES.segments]
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert not [name for name in package.namelist() if "macro" in name.lower() or name.endswith(".bin")]
        assert "python-docx" not in package.read("docProps/core.xml").decode()


def test_what_xml_cannot_hold_is_replaced() -> None:
    [said] = word_document(written("docx", Transcript((Segment("1", 0, 9, "a\ufffe b\uffff c\x0b d\x00 e\ud800"),))))
    assert said.text == "a\ufffd b\ufffd c d\ufffd e\ufffd"


def test_documents_do_not_tell_when_they_were_made() -> None:
    """Else the same record, taken away twice, would be two files to whoever compares them."""
    with zipfile.ZipFile(io.BytesIO(written("docx", TALK))) as archive:
        assert archive.testzip() is None
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    about = pypdf.PdfReader(io.BytesIO(written("pdf", TALK))).metadata
    assert about is not None
    assert about.creation_date == datetime(1970, 1, 1, tzinfo=UTC)


def test_documents_have_the_title_and_the_names_people_gave() -> None:
    options = Options(
        title="The budget", about="29 November 2026 · 1:00:10", names={"A": "Anna", "B": "Bo"}, times=True
    )
    [*said] = word_document(FORMATS["docx"].write(TALK, options))
    assert [one.text for one in said][:3] == ["The budget", "29 November 2026 · 1:00:10", "Anna 0:00"]
    pages = pdf_pages(FORMATS["pdf"].write(TALK, options))
    assert pages[0].splitlines()[:3] == ["The budget", "29 November 2026 · 1:00:10", "Anna 0:00"]
    page = FORMATS["html"].write(TALK, options).decode()
    for shown in ('<h1 dir="auto">The budget</h1>', "<bdi>Anna</bdi>", "29 November 2026 · 1:00:10"):
        assert shown in page


@pytest.mark.parametrize("extension", [ext for ext, form in FORMATS.items() if form.pour])
@pytest.mark.parametrize("transcript", SAMPLES.values(), ids=SAMPLES)
def test_what_is_poured_is_what_is_written(extension: str, transcript: Transcript) -> None:
    pour = FORMATS[extension].pour
    assert pour
    for options in (Options(), Options(words=True, captions=CaptionRules(line_columns=20, lines=1))):
        assert b"".join(pour(iter(transcript.segments), options, transcript.duration_ms)) == FORMATS[extension].write(
            transcript, options
        )


@pytest.mark.parametrize("extension", [ext for ext, form in FORMATS.items() if form.pour])
def test_captions_are_poured_while_segments_still_come(extension: str) -> None:
    asked = 0

    def endless() -> Iterator[Segment]:
        nonlocal asked
        for asked in range(10**9):
            yield spoken(str(asked), asked * 5000, "One sentence, and another.")

    pour = FORMATS[extension].pour
    assert pour
    pieces = pour(endless(), Options())
    for _ in range(1000):
        next(pieces)
    assert asked < 1010
