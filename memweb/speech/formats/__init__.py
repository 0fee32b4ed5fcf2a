"""Transcript in, bytes out, by file extension; and back where a format can be read.

No format knows where a transcript is kept. Writers take a Transcript and Options; readers raise Unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from memweb.speech.formats import csv, html, json, md, srt, txt, vtt
from memweb.speech.formats.errors import FormatError, Unreadable
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.transcript import Segment, Transcript

__all__ = ["FORMATS", "CaptionRules", "Format", "FormatError", "Options", "Unreadable"]


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """For a menu."""
    media_type: str
    write: Callable[[Transcript, Options], bytes]
    read: Callable[[bytes], Transcript] | None = None
    is_text: bool = True
    pour: Callable[[Iterable[Segment], Options, int | None], Iterator[bytes]] | None = None
    """The same bytes as `write`, piece by piece as segments come: for any length; that of the recording, if known."""


def _docx(transcript: Transcript, options: Options) -> bytes:
    from memweb.speech.formats import docx  # its libraries are large, and most processes never write one

    return docx.write(transcript, options)


def _pdf(transcript: Transcript, options: Options) -> bytes:
    from memweb.speech.formats import pdf  # likewise

    return pdf.write(transcript, options)


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "docx": Format("Word document", _WORD, _docx, is_text=False),
        "pdf": Format("PDF", "application/pdf", _pdf, is_text=False),
        "txt": Format("Plain text", "text/plain; charset=utf-8", txt.write, txt.read),
        "md": Format("Markdown", "text/markdown; charset=utf-8", md.write),
        "html": Format("Web page", "text/html; charset=utf-8", html.write),
        "srt": Format("SRT captions", "application/x-subrip; charset=utf-8", srt.write, srt.read, pour=srt.pour),
        "vtt": Format("WebVTT captions", "text/vtt; charset=utf-8", vtt.write, vtt.read, pour=vtt.pour),
        "csv": Format("CSV table", "text/csv; charset=utf-8", csv.write),
        "json": Format("JSON", "application/json", json.write, json.read),
    }
)
"""By extension, without its point, in the order of a menu."""
