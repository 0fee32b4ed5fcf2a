"""Markdown (CommonMark): paragraphs under their speakers. Nothing said can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memweb.speech import text
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import clock
from memweb.speech.transcript import Transcript

_SPECIAL = re.compile(r"[\\`*_\[\]<>&~|#$]")
_LEADING = re.compile(r"^([-+=]|[0-9]{1,9}(?=[.)]))")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return "\n\n".join(_blocks(transcript, options)).encode() + b"\n"


def _blocks(transcript: Transcript, options: Options) -> Iterator[str]:
    title = text.plain(options.title)
    if title:
        yield f"# {_escaped(title)}"
    before = ""
    for paragraph in text.paragraphs(transcript.segments):
        speaker = options.speaker(paragraph.speaker)
        heading = [f"**{_escaped(speaker)}**"] if speaker and speaker != before else []
        heading += [clock(paragraph.start_ms)] if options.times else []
        if heading:
            yield " ".join(heading)
        yield _escaped(text.plain(paragraph.text))
        before = speaker


def _escaped(said: str) -> str:
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], said)
    return _LEADING.sub(lambda found: "\\" + found[0] if not found[0].isdigit() else found[0] + "\\", escaped)
