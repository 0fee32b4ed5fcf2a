"""WebVTT captions, with the speaker as the cue's voice and, if wanted, the time of each word."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from memweb.speech import text
from memweb.speech.formats import reading
from memweb.speech.formats.captions import Cue, flow
from memweb.speech.formats.errors import Unreadable
from memweb.speech.formats.layout import UNTITLED
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import parse, stamp
from memweb.speech.transcript import Segment, Transcript

_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_TIMING = re.compile(r"\s*([0-9:.,]+)\s*-->\s*([0-9:.,]+)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]*)>")
_TAG = re.compile(r"<[^>]*>?")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return b"".join(pour(transcript.segments, options, transcript.duration_ms))


def pour(segments: Iterable[Segment], options: Options = DEFAULT, length_ms: int | None = None) -> Iterator[bytes]:
    """The file piece by piece, as segments come; `length_ms` is the recording's, where it is known."""
    yield b"WEBVTT\n"
    for cue in flow(segments, options, length_ms=length_ms):
        yield f"\n{_block(cue, words=options.words)}".encode()


def chapters(transcript: Transcript) -> bytes:
    """Its chapters as a file of their own, for the menu of a player: each lasts until the next one begins."""
    found = [mark for mark in transcript.marks if mark.is_chapter]
    last = max([transcript.duration_ms or 0, *(segment.end_ms for segment in transcript.segments)])
    made = ["WEBVTT\n"]
    for chapter, end in zip(found, [*(mark.at_ms for mark in found[1:]), last], strict=True):
        title = _escaped(text.plain(chapter.text) or UNTITLED)
        made.append(f"\n{stamp(chapter.at_ms)} --> {stamp(max(end, chapter.at_ms + 1))}\n{title}\n")
    return "".join(made).encode()


def _block(cue: Cue, *, words: bool) -> str:
    voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
    said = "\n".join(_stamped(cue) if words else map(_escaped, cue.lines))
    return f"{stamp(cue.start_ms)} --> {stamp(cue.end_ms)}\n{voice}{said}\n"


def _stamped(cue: Cue) -> Iterator[str]:
    """The lines, with a time before each word that has one after the last and inside the cue."""
    last = cue.start_ms
    for line, starts in zip(cue.lines, cue.starts, strict=True):
        made, done = "", 0
        for at, start in starts:
            if last < start < cue.end_ms:
                made += f"{_escaped(line[done:at])}<{stamp(start)}>"
                last, done = start, at
        yield made + _escaped(line[done:])


def _escaped(said: str) -> str:
    """With these three gone neither a tag, nor an entity, nor the arrow of a timing can be made."""
    return html.escape(said, quote=False)


def read(data: bytes) -> Transcript:
    """Tolerant of settings, styles, regions, notes, identifiers and tags, which are dropped; voices are speakers.

    Raises Unreadable for a file that does not begin as the format asks.
    """
    content = reading.decode(data)
    if not re.match(r"WEBVTT(\s|$)", content):
        raise Unreadable("This is not a WebVTT file: it does not begin with WEBVTT.")
    return reading.transcript(cue for block in _BLANK.split(content) for cue in _cues(block.strip("\n").split("\n")))


def _cues(lines: list[str]) -> Iterator[reading.ReadCue]:
    """The cues of one block: none for a note, several where several voices speak."""
    for at, line in enumerate(lines[:2]):
        match = _TIMING.match(line)
        start, end = (parse(match[1]), parse(match[2])) if match else (None, None)
        if start is not None and end is not None:
            first, *voices = _VOICE.split("\n".join(lines[at + 1 :]))
            yield reading.ReadCue(start, end, _spoken(first))
            for voice, said in zip(voices[::2], voices[1::2], strict=True):
                yield reading.ReadCue(start, end, _spoken(said), text.line(html.unescape(voice)) or None)
            return


def _spoken(said: str) -> str:
    return text.join(html.unescape(_TAG.sub("", line)) for line in said.split("\n"))
