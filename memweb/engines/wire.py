"""The words between a process and its engine workers: length-prefixed frames of a JSON head and raw bytes.

One frame is two little-endian u32 (head length, body length), the head as UTF-8 JSON, then the body, which is s16le
16 kHz mono PCM where there is any. The same frames go both ways.
"""

from __future__ import annotations

import json
import select
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from asyncio import StreamReader  # not loaded: a decoder starts for every file, and has no event loop

_LENGTHS = struct.Struct("<II")
MAX_HEAD = 1 << 20
MAX_BODY = 1 << 26

Head = dict[str, Any]
Frame = tuple[Head, bytes]


def pack(head: Head, body: bytes = b"") -> bytes:
    """Return one frame ready to be written."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((_LENGTHS.pack(len(text), len(body)), text, body))


def read(stream: BinaryIO) -> Frame | None:
    """Read one frame from a blocking binary stream; None at its end, also when it ends inside a frame."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_size, body_size = _sizes(lengths)
    data = stream.read(head_size + body_size)
    if len(data) < head_size + body_size:
        return None
    return json.loads(data[:head_size]), data[head_size:]


def comes(stream: BinaryIO, seconds: float) -> bool:
    """Whether something of the stream, or its end, comes within this time. Blocking."""
    if not hasattr(select, "poll"):
        return bool(select.select([stream], [], [], seconds)[0])
    poll = select.poll()  # which, unlike select, knows a process's thousandth descriptor as well
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


async def receive(reader: StreamReader) -> Frame | None:
    """Read one frame from an asyncio stream; None at its end."""
    try:
        head_size, body_size = _sizes(await reader.readexactly(_LENGTHS.size))
        head = await reader.readexactly(head_size)
        body = await reader.readexactly(body_size) if body_size else b""
    except (EOFError, ConnectionError):
        return None
    return json.loads(head), body


def _sizes(lengths: bytes) -> tuple[int, int]:
    head_size, body_size = _LENGTHS.unpack(lengths)
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise ValueError(f"A frame of {head_size} + {body_size} bytes is larger than any that is ever sent.")
    return head_size, body_size
