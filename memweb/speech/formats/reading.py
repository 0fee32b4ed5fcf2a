"""What readers of text formats share: bytes of unknown encoding, and cues into segments."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from typing import NamedTuple

from memweb.speech import text
from memweb.speech.transcript import Segment, Transcript


class ReadCue(NamedTuple):
    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


def decode(data: bytes) -> str:
    """UTF-8 or UTF-16 by its mark, else UTF-8, else the Windows code page old caption files are in. Never raises."""
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return text.clean(data.decode("utf-16", "replace"))
    try:
        return text.clean(data.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError:
        return text.clean(data.decode("cp1252", "replace"))


def transcript(cues: Iterable[ReadCue]) -> Transcript:
    """One segment per cue that says something, in order of start, keys counted from 1."""
    said = sorted((cue for cue in cues if cue.text), key=lambda cue: cue.start_ms)
    return Transcript(
        tuple(
            Segment(str(number), cue.start_ms, max(cue.start_ms, cue.end_ms), cue.text, speaker=cue.speaker)
            for number, cue in enumerate(said, 1)
        )
    )
