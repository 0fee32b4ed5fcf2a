"""What gateways posted, in words: what each says, and its body fit to be read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from memweb.speech import envelope, text
from memweb.speech.envelope import StreamMessage, StreamStatus, TaskFailed, TaskRows
from transcripts.models import Job

MOST_READ = 200_000
"""Bytes of a body that a page reads, or shows."""
_MOST_INDENTED = 5 * MOST_READ
"""Characters: what lies deep is mostly spaces."""
ENDS = {
    StreamStatus.FAILED: "The stream broke off",
    StreamStatus.STOPPED: "The stream ended",
    StreamStatus.CAPACITY: "The stream ended, the gateway had no place left",
    StreamStatus.BALANCE: "The stream ended, no balance is left",
}
# What turns the words after it around, and what ends a line without being seen to.
_UNSEEN = re.compile("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Said:
    """What a callback says, in a few words."""

    words: str
    failed: bool = False


def said(raw: bytes, job: Job | None) -> Said:
    """What this body says; nothing where it is not understood, which has a reason of its own."""
    match envelope.read_callback(raw):
        case StreamMessage() as message:
            return _of_stream(message)
        case TaskRows(rows=rows):
            what = "Speakers of a file" if job and job.kind == Job.Kind.SPEAKERS else "Words of a file"
            return Said(f"{what}, {len(rows):,} row{'' if len(rows) == 1 else 's'}")
        case TaskFailed(message=message):
            return Said(_with("Failed", message or "the gateway does not say why"), failed=True)
    return Said("")


def _of_stream(message: StreamMessage) -> Said:
    if message.goes_on:
        return Said(_with("Stream, a gap", message.message) if message.is_gap else "Stream, a message")
    known = message.status in set(StreamStatus)
    end = ENDS[StreamStatus(message.status)] if known else f"The stream ended with status {message.status}"
    return Said(_with(end, message.message), failed=message.status != StreamStatus.STOPPED)


def _with(words: str, message: str) -> str:
    return f"{words}: {text.plain(message)}" if message else words


def body(raw: bytes, *, indented: bool) -> str:
    """The beginning of a body as text. What cannot be seen, or would turn other words around, is written out."""
    shown = _beginning(raw)
    if indented:
        shown = _indented(shown)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.clean(shown))


def cut(size: int) -> str:
    """How much of a body is shown, where it is longer than that."""
    return f"{MOST_READ // 1000} kB" if size > MOST_READ else ""


def can_indent(raw: bytes) -> bool:
    """Whether indenting shows the same in another way."""
    shown = _beginning(raw)
    return len(raw) <= MOST_READ and _indented(shown) != shown


def _beginning(raw: bytes) -> str:
    return raw[:MOST_READ].decode("utf-8", "replace")


def _indented(shown: str) -> str:
    """JSON with a line for each thing; anything else, or a part of it, as it is."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(shown)):
            pieces.append(piece)
            size += len(piece)
            if size > _MOST_INDENTED:
                return shown
    except (ValueError, RecursionError):
        return shown
    return "".join(pieces)
