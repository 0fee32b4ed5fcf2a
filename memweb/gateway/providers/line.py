"""A provider as a pulled stream uses it: PCM s16le 16 kHz goes in, the provider's own messages come out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from memweb.engines import live, registry
from memweb.engines.errors import AtCapacity, EngineError
from memweb.gateway.providers.binding import Binding
from memweb.gateway.providers.bindings import live_binding
from memweb.gateway.providers.remote import RemoteLine, Unanswered, open_remote
from memweb.speech import pcm
from memweb.speech.dialects import LiveServer, live_server
from memweb.speech.events import Committed, Ended, Event, Failed, Final


class LineFailed(Exception):
    """The provider could not go on. `str()` is a sentence."""


class LineFull(LineFailed):
    """The provider has no place left."""


class Line(Protocol):
    """One session with a provider."""

    told_ms: int
    """Of the sound, how much need not be heard again: its words are among the messages so far."""

    async def feed(self, sound: bytes) -> None:
        """Hand on PCM; waits while the provider takes no more."""

    async def commit(self) -> None:
        """Ask for the words in hand: the sound pauses here."""

    async def finish(self) -> None:
        """Say that no more sound comes; the last messages follow."""

    async def close(self) -> None: ...

    def messages(self) -> AsyncIterator[str]:
        """Every message, verbatim and in order, until the session's end. Raises LineFailed after the last one."""


class LocalLine:
    """The engine on this machine, answering in the provider's dialect."""

    def __init__(self, server: LiveServer, stream: live.LiveStream) -> None:
        self._server, self._stream = server, stream
        self.told_ms = 0
        self._bytes = self._final_ms = 0
        self._began = time.monotonic()

    async def feed(self, sound: bytes) -> None:
        self._bytes += len(sound)
        await self._stream.feed(sound)

    async def commit(self) -> None:
        await self._stream.commit()

    async def finish(self) -> None:
        await self._stream.finish()

    async def close(self) -> None:
        await self._stream.close()

    async def messages(self) -> AsyncIterator[str]:
        for frame in self._server.begins(time.time(), registry.live(self._server.settings.language).name):
            yield frame
        async for event in self._stream:
            if isinstance(event, Ended):
                session_ms = int((time.monotonic() - self._began) * 1000)
                for frame in self._server.ends(pcm.ms_of_bytes(self._bytes), session_ms):
                    yield frame
                self.told_ms = pcm.ms_of_bytes(self._bytes)
                return
            for frame in self._server.says(event):
                yield frame
            if isinstance(event, Failed):
                raise LineFailed(event.message)
            self._note(event)

    def _note(self, event: Event) -> None:
        """Where commits are made by hand, finals are told with the next of them."""
        if isinstance(event, Final):
            self._final_ms = max(self._final_ms, event.segment.end_ms)
        if isinstance(event, Committed) or (isinstance(event, Final) and self._server.settings.commit == "vad"):
            self.told_ms = self._final_ms


class FarLine(RemoteLine):
    """The provider itself."""

    async def messages(self) -> AsyncIterator[str]:
        async for message in super().messages():
            yield message
        if self.failure:
            raise LineFailed(self.failure)


async def _far(binding: Binding, query: Mapping[str, list[str]]) -> Line:
    try:
        return await open_remote(binding, query, FarLine)
    except Unanswered as error:
        raise (LineFull if error.status == 429 else LineFailed)(str(error)) from None


async def open_line(provider: str, query: Mapping[str, list[str]], session_id: str) -> Line:
    """A session with whoever answers under this provider's name. Raises LineFull or LineFailed."""
    binding = live_binding(provider)
    if binding is not None:
        return await _far(binding, query)
    server = live_server(provider, query, session_id)
    try:
        return LocalLine(server, await live.open_stream(server.settings.language))
    except AtCapacity as error:
        raise LineFull(str(error)) from None
    except EngineError as error:
        raise LineFailed(str(error)) from None
