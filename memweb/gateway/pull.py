"""A URL as PCM s16le 16 kHz mono, as it comes: RTMP, RTSP, HLS and plain HTTP.

FFmpeg is given bytes and never a user's word. What HTTP and HLS bring is fetched here, by the guarded client, and
handed to the decoder through a pipe. RTMP and RTSP are spoken by FFmpeg to one end of a relay (see `tuner`), whose
other end is connected to the address that was looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx

from memweb.gateway import guard, playlist, tuner
from memweb.gateway.playlist import Choice, Part, Parts
from memweb.media import decode

SILENT_S = 20.0
"""A source that sends nothing for so long has gone."""
MOST_PART_BYTES = 64 << 20
LIVE_EDGE = 3
"""A live playlist is joined so many parts before its end, as players do."""
Pieces = AsyncGenerator[bytes, None]
_TUNED = ("rtmp", "rtmps", "rtsp", "rtsps")


class SourceGone(Exception):
    """The source cannot be read at this moment; it may come back. `str()` is a sentence."""


class SourceUseless(Exception):
    """The source will not become readable. `str()` is a sentence."""


@dataclass
class Source:
    """One connection to a source."""

    url: str
    is_live: bool | None = field(default=True)
    """False once it is known to be a recording: read again, it begins again at its beginning. None where the source
    does not say which it is."""

    async def pieces(self) -> Pieces:
        """PCM until the source's own end. Raises SourceGone or SourceUseless."""
        scheme = self.url.partition(":")[0].lower()
        sound = self._tuned() if scheme in _TUNED else self._fetched()
        try:
            async with aclosing(sound):
                async for piece in sound:
                    yield piece
        except guard.Forbidden as error:
            raise SourceUseless(str(error)) from None
        except playlist.Unread as error:
            raise SourceUseless(str(error)) from None
        except decode.NotMedia as error:
            # What is live may merely have been cut in an ugly place.
            raise (SourceGone if self.is_live else SourceUseless)(str(error)) from None
        except httpx.HTTPStatusError as error:
            raise SourceGone(f"The source answers {error.response.status_code}.") from None
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            raise SourceGone(f"The source cannot be read ({type(error).__name__}).") from None

    async def _tuned(self) -> Pieces:
        """RTMP and RTSP. They have no end of their own: whoever sends may come back."""
        target = await guard.aresolve(self.url, schemes=_TUNED)
        async with tuner.tuned(target) as sound, aclosing(sound.pieces()) as pieces:
            while True:
                async with asyncio.timeout(SILENT_S):
                    piece = await anext(pieces, None)
                if piece is None:
                    raise SourceGone("The source is not there, or sends no sound that can be read.")
                yield piece

    async def _fetched(self) -> Pieces:
        async with guard.async_client(silent_s=SILENT_S) as web:
            async with web.stream("GET", self.url) as answer:
                answer.raise_for_status()
                body = answer.aiter_raw()
                head = await anext(body, b"")
                if not playlist.is_playlist(head):
                    async for piece in self._plain(answer, head, body):
                        yield piece
                    return
                text, url = await _whole(head, body, playlist.MOST_BYTES), str(answer.url)
            async for piece in self._listed(web, text, url):
                yield piece

    async def _plain(self, answer: httpx.Response, head: bytes, body: AsyncIterator[bytes]) -> Pieces:
        """One answer that is the media: a recording, or a radio that never ends."""
        never_ends = self.is_live = _is_live(answer.headers)
        if not head:
            raise (SourceGone if never_ends else SourceUseless)("The source sends nothing.")

        async def bytes_of() -> Pieces:
            yield head
            async for more in body:
                yield more

        async with aclosing(_decoded(bytes_of())) as pieces:
            async for piece in pieces:
                yield piece
        if never_ends:
            raise SourceGone("The source went away.")

    async def _listed(self, web: httpx.AsyncClient, text: bytes, url: str) -> Pieces:
        """HLS. What does not join is decoded anew."""
        listed = playlist.read(text, url)
        if isinstance(listed, Choice):
            url = listed.url
            listed = playlist.read(await _get(web, url, playlist.MOST_BYTES), url)
        if isinstance(listed, Choice):
            raise playlist.Unread("The playlist leads to further playlists only.")
        self.is_live = not listed.ended
        walk = _Walk(web, url, listed)
        while not walk.over:
            async with aclosing(_decoded(walk.joined())) as pieces:
                async for piece in pieces:
                    yield piece


