"""Files given out whole or in one range, piece by piece, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

_PIECE = 64 * 1024


def answer(request: HttpRequest, file: BinaryIO, size: int, headers: dict[str, str]) -> HttpResponseBase:
    """The file: whole, or the one range asked for (206), or 416 where there is nothing of it. Closes it.

    `headers` has the ETag; Accept-Ranges and the lengths are added.
    """
    headers = headers | {"Accept-Ranges": "bytes"}
    asked = request.headers.get("Range", "")
    if request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
        asked = ""  # what the client has is of another file: it needs all of this one
    try:
        found = range_of(asked, size)
    except ValueError:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    first, last = found or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if found:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = 206 if found else 200
    if request.method == "HEAD":
        file.close()
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(_Pieces(file, first, last + 1), status=status, headers=headers)


def range_of(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header, or None to send all. Raises ValueError where nothing lies in it.

    A header that is no single range of bytes is passed over, as RFC 9110 (14.2) allows.
    """
    unit, _, spec = asked.partition("=")
    start, dash, end = spec.strip().partition("-")
    numbers = all(number == "" or (number.isascii() and number.isdecimal()) for number in (start, end))
    if unit.strip().lower() != "bytes" or not dash or not numbers or not (start or end) or len(spec) > 40:
        return None
    if not start:  # the last so many bytes
        first, last = max(size - int(end), 0), size - 1
    else:
        first, last = int(start), min(int(end), size - 1) if end else size - 1
        if end and int(end) < int(start):
            return None
    if first > last or first >= size:
        raise ValueError(asked)
    return first, last


class _Pieces:
    """A part of a file; Django closes it, read to its end or not."""

    def __init__(self, file: BinaryIO, first: int, end: int) -> None:
        self._file, self._at, self._end = file, first, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.to_thread(self._file.seek, self._at)
        while self._at < self._end:
            piece = await asyncio.to_thread(self._file.read, min(_PIECE, self._end - self._at))
            if not piece:
                return
            self._at += len(piece)
            yield piece

    def close(self) -> None:
        self._file.close()
