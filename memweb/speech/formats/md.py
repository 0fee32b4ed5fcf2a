"""Markdown (CommonMark): paragraphs under their speakers and chapters. Nothing said can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memweb.speech import text
from memweb.speech.formats.layout import LIST, Heading, notes, parts
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.transcript import Transcript

_SPECIAL = re.compile(r"[\\`*_\[\]<>&~|#$]")
_LEADING = re.compile(r"^([-+=]|[0-9]{1,9}(?=[.)]))")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return "\n\n".join(_blocks(transcript, options)).encode() + b"\n"


def _blocks(transcript: Transcript, options: Options) -> Iterator[str]:
    title = text.plain(options.title)
    if title:
        yield f"# {_escaped(title)}"
    for part in parts(transcript, options):
        if isinstance(part, Heading):
            yield f"## {' · '.join(filter(None, (_escaped(part.title), part.time)))}"
            continue
        heading = [f"**{_escaped(part.speaker)}**"] if part.speaker else []
        heading += [part.time] if part.time else []
        if heading:
            yield " ".join(heading)
        yield _escaped(part.text)
    listed = notes(transcript, options)
    if listed:
        yield f"## {LIST}"
        yield "\n".join(f"- {note.time} {_escaped(note.text)}" for note in listed)


def _escaped(said: str) -> str:
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], said)
    return _LEADING.sub(lambda found: "\\" + found[0] if not found[0].isdigit() else found[0] + "\\", escaped)
