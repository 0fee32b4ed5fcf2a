"""Transcript in, bytes out, by file extension; and back where a format can be read.

No format knows where a transcript is kept. Writers take a Transcript and Options; readers raise Unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from memweb.speech.formats import csv, json, md, srt, txt, vtt
from memweb.speech.formats.errors import FormatError, Unreadable
from memweb.speech.formats.options import CaptionRules, Options
from memweb.speech.transcript import Transcript

__all__ = ["FORMATS", "CaptionRules", "Format", "FormatError", "Options", "Unreadable"]


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """For a menu."""
    media_type: str
    write: Callable[[Transcript, Options], bytes]
    read: Callable[[bytes], Transcript] | None = None


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "txt": Format("Plain text", "text/plain; charset=utf-8", txt.write),
        "md": Format("Markdown", "text/markdown; charset=utf-8", md.write),
        "srt": Format("SRT captions", "application/x-subrip; charset=utf-8", srt.write, srt.read),
        "vtt": Format("WebVTT captions", "text/vtt; charset=utf-8", vtt.write, vtt.read),
        "json": Format("JSON", "application/json", json.write, json.read),
        "csv": Format("CSV table", "text/csv; charset=utf-8", csv.write),
    }
)
"""By extension, without its point, in the order of a menu."""
