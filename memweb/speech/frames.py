"""The page socket's protocol: numbered audio frames up, JSON messages both ways. Pure.

A frame is a 32-byte header, little endian, and s16le PCM at 16 kHz, one channel:

    0   'MW'      magic
    2   u8        version, 1
    3   u8        flags: 1 = last frame of a stretch (before a pause or the end)
    4   u32       number, from 0, without holes
    8   u16       samples that follow
    10  u16       peak x 65535
    12  u32       0
    16  f64       index of the first sample in the recording (pauses are not in it)
    24  f64       wall clock of the page, epoch milliseconds

A spool file is these frames, one after the other, exactly as they came.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Literal, NamedTuple

RATE = 16_000
SAMPLES_PER_MS = RATE // 1000
HEADER_SIZE = 32
MAX_SAMPLES = RATE  # one second in one frame
MAX_FRAME = HEADER_SIZE + 2 * MAX_SAMPLES
MAX_TEXT = 64 * 1024
LAST_OF_STRETCH = 1

_HEADER = struct.Struct("<2sBBIHHIdd")
_MAGIC = b"MW"
_VERSION = 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class BadFrame(ValueError):
    """These bytes are no frame: its text says what is wrong with them."""


class BadMessage(ValueError):
    """This text is no message of the page: its text says what is wrong with it."""


class FrameHeader(NamedTuple):
    """What a frame says about itself."""

    number: int
    samples: int
    flags: int = 0
    peak: int = 0
    first_sample: float = 0.0
    wall_ms: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return HEADER_SIZE + 2 * self.samples

    @property
    def is_last_of_stretch(self) -> bool:
        return bool(self.flags & LAST_OF_STRETCH)

    @property
    def known_wall_ms(self) -> float | None:
        """`wall_ms`; None where no clock said it, as in a spool that was made again."""
        return self.wall_ms if math.isfinite(self.wall_ms) and self.wall_ms > 0 else None


@dataclass(frozen=True, slots=True)
class Frame:
    """A header and its s16le samples."""

    header: FrameHeader
    pcm: bytes


def parse_header(data: bytes | bytearray | memoryview) -> FrameHeader:
    """The header at the start of `data`. Raises BadFrame."""
    if len(data) < HEADER_SIZE:
        raise BadFrame(f"a header has {HEADER_SIZE} bytes, not {len(data)}")
    magic, version, flags, number, samples, peak, _, first_sample, wall_ms = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise BadFrame("this is not a frame of version 1")
    if not 0 < samples <= MAX_SAMPLES:
        raise BadFrame(f"a frame has 1 to {MAX_SAMPLES} samples, not {samples}")
    return FrameHeader(number, samples, flags, peak, first_sample, wall_ms)


def parse(message: bytes) -> FrameHeader:
    """The header of one whole frame as it came over a socket. Raises BadFrame when its length is not as it says."""
    header = parse_header(message)
    if len(message) != header.size:
        raise BadFrame(f"frame {header.number} says {header.size} bytes and has {len(message)}")
    return header


def build(header: FrameHeader, pcm: bytes) -> bytes:
    """A frame's bytes. Raises BadFrame when the samples are not as many as the header says."""
    if len(pcm) != 2 * header.samples or not 0 < header.samples <= MAX_SAMPLES:
        raise BadFrame(f"frame {header.number}: {header.samples} samples announced, {len(pcm)} bytes given")
    told = (header.flags, header.number, header.samples, header.peak, 0, header.first_sample, header.wall_ms)
    head = _HEADER.pack(_MAGIC, _VERSION, *told)
    return head + pcm


def read(buffer: bytes | bytearray | memoryview) -> tuple[list[Frame], int]:
    """Every whole frame from the start of `buffer`, and how many bytes they take.

    Stops, without an error, where a frame is cut off or broken: what lies behind that is a torn tail.
    """
    view = memoryview(buffer)
    frames: list[Frame] = []
    at = 0
    while at + HEADER_SIZE <= len(view):
        try:
            header = parse_header(view[at : at + HEADER_SIZE])
        except BadFrame:
            break
        if at + header.size > len(view):
            break
        pcm = bytes(view[at + HEADER_SIZE : at + header.size])
        if is_torn(header, pcm):
            break
        frames.append(Frame(header, pcm))
        at += header.size
    return frames, at


def is_torn(header: FrameHeader, pcm: bytes) -> bool:
    """Whether the samples cannot be what was sent: sound was announced and only zeros are there.

    After a power cut a file may be as long as it should be, with zeros where the last blocks were never written.
    """
    return header.peak > 0 and pcm.count(0) == len(pcm)


# --- page to server -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """The page has a recording to hand over."""

    provider: str = ""
    language: str = ""
    title: str = ""
    started_ms: int = 0
    rate: int = 0
    revision: int = -1
    intent: Literal["record", "upload"] = "record"


@dataclass(frozen=True, slots=True)
class Pause:
    pass


@dataclass(frozen=True, slots=True)
class Continue:
    pass


@dataclass(frozen=True, slots=True)
class Mark:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Undo:
    pass


