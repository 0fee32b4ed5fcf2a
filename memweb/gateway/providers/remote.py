"""The provider itself, for a pulled stream: its messages come out verbatim; the operator's key opens the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from memweb.gateway.providers.binding import Binding
from memweb.speech import pcm
from memweb.speech.dialects import LiveClient, LiveOptions, live_client
from memweb.speech.events import Failed, Final

OPEN_S = 15.0
LAST_WORDS_S = 3.0
"""After the end was asked for: a provider that does not tell when all is said has said it after such a silence."""
LARGEST_MESSAGE = 4 << 20
GATHERED = pcm.bytes_of_ms(100)
SHORTEST = pcm.bytes_of_ms(50)
"""Providers refuse a shorter piece of sound and end the session (AssemblyAI: 3007); a decoder's are a few ms long."""
NO_ANSWER = "The provider does not answer."
REFUSED = "The provider refused the session (status {status})."


class Unanswered(Exception):
    """There is no session. `status` is the provider's, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RemoteLine:
    """See `line.Line`."""

    def __init__(self, socket: ClientConnection, client: LiveClient) -> None:
        self._socket, self._client = socket, client
        self._finishing = False
        self._bytes = 0
        self._held = b""  # not enough yet to be sent
        self.told_ms = 0
        self.failure = ""
        """Why the session ended, where it was not asked to."""

    async def feed(self, sound: bytes) -> None:
        self._bytes += len(sound)
        self._held += sound
        if len(self._held) >= GATHERED:
            await self._send_held()

    async def _send_held(self) -> None:
        """What is too short for the provider is filled up with silence, which counts as no sound of the stream's."""
        sound, self._held = self._held, b""
        if sound:
            await self._send(self._client.audio(sound.ljust(SHORTEST, b"\0")))

    async def commit(self) -> None:
        await self._send_held()
        frame = self._client.commit()
        if frame is not None:
            await self._send(frame)

    async def finish(self) -> None:
        self._finishing = True
        await self._send_held()
        for frame in self._client.ends()[:1]:
            await self._send(frame)

    async def close(self) -> None:
        await self._socket.close()

    async def messages(self) -> AsyncIterator[str]:
        while True:
            try:
                message = await self._next()
            except TimeoutError:
                return
            except ConnectionClosed as closed:
                ending = self._client.closed(closed.rcvd.code if closed.rcvd else 1006, "")
                self.failure = ending.message if isinstance(ending, Failed) and not self._finishing else ""
                return
            yield message if isinstance(message, str) else message.decode("utf-8", "replace")
            self._note(message)

    def _note(self, message: str | bytes) -> None:
        for event in self._client.read(message):
            if isinstance(event, Final):  # one without times is taken to have come at once
                heard_ms = pcm.ms_of_bytes(self._bytes)
                end_ms = min(event.segment.end_ms, heard_ms) if event.timed else heard_ms  # none lies in the filling
                self.told_ms = max(self.told_ms, end_ms)

    async def _next(self) -> str | bytes:
        """The next message. Once the end was asked for, raises TimeoutError after a silence where none will be told."""
        while not self._finishing or self._client.says_ended:
            try:
                async with asyncio.timeout(1.0):
                    return await self._socket.recv()
            except TimeoutError:
                continue
        async with asyncio.timeout(LAST_WORDS_S):
            return await self._socket.recv()

    async def _send(self, frame: str | bytes) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed:
            return  # whoever reads the messages learns why


async def open_remote(
    binding: Binding, query: Mapping[str, list[str]], kind: type[RemoteLine] = RemoteLine
) -> RemoteLine:
    """A session with the provider. Raises Unanswered."""
    client = live_client(binding.provider)
    client.query(LiveOptions(sample_rate=pcm.RATE))
    try:
        socket = await connect(
            f"{binding.url}?{urlencode(query, doseq=True)}",
            additional_headers={binding.header: binding.key},
            compression=None, open_timeout=OPEN_S, max_size=LARGEST_MESSAGE, proxy=None, user_agent_header="memweb",
        )  # fmt: skip
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise Unanswered(REFUSED.format(status=status), status) from None
    except (InvalidHandshake, OSError, TimeoutError, ValueError):
        raise Unanswered(NO_ANSWER) from None
    return kind(socket, client)
