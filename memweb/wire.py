"""WebSocket frames (RFC 6455) without I/O: bytes in, messages out, for both ends of a connection. No extensions."""

from __future__ import annotations

import os
import struct

try:
    from websockets.speedups import apply_mask
except ImportError as missing:  # pure Python masking costs forty times as much
    raise ImportError(
        "The websockets package came without its C part. Install a wheel of it, or a compiler, and install it again."
    ) from missing

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MOST_FRAGMENTS = 2048
MASKS = 256
SENDABLE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
NO_CODE = 1005
ABNORMAL = 1006
_MEDIUM, _LONG = struct.Struct("!BBH"), struct.Struct("!BBQ")
_masks: list[bytes] = []


class Violation(Exception):
    """The other end broke the protocol. `code` is the close code that says how, the text says what."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


class Reader:
    """What one end hears. `masked`: whether the other end must mask; `limit`: bytes of the longest message taken."""

    __slots__ = ("_at", "_data", "_have", "_length", "_limit", "_masked", "_more", "_opcode", "_parts", "_want")

    def __init__(self, *, masked: bool, limit: int) -> None:
        self._masked, self._limit = masked, limit
        self._data, self._at = b"", 0  # what came and was not taken is _data[_at:],
        self._more: list[bytes] = []  # and this after it, joined once the next frame is whole
        self._have, self._want = 0, 2
        self._opcode, self._length = 0, 0  # of a message that comes in parts
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """These bytes came."""
        if self._have:
            self._more.append(data)
        else:
            self._data, self._at = data, 0
        self._have += len(data)

    def next(self) -> tuple[int, bytes] | None:
        """The next whole message and its opcode, or None until more was fed. Raises Violation."""
        while self._have >= self._want:
            if self._more:
                self._data, self._at = b"".join([self._data[self._at :], *self._more]), 0
                self._more.clear()
            frame = self._frame()
            if frame is not None:
                first, payload = frame
                if first in (0x81, 0x82) and not self._opcode:
                    return first & 0x0F, payload
                message = self._message(first & 0x0F, payload, final=first >= 0x80)
                if message is not None:
                    return message
        return None

    def _frame(self) -> tuple[int, bytes] | None:
        """The frame at `_at`: its first byte and its payload. None, with `_want` raised, where it is not whole."""
        data, at = self._data, self._at
        first, size = data[at], data[at + 1] & 0x7F
        start = 2 + (size > 125) * (2 if size == 126 else 8)
        self._want = start
        if self._have < start:
            return None
        if size > 125:
            size = int.from_bytes(data[at + 2 : at + start], "big")
        if first not in (0x81, 0x82) or size > self._limit or (data[at + 1] >= 0x80) is not self._masked:
            self._check(first, data[at + 1] >= 0x80, size)
        start += 4 * self._masked
        self._want = start + size
        if self._have < self._want:
            return None
        payload = data[at + start : at + start + size]
        if self._masked:
            payload = apply_mask(payload, data[at + start - 4 : at + start])
        self._at = at + self._want
        self._have -= self._want
        self._want = 2
        return first, payload

    def _check(self, first: int, is_masked: bool, size: int) -> None:
        opcode = first & 0x0F
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(1002, "a reserved bit or opcode")
        if is_masked is not self._masked:
            raise Violation(1002, "a frame masked where it must not be, or the other way round")
        if opcode >= CLOSE and (first < 0x80 or size > 125):
            raise Violation(1002, "a control frame in parts, or of more than 125 bytes")
        if size > self._limit:
            raise Violation(1009, f"a message of more than {self._limit} bytes")

    def _message(self, opcode: int, payload: bytes, *, final: bool) -> tuple[int, bytes] | None:
        """The message this frame completes, if it does."""
        if opcode >= CLOSE:
            return opcode, payload
        if (opcode == CONTINUATION) is not bool(self._opcode):
            raise Violation(1002, "a message inside a message, or the continuation of none")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        self._length += len(payload)
        if len(self._parts) > MOST_FRAGMENTS or self._length > self._limit:
            raise Violation(1009, f"a message of more than {self._limit} bytes, or in too many parts")
        if not final:
            return None
        whole = self._opcode, b"".join(self._parts)
        self._opcode, self._length, self._parts = 0, 0, []
        return whole


class Deaf(Reader):
    """Hears nothing any more: what comes after a violation has no meaning."""

    def __init__(self) -> None:
        super().__init__(masked=True, limit=0)

    def feed(self, data: bytes) -> None:
        pass


def text(payload: bytes) -> str:
    """What a text message says. Raises Violation."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(1007, "text that is not UTF-8") from None


def closing(payload: bytes) -> tuple[int, str]:
    """The code and reason of a close frame. Raises Violation."""
    if not payload:
        return NO_CODE, ""
    if len(payload) < 2 or (code := int.from_bytes(payload[:2], "big")) not in SENDABLE_CODES:
        raise Violation(1002, "a close frame without a valid code")
    return code, text(payload[2:])


def frame(opcode: int, payload: bytes, *, masked: bool = False) -> bytes:
    """The bytes of one whole message."""
    size, bit = len(payload), 0x80 * masked
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 65536:
        head = _MEDIUM.pack(0x80 | opcode, bit | 126, size)
    else:
        head = _LONG.pack(0x80 | opcode, bit | 127, size)
    if not masked:
        return head + payload
    if not _masks:  # nobody can foretell one, and asking the kernel each time would cost more than masking does
        drawn = os.urandom(4 * MASKS)
        _masks.extend(drawn[at : at + 4] for at in range(0, len(drawn), 4))
    mask = _masks.pop()
    return head + mask + apply_mask(payload, mask)


def close_frame(code: int, reason: str = "", *, masked: bool = False) -> bytes:
    """A close frame; the reason is cut to what fits."""
    said = reason.encode(errors="replace")[:123].decode(errors="ignore").encode()
    return frame(CLOSE, (b"" if code == NO_CODE else code.to_bytes(2, "big") + said), masked=masked)