class _Walk:
    """One way through a media playlist: parts in order, looked up again while more may come."""

    def __init__(self, web: httpx.AsyncClient, url: str, listed: Parts) -> None:
        self._web, self._url, self._listed = web, url, listed
        self._next = listed.first if listed.ended else max(listed.first, _end(listed) - LIVE_EDGE)
        self._head = ""
        self._fresh = True
        self.over = False

    async def joined(self) -> Pieces:
        """The bytes of parts that join, up to the next break or the end."""
        self._head, self._fresh = "", True
        while True:
            part = await self._part()
            if part is None:
                self.over = True
                return
            if not self._fresh and part.breaks:
                return
            if part.head and part.head != self._head:
                self._head = part.head
                yield await _get(self._web, part.head, MOST_PART_BYTES)
            self._fresh = False
            self._next += 1
            yield await _get(self._web, part.url, MOST_PART_BYTES)

    async def _part(self) -> Part | None:
        """The next part, once it is there; None at the end. Raises SourceGone when nothing comes for long."""
        async with asyncio.timeout(SILENT_S + self._listed.target_s):
            while self._next >= _end(self._listed):
                if self._listed.ended:
                    return None
                await asyncio.sleep(self._listed.target_s / 2)
                listed = playlist.read(await _get(self._web, self._url, playlist.MOST_BYTES), self._url)
                if isinstance(listed, Choice):
                    raise playlist.Unread("The playlist became another.")
                self._take(listed)
        self._next = max(self._next, self._listed.first)
        return self._listed.parts[self._next - self._listed.first]

    def _take(self, listed: Parts) -> None:
        """A list that was numbered anew is joined at its live end."""
        if _end(listed) < self._next - len(listed.parts):
            self._next = max(listed.first, _end(listed) - LIVE_EDGE)
        self._listed = listed


def _is_live(told: httpx.Headers) -> bool | None:
    """Whether an answer that is media is a radio or a recording. None: it does not say, as one sent in chunks."""
    if "content-length" in told:
        return False
    if any(name.startswith("icy-") for name in told):
        return True
    named = "etag" in told or "bytes" in told.get("accept-ranges", "").lower()
    return False if named else None


def _end(listed: Parts) -> int:
    return listed.first + len(listed.parts)


async def _get(web: httpx.AsyncClient, url: str, most: int) -> bytes:
    async with web.stream("GET", url) as answer:
        answer.raise_for_status()
        return await _whole(b"", answer.aiter_raw(), most)


async def _whole(head: bytes, body: AsyncIterator[bytes], most: int) -> bytes:
    read = bytearray(head)
    async for piece in body:
        read += piece
        if len(read) > most:
            raise playlist.Unread("A part of the playlist is larger than any should be.")
    return bytes(read)


async def _decoded(chunks: AsyncIterator[bytes]) -> Pieces:
    """Bytes of media as PCM. What goes wrong with the source is raised after what it still brought."""
    async with decode.pipe() as pipe:
        feeding = asyncio.get_running_loop().create_task(_feed(pipe, chunks))
        try:
            async for piece in pipe.pieces():
                yield piece
            if feeding.done():
                feeding.result()
        except decode.NotMedia:
            if feeding.done():
                feeding.result()
            raise
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def _feed(pipe: decode.Pipe, chunks: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in chunks:
            await pipe.feed(chunk)
    finally:
        pipe.end()
