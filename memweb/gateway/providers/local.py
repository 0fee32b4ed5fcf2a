"""A live session answered by the engine on this machine, in the asked provider's dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from memweb.engines import live, registry
from memweb.engines.errors import AtCapacity, EngineError
from memweb.engines.resample import Resampler
from memweb.gateway.keys import Caller
from memweb.gateway.seats import seats
from memweb.gateway.till import EMPTY
from memweb.speech import pcm
from memweb.speech.dialects import Audio, Bad, Command, Commit, KeepAlive, LiveServer, Terminate
from memweb.speech.events import Ended, Event, Failed
from memweb.speech.turns import TurnRules, Turns

UNREAD_SECONDS = 20.0
"""How long one frame may wait for a client that does not read."""
FINISH_SECONDS = 30.0
"""How long the engine may take for its last words."""
SESSION_SECONDS = 3 * 3600
TICK_SECONDS = 0.25
READ_AHEAD = 64
"""Messages taken from the client before the engine has room for them."""


class EngineStream(Protocol):
    """What a session needs of an engine: see engines.live.LiveStream."""

    async def feed(self, pcm: bytes) -> None: ...
    async def commit(self) -> None: ...
    async def finish(self) -> None: ...
    async def close(self) -> None: ...
    def __aiter__(self) -> AsyncIterator[Event]: ...


class Tab(Protocol):
    """What a session needs of the till: see till.Tab."""

    def heard(self, audio_ms: int) -> bool: ...


class Turning:
    """An engine's stream whose finals end where the client asked turns to end."""

    def __init__(self, stream: EngineStream, rules: Callable[[], TurnRules | None]) -> None:
        self._stream, self._rules = stream, rules
        self._turns = Turns()

    async def feed(self, pcm: bytes) -> None:
        await self._stream.feed(pcm)
        self._turns.rules = self._rules()
        if self._turns.hear(pcm):
            await self._stream.commit()

    async def commit(self) -> None:
        self._turns.commit()
        await self._stream.commit()

    async def finish(self) -> None:
        await self._stream.finish()

    async def close(self) -> None:
        await self._stream.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self._stream:
            for told in self._turns.take(event):
                yield told


OpenStream = Callable[[str | None], Awaitable[EngineStream]]


async def open_stream(language: str | None) -> EngineStream:
    return await live.open_stream(language)


@dataclass(frozen=True, slots=True)
class Closing:
    """How a session ends: last frames, close code and reason. Code None: the client has gone already."""

    frames: Iterable[str] = ()
    code: int | None = 1000
    reason: str = ""


