"""A Word document: paragraphs under their speakers and chapters, in their language and direction."""

from __future__ import annotations

import re
from io import BytesIO
from typing import cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as Doc
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from memweb.speech import text
from memweb.speech.formats.layout import LIST, Block, Heading, Note, notes, parts
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.transcript import Transcript

_NOT_XML = re.compile("[\ufffe\uffff]")
_INK, _GREY = RGBColor(0x16, 0x18, 0x1D), RGBColor(0x5A, 0x61, 0x70)
_LOOKS = {"Title": (20, _INK), "Subtitle": (10, _GREY), "Heading 1": (14, _INK)}
"""By style: points and colour. The template's own are large and blue."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}")
_EAST_ASIAN = ("zh", "ja", "ko")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    document = Document()
    _name(document, options)
    _dress(document)
    title, about = _safe(text.plain(options.title)), _safe(text.plain(options.about))
    if title:
        heading = document.add_paragraph(style="Title")
        _say(heading, title, is_rtl=text.is_rtl(title))
        _turn(heading, is_rtl=text.is_rtl(title))
    if about:
        document.add_paragraph(about, style="Subtitle")
    for part in parts(transcript, options):
        if isinstance(part, Heading):
            _head(document, part.title, part.time)
        else:
            _add(document, part)
    listed = notes(transcript, options)
    if listed:
        _head(document, LIST)
    for note in listed:
        _list(document, note)
    return _undated(document)


def _undated(document: Doc) -> bytes:
    """The file, whose bytes depend on what is in it, not on when it was made: an archive dates each of its parts."""
    dated, file = BytesIO(), BytesIO()
    document.save(dated)
    with ZipFile(dated) as parts_of_it, ZipFile(file, "w", ZIP_DEFLATED) as undated:
        for name in parts_of_it.namelist():
            undated.writestr(ZipInfo(name), parts_of_it.read(name), ZIP_DEFLATED)
    return file.getvalue()


def _name(document: Doc, options: Options) -> None:
    """The file's own title; what the template says of its maker goes."""
    properties = document.core_properties
    properties.title = _safe(text.plain(options.title))[:255]
    properties.author = properties.comments = properties.last_modified_by = ""


def _dress(document: Doc) -> None:
    """A4, numbered pages, and headings as quiet as those of the PDF. Whoever gets it can still restyle all of it."""
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(25)
    for name, (points, colour) in _LOOKS.items():
        style = cast(ParagraphStyle, document.styles[name])
        style.font.size, style.font.color.rgb = Pt(points), colour
        style.font.bold = style.font.cs_bold = name != "Subtitle"
        style.font.italic = style.font.cs_italic = False
        for size in style.element.xpath("w:rPr/w:szCs"):  # that of Hebrew and Arabic
            size.set(qn("w:val"), str(2 * points))
        for odd in style.element.xpath("w:pPr/w:pBdr | w:rPr/w:spacing"):  # a line below, letters apart
            odd.getparent().remove(odd)
    number = OxmlElement("w:fldSimple")
    number.set(qn("w:instr"), "PAGE")
    below = section.footer.paragraphs[0]
    below.alignment = WD_ALIGN_PARAGRAPH.CENTER
    below._p.append(number)


def _head(document: Doc, title: str, time: str = "") -> None:
    heading = document.add_paragraph(style="Heading 1")
    is_rtl = text.is_rtl(title)
    _say(heading, _safe(title), is_rtl=is_rtl)
    if time:
        run = heading.add_run(f" {time}")
        run.bold = run.font.cs_bold = False
        run.font.color.rgb = _GREY
    _turn(heading, is_rtl=is_rtl)


def _list(document: Doc, note: Note) -> None:
    is_rtl = text.is_rtl(note.text)
    line = document.add_paragraph(style="List Bullet")
    line.add_run(f"{note.time} ").font.color.rgb = _GREY
    _say(line, _safe(note.text), is_rtl=is_rtl)
    _turn(line, is_rtl=is_rtl)


def _add(document: Doc, block: Block) -> None:
    if block.speaker or block.time:
        heading = document.add_paragraph()
        heading.paragraph_format.keep_with_next = True
        heading.paragraph_format.space_after = Pt(0)
        if block.speaker:
            name = _say(heading, _safe(block.speaker), is_rtl=text.is_rtl(block.speaker))
            name.bold = name.font.cs_bold = True  # Hebrew and Arabic have a weight of their own
        if block.time:
            time = heading.add_run((" " if block.speaker else "") + block.time)
            time.font.color.rgb = _GREY
        _turn(heading, is_rtl=block.is_rtl)
    said = document.add_paragraph()
    _say(said, _safe(block.text), block.language, is_rtl=block.is_rtl)
    _turn(said, is_rtl=block.is_rtl)


def _say(paragraph: Paragraph, said: str, language: str = "", *, is_rtl: bool) -> Run:
    run = paragraph.add_run(said)
    properties = run._r.get_or_add_rPr()
    if is_rtl:
        properties.append(OxmlElement("w:rtl"))
    if _LANGUAGE.fullmatch(language):
        lang = OxmlElement("w:lang")
        kind = "w:bidi" if is_rtl else "w:eastAsia" if language in _EAST_ASIAN else "w:val"
        lang.set(qn(kind), language)
        properties.append(lang)
    return run


def _turn(paragraph: Paragraph, *, is_rtl: bool) -> None:
    """Let it begin at the right where it reads from there."""
    if is_rtl:
        properties = paragraph._p.get_or_add_pPr()
        properties.insert_element_before(
            OxmlElement("w:bidi"), "w:adjustRightInd", "w:snapToGrid", "w:spacing", "w:ind", "w:jc", "w:rPr"
        )


def _safe(said: str) -> str:
    """Two characters that text may hold and XML may not."""
    return _NOT_XML.sub(text.REPLACEMENT, said)
