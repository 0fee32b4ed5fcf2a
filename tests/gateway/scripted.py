"""An engine that says what a test tells it to, and a socket without a network, for a session's own rules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from memweb.gateway.keys import Caller
from memweb.gateway.providers.local import Session
from memweb.speech.dialects import live_server
from memweb.speech.events import Committed, Ended, Event, Final, Partial
from memweb.speech.transcript import Segment, Word

CALLER = Caller(account_id=1, user_id=1, key_id=None, streams_allowed=True)


def final(key: str, text: str) -> Final:
    words = tuple(Word(word, 0, 100) for word in text.split())
    return Final(Segment(key, 0, 1000, text, words, language="en"))


class ScriptedEngine:
    """Says each second of audio as a partial, a commit as a final; a subclass misbehaves."""

    def __init__(self) -> None:
        self.fed = 0
        self.finals = 0
        self.closed = False
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    async def open(self, language: str | None) -> ScriptedEngine:
        return self

    async def feed(self, pcm: bytes) -> None:
        self.fed += len(pcm)
        self.events.put_nowait(Partial(f"{self.fed} bytes"))

    async def commit(self) -> None:
        self.events.put_nowait(final(str(self.finals), f"sentence {self.finals}"))
        self.events.put_nowait(Committed())
        self.finals += 1

    async def finish(self) -> None:
        await self.commit()
        self.events.put_nowait(Ended(self.fed // 32))

    async def close(self) -> None:
        self.closed = True

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.events.get()


class Purse:
    """Pays for so many milliseconds of audio."""

    def __init__(self, pays_ms: int = 10**9) -> None:
        self.pays_ms = pays_ms
        self.told: list[int] = []

    def heard(self, audio_ms: int) -> bool:
        self.told.append(audio_ms)
        return audio_ms <= self.pays_ms


class Client:
    """The other end of a session's socket."""

    def __init__(
        self,
        provider: str,
        engine: ScriptedEngine,
        caller: Caller = CALLER,
        purse: Purse | None = None,
        **params: str,
    ) -> None:
        self.engine = engine
        self.sent: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        server = live_server(provider, {name: [value] for name, value in params.items()}, "a-session")
        self.purse = purse or Purse()
        self.session = asyncio.create_task(
            Session(server, caller, self.purse, self._inbox.get, self._take, engine.open).run()
        )

    async def _take(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.sent.append(message)
        self.arrived.set()

    def say(self, message: dict[str, Any] | bytes | str) -> None:
        if isinstance(message, bytes):
            self._inbox.put_nowait({"type": "websocket.receive", "bytes": message})
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def over(self) -> None:
        async with asyncio.timeout(20):
            await self.session

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    @property
    def kinds(self) -> list[str]:
        return [frame.get("message_type") or frame["type"] for frame in self.frames]

    @property
    def closed(self) -> tuple[int, str] | None:
        closes = [message for message in self.sent if message["type"] == "websocket.close"]
        assert len(closes) < 2
        return (closes[0]["code"], closes[0]["reason"]) if closes else None

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while kind not in self.kinds:
                self.arrived.clear()
                await self.arrived.wait()
        return next(frame for frame in self.frames if kind in (frame.get("message_type"), frame.get("type")))
