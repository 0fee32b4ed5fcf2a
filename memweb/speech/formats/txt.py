"""Plain text, to be read: paragraphs, with speakers and times where wanted."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator

from memweb.speech import text
from memweb.speech.formats import reading
from memweb.speech.formats.errors import Unreadable
from memweb.speech.formats.layout import LIST, Heading, notes, parts
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.transcript import Segment, Transcript

_BLANK = re.compile(r"\n[ \t]*\n\s*")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return "\n\n".join(_blocks(transcript, options)).encode() + b"\n"


def read(data: bytes) -> Transcript:
    """A segment, without a time, for each paragraph: what blank lines part, else each line.

    Raises Unreadable for bytes that are no text.
    """
    if b"\0" in data and not data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise Unreadable("This is not a text file.")
    content = reading.decode(data).strip()
    parts = _BLANK.split(content)
    said = [text.line(part) for part in (parts if len(parts) > 1 else content.split("\n"))]
    return Transcript(
        tuple(Segment(str(number), 0, 0, part, opens=True) for number, part in enumerate(filter(None, said), 1))
    )


def _blocks(transcript: Transcript, options: Options) -> Iterator[str]:
    title = text.plain(options.title)
    if title:
        yield title
    for part in parts(transcript, options):
        time = f"[{part.time}] " if part.time else ""
        if isinstance(part, Heading):
            yield f"== {time}{part.title} =="
        else:
            yield time + (f"{part.speaker}: " if part.speaker else "") + part.text
    listed = notes(transcript, options)
    if listed:
        yield f"== {LIST} =="
        yield "\n".join(f"[{note.time}] {note.text}" for note in listed)