@dataclass(frozen=True, slots=True)
class Redo:
    pass


@dataclass(frozen=True, slots=True)
class Title:
    title: str


@dataclass(frozen=True, slots=True)
class Language:
    language: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The page made `next` frames; the session may end once all of them are durable."""

    next: int


@dataclass(frozen=True, slots=True)
class Whose:
    """The page holds frames from `first` on, and asks which of them are here."""

    first: int


@dataclass(frozen=True, slots=True)
class Ping:
    pass


Up = Open | Pause | Continue | Mark | Undo | Redo | Title | Language | Finish | Whose | Ping

_BARE: dict[str, Up] = {
    "pause": Pause(),
    "continue": Continue(),
    "undo": Undo(),
    "redo": Redo(),
    "ping": Ping(),
}


def parse_message(text: str) -> Up:
    """A message of the page. Unknown keys are ignored. Raises BadMessage."""
    if len(text) > MAX_TEXT:
        raise BadMessage("too long")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    if not isinstance(data, dict):
        raise BadMessage("not an object")
    kind = data.get("t")
    if not isinstance(kind, str):
        raise BadMessage("no kind")
    if kind in _BARE:
        return _BARE[kind]
    return _with_fields(kind, data)


def _with_fields(kind: str, data: dict[str, Any]) -> Up:
    if kind == "open":
        return _open(data)
    if kind == "mark":
        return Mark(_number(data, "at_ms"))
    if kind == "title":
        return Title(_text(data, "title", 300))
    if kind == "language":
        return Language(_text(data, "language", 16))
    if kind == "finish":
        return Finish(_number(data, "next"))
    if kind == "whose":
        return Whose(_number(data, "from"))
    raise BadMessage("unknown kind")


def _open(data: dict[str, Any]) -> Open:
    return Open(
        provider=_text(data, "provider", 32),
        language=_text(data, "language", 16),
        title=_text(data, "title", 300),
        started_ms=_number(data, "started", 0),
        rate=_number(data, "rate", 0),
        revision=_number(data, "rev", -1),
        intent="upload" if data.get("intent") == "upload" else "record",
    )


def _text(data: dict[str, Any], name: str, limit: int) -> str:
    """Free of what no database stores: NUL and halves of surrogate pairs become U+FFFD."""
    value = data.get(name, "")
    if not isinstance(value, str):
        raise BadMessage(f"{name} is not text")
    return _UNSTORABLE.sub("\ufffd", value[:limit])


def _number(data: dict[str, Any], name: str, default: int | None = None) -> int:
    value = data.get(name, default)
    # A float of a page's clock is welcome; NaN, infinity and booleans are not.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -(2**53) < value < 2**53:
        raise BadMessage(f"{name} is not a number")
    return int(value)


# --- server to page -------------------------------------------------------------------------------


def resume(*, next: int, revision: int, state: str, status: str, wall: float | None = None) -> str:
    """Send frames from `next` on; all before it are durable. First message of each connection, and after a hole.

    `wall` is the wall clock in the header of frame `next - 1`, None where it is not known: by it a page tells its own
    frames from those of another device.
    """
    return _dump({"t": "resume", "next": next, "rev": revision, "state": state, "status": status, "wall": wall})


def ack(*, next: int, safe_ms: int) -> str:
    """All frames before `next` are durable."""
    return f'{{"t":"ack","next":{next},"safe_ms":{safe_ms}}}'


def walls(*, first: int, walls: list[float | None]) -> str:
    """The wall clocks of the durable frames from `first` on, as many as are told: `resume` says what they are for."""
    return _dump({"t": "walls", "from": first, "walls": walls})


def marked(*, at_ms: int) -> str:
    """The marker that a `mark` of the page asked for is in the library."""
    return _dump({"t": "marked", "at_ms": at_ms})


def state(
    *, state: str, transcribed_ms: int, lag_ms: int, cost: str | None = None, engine: str = "", note: str = ""
) -> str:
    """How it goes: see LiveSession for the states."""
    return _dump(
        {
            "t": "state", "state": state, "transcribed_ms": transcribed_ms, "lag_ms": lag_ms,
            "cost": cost, "engine": engine, "note": note,
        }
    )  # fmt: skip


def partial(*, text: str, start_ms: int) -> str:
    """Text that may still change; empty clears it."""
    return f'{{"t":"partial","text":{encode_basestring_ascii(text)},"start_ms":{start_ms}}}'  # ten a second


def html(*, revision: int, html: str) -> str:
    """A fragment with `hx-swap-oob`, which brings the page's log to `revision`."""
    return _dump({"t": "html", "rev": revision, "html": html})


def error(*, code: str, message: str, action: str = "none", fatal: bool = False) -> str:
    """What went wrong, in a sentence with a next step. `action`: retry, settings, sign-in or none."""
    return _dump({"t": "error", "code": code, "message": message, "action": action, "fatal": fatal})


def ended(*, url: str) -> str:
    """The record is whole and lives at `url`."""
    return _dump({"t": "ended", "url": url})


def pong() -> str:
    return '{"t":"pong"}'


_dump = json.JSONEncoder(separators=(",", ":")).encode
