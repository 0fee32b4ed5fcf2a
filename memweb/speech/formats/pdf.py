"""A PDF to print, with its fonts inside. What they lack is shown as U+FFFD and counted on the last page.

The fonts come with this package and are read like its code. They have the scripts of every language that can be asked
for; Arabic and Hebrew run from right to left, and letters that change with their neighbours are shaped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import Align, TextDirection, XPos, YPos

from memweb.speech import text
from memweb.speech.formats.captions import pieces
from memweb.speech.formats.layout import LIST, Block, Heading, notes, parts
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.transcript import Transcript

_MAIN, _BOLD = "NotoSans-Regular", "NotoSans-Bold"
_OTHERS = (
    "NotoSansArabic-Regular", "NotoSansHebrew-Regular", "NotoSansDevanagari-Regular", "NotoSansThai-Regular",
    "DroidSansFallbackFull", "NanumSquareR",
)  # fmt: skip
# Scripts whose letters join, move or run from right to left: shaping takes four times as long as plain setting.
_SHAPED = re.compile("[\u0300-\u036f\u0590-\u08ff\u0900-\u0dff\u0e00-\u0eff\ufb1d-\ufdff\ufe70-\ufefc]")
_MARGIN, _LINE, _SIZE = 22.0, 6.2, 11.0
_LONGEST = 200  # letters in a line: marks without end take no room, and much time
_GREY = (90, 97, 112)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # a file's bytes depend on what is in it, not on when it was made


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    sheet = _Sheet(_characters(transcript, options))
    sheet.set_title(sheet.fit(text.plain(options.title)) or "Transcript")
    sheet.set_lang(transcript.language or "")
    sheet.add_page()
    if options.title:
        sheet.say(text.plain(options.title), size=18, bold=True, line=8.5)
    if options.about:
        sheet.say(text.plain(options.about), size=9.5, colour=_GREY)
    for part in parts(transcript, options):
        if isinstance(part, Heading):
            _head(sheet, part.title, part.time)
        else:
            _set(sheet, part)
    listed = notes(transcript, options)
    if listed:
        _head(sheet, LIST)
    for one in listed:
        sheet.part(_LINE / 5, room=_LINE)
        sheet.say(f"{one.time} {one.text}", is_rtl=text.is_rtl(one.text))
    if sheet.lacking:
        sheet.ln(_LINE)
        many = "1 character is" if sheet.lacking == 1 else f"{sheet.lacking:,} characters are"
        note = f"{many} shown as \ufffd: the fonts of this file do not have them. Word and HTML files do."
        sheet.say(note, size=9.5, colour=_GREY)
    return bytes(sheet.output())


def _head(sheet: _Sheet, title: str, time: str = "") -> None:
    """A heading, also in the outline that viewers show beside the pages."""
    sheet.part(_LINE, room=6 * _LINE)
    sheet.start_section(title)
    sheet.say(" · ".join(filter(None, (title, time))), size=14, bold=True, line=7.5)


def _set(sheet: _Sheet, block: Block) -> None:
    heading = " ".join(filter(None, (block.speaker, block.time)))
    sheet.part(_LINE / 2, room=4 * _LINE)
    if heading:
        colour = None if block.speaker else _GREY
        sheet.say(heading, size=9.5, bold=bool(block.speaker), colour=colour, is_rtl=block.is_rtl)
    sheet.say(block.text)


class _Sheet(FPDF):
    """A4, with only the fonts that these characters want."""

    def __init__(self, characters: set[str]) -> None:
        super().__init__(format="A4")
        self.set_creation_date(_EPOCH)
        self.str_alias_nb_pages = ""  # else "{nb}", said by somebody, would become the number of pages
        self.set_margin(_MARGIN)
        self.c_margin = 0.0
        self.set_auto_page_break(auto=True, margin=_MARGIN)
        self.lacking = 0
        self._widths: dict[tuple[str, str, float], float] = {}
        self.add_font("main", "", _path(_MAIN))
        self.add_font("main", "B", _path(_BOLD))
        wanted = _sources(characters)
        for name in wanted:
            self.add_font(name, "", _path(name))
        self.set_fallback_fonts(list(wanted), exact_match=False)
        self._has = frozenset().union(_letters(_MAIN), *map(_letters, wanted))

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("main", size=8)
        self.set_text_color(*_GREY)
        self.set_text_shaping(use_shaping_engine=False)
        self.cell(0, 5, str(self.page_no()), align=Align.C)

    def part(self, gap: float, *, room: float) -> None:
        """A gap before what follows, or a new page: a heading and the first lines below it stay together."""
        if self.will_page_break(room):
            self.add_page()
        elif self.get_y() > _MARGIN:
            self.ln(gap)

    def fit(self, said: str) -> str:
        """With what no font has replaced; what shows nothing by itself is left out."""
        return "".join(filter(None, map(self._fit, said)))

    def _fit(self, character: str) -> str:
        if ord(character) in self._has:
            return character
        if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
            return ""
        self.lacking += 1
        return text.REPLACEMENT

    def say(
        self,
        said: str,
        *,
        size: float = _SIZE,
        bold: bool = False,
        colour: tuple[int, int, int] | None = None,
        line: float = _LINE,
        is_rtl: bool | None = None,
    ) -> None:
        """One paragraph, on the side where its text begins unless told otherwise."""
        fitting = self.fit(said).replace("\u00ad", "")
        self.set_font("main", "B" if bold else "", size)
        self.set_text_color(*(colour or (0, 0, 0)))
        rtl = text.is_rtl(fitting)
        self.set_text_shaping(bool(_SHAPED.search(fitting)), direction=TextDirection.RTL if rtl else TextDirection.LTR)
        align = Align.R if (rtl if is_rtl is None else is_rtl) else Align.L
        for one in self._lines(fitting):
            self.cell(0, line, one, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _lines(self, said: str) -> Iterator[str]:
        """Broken at spaces, between characters of CJK, and inside what is longer than a line.

        fpdf's own breaking measures the whole line again for each letter; this measures each word once.
        """
        line, used, space = "", 0.0, self._wide(" ")
        for word in said.split(" "):
            for at, piece in enumerate(self._fitting(word)):
                gap = space if at == 0 and line else 0.0
                wide = self._wide(piece)
                if line and (used + gap + wide > self.epw or len(line) + len(piece) > _LONGEST):
                    yield line
                    line, used, gap = "", 0.0, 0.0
                line += (" " if gap else "") + piece
                used += gap + wide
        if line:
            yield line

    def _fitting(self, word: str) -> Iterator[str]:
        for piece in pieces(word):
            part, used = "", 0.0
            for letter in piece if len(piece) > _LONGEST or self._wide(piece) > self.epw else (piece,):
                if part and (used + self._wide(letter) > self.epw or len(part) >= _LONGEST):
                    yield part
                    part, used = "", 0.0
                part += letter
                used += self._wide(letter)
            yield part

    def _wide(self, said: str) -> float:
        """Its width in mm, in the font that is set."""
        key = (said, self.font_style, self.font_size_pt)
        if key not in self._widths:
            self._widths[key] = self.get_string_width(said)
        return self._widths[key]


def _characters(transcript: Transcript, options: Options) -> set[str]:
    found = {*options.title, *options.about, *"0123456789"}.union(*(mark.text for mark in transcript.marks))
    for segment in transcript.segments:
        found.update(segment.text)
        found.update(options.speaker(segment.speaker))
    return found


def _sources(characters: set[str]) -> Mapping[str, None]:
    """The fonts, beside the main one, that have what it lacks; in order."""
    lacking = {ord(character) for character in characters} - _letters(_MAIN)
    wanted: dict[str, None] = {}
    for name in _OTHERS:
        if lacking & _letters(name):
            wanted[name] = None
            lacking -= _letters(name)
    return MappingProxyType(wanted)


@cache
def _letters(name: str) -> frozenset[int]:
    with TTFont(_path(name), lazy=True) as font:
        return frozenset(font.getBestCmap())


def _path(name: str) -> str:
    return str(files(__package__) / "fonts" / f"{name}.ttf")
