"""WebSocket by hand, for what a library would not send."""

from __future__ import annotations

import os
import socket
import struct
from typing import Self

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str, *headers: str) -> bytes:
    """The bytes of an opening handshake."""
    lines = [
        f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", *headers, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, length: int | None = None
) -> bytes:
    """One client frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    mask = os.urandom(4) if masked else b""
    if size < 126:
        head = struct.pack("!BB", fin << 7 | opcode, (masked << 7) | size)
    elif size < 65536:
        head = struct.pack("!BBH", fin << 7 | opcode, (masked << 7) | 126, size)
    else:
        head = struct.pack("!BBQ", fin << 7 | opcode, (masked << 7) | 127, size)
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if masked else payload
    return head + mask + body


class Raw:
    """A TCP connection with a deadline on everything."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open(self, path: str, *headers: str) -> str:
        """Shake hands; the head of the answer. Reads not a byte more."""
        self.socket.sendall(handshake(path, *headers))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            head += byte
        return head.decode("latin-1")

    def status(self, path: str, *headers: str) -> int:
        return int(self.open(path, *headers).split(" ", 2)[1])

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        parts = []
        try:
            while data := self.socket.recv(65536):
                parts.append(data)
        except ConnectionResetError:
            parts.append(b"")
        return b"".join(parts)

    def close_code(self) -> int | None:
        """The code of the server's close frame, skipping what comes before; None without one."""
        data = self.rest()
        while len(data) >= 2:
            opcode, size, at = data[0] & 15, data[1] & 127, 2
            if size == 126:
                size, at = struct.unpack("!H", data[2:4])[0], 4
            elif size == 127:
                size, at = struct.unpack("!Q", data[2:10])[0], 10
            if opcode == 8:
                return int(struct.unpack("!H", data[at : at + 2])[0]) if size else 1005
            data = data[at + size :]
        return None
