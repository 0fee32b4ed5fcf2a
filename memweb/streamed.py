"""Answers made piece by piece while they are sent: their length matters to no memory but the client's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

_PIECE = 64 * 1024


def answer(request: HttpRequest, pieces: Generator[bytes], headers: dict[str, str]) -> HttpResponseBase:
    """What the generator yields. It runs in the request's own thread, and is closed at the end, read up or not."""
    if request.method == "HEAD":
        pieces.close()
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(_Streamed(pieces), headers=headers)


class _Streamed:
    def __init__(self, pieces: Generator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = gathered(self._pieces)
        while piece := await sync_to_async(_next)(more):
            yield piece

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # a client that left while a piece is being made: it ends with that piece
            self._pieces.close()


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")


def gathered(pieces: Iterable[bytes], least: int = _PIECE) -> Iterator[bytes]:
    """The same bytes in pieces of some size: each costs a hop between threads."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= least:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
