"""Plain text, to be read: paragraphs, with speakers and times where wanted."""

from __future__ import annotations

from collections.abc import Iterator

from memweb.speech import text
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import clock
from memweb.speech.transcript import Transcript


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return "\n\n".join(_blocks(transcript, options)).encode() + b"\n"


def _blocks(transcript: Transcript, options: Options) -> Iterator[str]:
    title = text.plain(options.title)
    if title:
        yield title
    before = ""
    for paragraph in text.paragraphs(transcript.segments):
        time = f"[{clock(paragraph.start_ms)}] " if options.times else ""
        speaker = options.speaker(paragraph.speaker)
        name = f"{speaker}: " if speaker and speaker != before else ""
        yield time + name + text.plain(paragraph.text)
        before = speaker