class Session:
    """One client's session, from accept to close. Tasks of its own read, follow what was read, speak, and watch
    the clock."""

    def __init__(
        self,
        server: LiveServer,
        caller: Caller,
        tab: Tab,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        open_stream: OpenStream,
    ) -> None:
        self._server = server
        self._caller = caller
        self._tab = tab
        self._receive = receive
        self._send = send
        self._open_stream = open_stream
        self._stream: EngineStream
        self._over: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        settings = server.settings
        self._resampler = None if settings.sample_rate == pcm.RATE else Resampler(settings.sample_rate)
        self._ahead: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue(READ_AHEAD)
        self._audio_bytes = self._given_bytes = 0
        self._began = self._heard = time.monotonic()
        self._feeding = False
        self._finishing_since: float | None = None
        self._last: Callable[[], Closing] | None = None

    async def run(self) -> None:
        """Answer until either side ends it."""
        await self._send({"type": "websocket.accept"})
        await self._say(self._server.begins(time.time(), self._engine_name()))
        try:
            with seats.taken(self._caller, self._revoked):
                closing = await self._converse()
        except AtCapacity as error:
            closing = self._failure(Failed("capacity", str(error), retry=True))
        except EngineError as error:
            closing = self._failure(Failed("provider", str(error), retry=False))
        await self._close(closing)

    async def _converse(self) -> Closing:
        stream = await self._open_stream(self._server.settings.language)
        self._stream = Turning(stream, lambda: self._server.settings.turns)
        self._heard = time.monotonic()
        loop = asyncio.get_running_loop()
        works = (self._listen(), self._follow(), self._speak(), self._watch_the_clock())
        tasks = [loop.create_task(work) for work in works]
        try:
            awaited: list[asyncio.Future[Any]] = [self._over, *tasks]
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            return self._over.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stream.close()

    # Reading

    async def _listen(self) -> None:
        """Read a little ahead of the engine, so that a client's going is seen while the engine is busy."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._end(Closing(code=None))
                return
            await self._ahead.put(message)

    async def _follow(self) -> None:
        while True:
            message = await self._ahead.get()
            text = message.get("text")
            for command in self._server.accept(message.get("bytes") or b"" if text is None else text):
                await self._obey(command)

    async def _obey(self, command: Command) -> None:
        if isinstance(command, Bad):
            await self._say(command.frames)
            if command.fatal:
                self._end(Closing(code=command.code or 1008, reason=command.message))
        elif self._finishing_since is not None:
            return  # the client said it was done
        elif isinstance(command, Audio):
            if self._tab.heard(self._given_ms(len(command.pcm))):
                await self._feed(self._decoded(command.pcm))
            else:
                # What was paid for is still put into words.
                self._last = lambda: self._failure(Failed("funds", EMPTY, retry=False))
                await self._finish()
        elif isinstance(command, Commit):
            await self._stream.commit()
        elif isinstance(command, Terminate):
            await self._finish()
        elif isinstance(command, KeepAlive):
            self._heard = time.monotonic()

    async def _feed(self, sound: bytes) -> None:
        self._audio_bytes += len(sound)
        self._feeding = True  # while the engine is behind, silence on the socket is not the client's
        try:
            await self._stream.feed(sound)
        finally:
            self._feeding = False
            self._heard = time.monotonic()

    def _given_ms(self, size: int) -> int:
        """Milliseconds of audio the client has given, with these further bytes."""
        settings = self._server.settings
        self._given_bytes += size
        return self._given_bytes * 1000 // (settings.sample_rate * (1 if settings.encoding == "pcm_mulaw" else 2))

    def _decoded(self, sound: bytes) -> bytes:
        if self._server.settings.encoding == "pcm_mulaw":
            sound = pcm.decode_mu_law(sound)
        return sound if self._resampler is None else self._resampler.feed(sound)

    async def _finish(self) -> None:
        self._finishing_since = time.monotonic()
        if self._resampler is not None:
            await self._feed(self._resampler.flush())
        await self._stream.finish()

    # Speaking

    async def _speak(self) -> None:
        async for event in self._stream:
            if isinstance(event, Failed):
                self._end(self._failure(event))
            elif isinstance(event, Ended):
                self._end(self._ending())
            else:
                await self._say(self._server.says(event))

    async def _say(self, frames: Iterable[str]) -> None:
        try:
            for frame in frames:
                async with asyncio.timeout(UNREAD_SECONDS):
                    await self._send({"type": "websocket.send", "text": frame})
        except TimeoutError:
            self._end(Closing(code=1008, reason="The client does not read what it is sent"))
        except OSError:
            self._end(Closing(code=None))

    # Ending

    async def _watch_the_clock(self) -> None:
        longest = min(self._caller.session_seconds or SESSION_SECONDS, SESSION_SECONDS)
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if self._finishing_since is not None:
                if now - self._finishing_since > FINISH_SECONDS:
                    self._end(self._ending())
            elif now - self._began > longest:
                self._end(self._failure(Failed("session_limit", "Session expired: maximum session duration", True)))
            elif not self._feeding and now - self._heard > self._server.settings.idle_timeout_s:
                self._last = lambda: Closing(*self._server.idle())
                await self._finish()

    def _ending(self) -> Closing:
        """After the engine's last word."""
        if self._last is not None:
            return self._last()
        session_ms = int((time.monotonic() - self._began) * 1000)
        return Closing(self._server.ends(pcm.ms_of_bytes(self._audio_bytes), session_ms))

    def _failure(self, failed: Failed) -> Closing:
        return Closing(self._server.says(failed), *self._server.closing(failed))

    def _revoked(self) -> None:
        self._end(self._failure(Failed("auth", "The key is no longer valid.", retry=False)))

    def _end(self, closing: Closing) -> None:
        if not self._over.done():
            self._over.set_result(closing)

    async def _close(self, closing: Closing) -> None:
        if closing.code is None:
            return
        await self._say(closing.frames)
        try:
            async with asyncio.timeout(UNREAD_SECONDS):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
        except (TimeoutError, OSError):
            return

    def _engine_name(self) -> str:
        try:
            return registry.live(self._server.settings.language).name
        except EngineError:
            return ""
