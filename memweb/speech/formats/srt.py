"""SubRip captions. The format has no escapes: what a player could take for markup is parted by a word joiner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from memweb.speech import text
from memweb.speech.formats import reading
from memweb.speech.formats.captions import Cue, flow
from memweb.speech.formats.errors import Unreadable
from memweb.speech.formats.options import DEFAULT, Options
from memweb.speech.formats.times import parse, stamp
from memweb.speech.transcript import Segment, Transcript

_JOINER = "\u2060"  # takes no room and shows nothing
_RISKY = re.compile(r"<(?=[A-Za-z/])|\{(?=\\)|--(?=>)")
_PARTED = re.compile(rf"(<|\{{|--){_JOINER}")
_MARKUP = re.compile(r"</?(?:[ibus]|font)\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_TIMING = re.compile(r"\s*([0-9:.,]+)\s*-->\s*([0-9:.,]+)")


def write(transcript: Transcript, options: Options = DEFAULT) -> bytes:
    return b"".join(pour(transcript.segments, options, transcript.duration_ms))


def pour(segments: Iterable[Segment], options: Options = DEFAULT, length_ms: int | None = None) -> Iterator[bytes]:
    """The file piece by piece, as segments come; `length_ms` is the recording's, where it is known."""
    for number, cue in enumerate(flow(segments, options, labelled=True, length_ms=length_ms), 1):
        yield (("\n" if number > 1 else "") + _block(number, cue)).encode()


def _block(number: int, cue: Cue) -> str:
    lines = "\n".join(_RISKY.sub(lambda found: found[0] + _JOINER, line) for line in cue.lines)
    return f"{number}\n{stamp(cue.start_ms, ',')} --> {stamp(cue.end_ms, ',')}\n{lines}\n"


def read(data: bytes) -> Transcript:
    """Tolerant: numbers may be missing or wrong, blank lines too many or too few, times with points, styles dropped.

    Raises Unreadable for a file without a single caption.
    """
    content = reading.decode(data)
    found = list(_cues(content.split("\n")))
    if not found and content.strip():
        raise Unreadable("This is not an SRT file: it has no line such as 00:00:01,000 --> 00:00:02,000.")
    return reading.transcript(found)


def _cues(lines: list[str]) -> Iterator[reading.ReadCue]:
    times: tuple[int, int] | None = None
    said: list[str] = []
    for line in [*lines, None]:
        following = _timing(line) if line is not None else None
        if line is not None and not following:
            said.append(line)
            continue
        if times:
            yield reading.ReadCue(*times, _spoken(said[:-1] if following and _is_number(said) else said))
        times, said = following, []


def _is_number(said: list[str]) -> bool:
    """Whether the last line before a timing is that cue's number, and not the last thing said."""
    return len(said) > 1 and said[-1].strip().isdigit()


def _timing(line: str) -> tuple[int, int] | None:
    match = _TIMING.match(line)
    start, end = (parse(match[1]), parse(match[2])) if match else (None, None)
    return None if start is None or end is None else (start, end)


def _spoken(lines: list[str]) -> str:
    bare = (_PARTED.sub(r"\1", _MARKUP.sub("", line)) for line in lines)
    return text.join(bare)
