"""Live recognition on this machine: audio in, events out, one stream at a time.

The stream keeps all PCM that is not yet settled, so that a fresh worker can be told again what a dead one knew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from memweb.engines import pool, registry, wire
from memweb.engines.protocol import RATE
from memweb.speech.events import Committed, Ended, Event, Failed, Final, Partial, SpeechBegan, Warned
from memweb.speech.transcript import Segment, Word

MOST_WAITING = 15 * RATE
"""Samples a stream may be ahead of its words before `feed` waits. A line alone can be 10 s long."""
LAG_WARNED_MS = 1000
LAG_STEP_MS = 1000


@dataclass(frozen=True, slots=True)
class Capacity:
    """Live places: taken and in all."""

    used: int
    total: int


class LiveStream:
    """Words for one voice stream. Owned by one task, save that events may be read by another."""

    def __init__(self, engine: str, language: str | None) -> None:
        self.engine = engine
        self.number = 0
        self._language = language
        self._worker: pool.WorkerProcess | None = None
        self._kept: deque[tuple[int, bytes]] = deque()  # first sample, s16le PCM
        self._commits: deque[int] = deque()  # where they were asked for
        self._sent = self._heard = self._thought = self._settled = 0
        self._carry = b""
        self._finals = 0
        self._finishing = False
        self._over = False
        self._behind_ms = self._warned_ms = 0
        self._events: deque[Event] = deque()
        self._said = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def lag_ms(self) -> int:
        """How far the words are behind the voice, in ms; 0 when they keep up."""
        if self._over:
            return 0
        unheard = (self._sent - self._heard) * 1000 // RATE
        return max(self._behind_ms, unheard if unheard > 700 else 0)

    async def feed(self, pcm: bytes) -> None:
        """Take s16le 16 kHz mono PCM of any length; wait while too much is before the engine. Ignored when over."""
        pcm = self._carry + pcm
        cut = len(pcm) & ~1
        self._carry = pcm[cut:]
        for at in range(0, cut, 2 * RATE):
            await self._room.wait()
            if self._over or self._finishing:
                return
            self._send(pcm[at : min(at + 2 * RATE, cut)])

    def _send(self, pcm: bytes) -> None:
        self._kept.append((self._sent, pcm))
        self._sent += len(pcm) // 2
        self._tell({"t": "audio"}, pcm)
        self._make_room()

    async def commit(self) -> None:
        """Make final what is in hand, then go on."""
        if not self._over and not self._finishing:
            self._commits.append(self._sent)
            self._tell({"t": "commit"})

    async def finish(self) -> None:
        """Say that no more audio comes. The remaining finals follow, then Ended."""
        if not self._over and not self._finishing:
            self._finishing = True
            self._tell({"t": "finish"})

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._events:
                event = self._events.popleft()
                yield event
                if isinstance(event, (Ended, Failed)):
                    return
            self._said.clear()
            await self._said.wait()

    async def close(self) -> None:
        """Give the place back at once. An iterator still open gets Ended."""
        if not self._over:
            self._end(Ended(self._sent * 1000 // RATE))

    # What the pool calls.

    def place(self, worker: pool.WorkerProcess) -> None:
        self._worker = worker

    def retell(self) -> list[bytes]:
        """Frames that open this stream in a fresh worker and bring it all that is not settled."""
        base = self._kept[0][0] if self._kept else self._sent
        frames = [self._frame({"t": "open", "language": self._language, "base": base})]
        commits = deque(self._commits)
        for first, pcm in self._kept:
            while commits and commits[0] <= first:
                commits.popleft()
                frames.append(self._frame({"t": "commit"}))
            frames.append(self._frame({"t": "audio"}, pcm))
        frames += [self._frame({"t": "commit"}) for _ in commits]
        if self._finishing:
            frames.append(self._frame({"t": "finish"}))
        self._heard = base
        return frames

    def take(self, head: wire.Head) -> None:
        """Take one message of the worker's."""
        kind = head["t"]
        if kind == "line":
            self._take_line(head)
        elif kind == "progress":
            self._take_progress(head)
        elif kind == "speech":
            self._emit(SpeechBegan(head["at"]))
        elif kind == "committed":
            self._commits.popleft()
            self._emit(Committed())
        elif kind == "ended":
            self._end(Ended(self._sent * 1000 // RATE))
        elif kind == "broken":
            self.fail("The speech engine could not go on with this audio. The recording goes on.")

    def fail(self, message: str) -> None:
        """End with a failure a fresh stream may not have."""
        if not self._over:
            self._end(Failed("provider", message, retry=True))

    def _take_line(self, head: wire.Head) -> None:
        if not head["final"]:
            self._emit(Partial(head["text"], head["start_ms"], head["end_ms"]))
            return
        words = tuple(
            Word(word["text"], word["start_ms"], word["end_ms"], word["confidence"], estimated=word["estimated"])
            for word in head["words"]
        )
        segment = Segment(
            str(self._finals), head["start_ms"], head["end_ms"], head["text"], words, language=head["language"]
        )
        self._finals += 1
        self._settle(head["upto"])
        self._emit(Final(segment))

    def _take_progress(self, head: wire.Head) -> None:
        self._heard, self._thought, self._behind_ms = head["heard"], head["thought"], head["lag"]
        self._settle(head["settled"])
        self._make_room()
        lag = self.lag_ms
        if abs(lag - self._warned_ms) >= LAG_STEP_MS and (lag > LAG_WARNED_MS or self._warned_ms):
            self._warned_ms = lag if lag > LAG_WARNED_MS else 0
            self._emit(Warned("lag", str(self._warned_ms)))

    def _settle(self, position: int) -> None:
        """Forget PCM that lies wholly before a position no later event can touch."""
        self._settled = max(self._settled, position)
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) // 2 <= self._settled:
            self._kept.popleft()
        if self._kept and self._kept[0][0] < self._settled:
            first, pcm = self._kept[0]
            self._kept[0] = (self._settled, pcm[2 * (self._settled - first) :])

    def _make_room(self) -> None:
        if self._over or self._sent - max(self._thought, self._settled) < MOST_WAITING:
            self._room.set()
        else:
            self._room.clear()

    def _emit(self, event: Event) -> None:
        if self._over:
            return
        if isinstance(event, Partial) and self._events and isinstance(self._events[-1], Partial):
            self._events[-1] = event  # a reader that is late wants the newest only
        else:
            self._events.append(event)
        self._said.set()

    def _end(self, event: Event) -> None:
        self._emit(event)
        self._over = True
        self._kept.clear()
        self._make_room()
        if self._worker is not None:
            self._worker.remove(self.number)

    def _tell(self, head: wire.Head, body: bytes = b"") -> None:
        if self._worker is not None:
            self._worker.send(head | {"s": self.number}, body)

    def _frame(self, head: wire.Head, body: bytes = b"") -> bytes:
        return wire.pack(head | {"s": self.number}, body)


async def open_stream(language: str | None = "en") -> LiveStream:
    """Open a live stream: English by Moonshine, any other language, or None to detect it, by Whisper.

    Raises AtCapacity when no place is left and EngineMissing when the engine is not installed.
    """
    choice = registry.live(language)
    hello = await choice.prepare()
    here = pool.current()
    stream = LiveStream(choice.name, language)
    stream.number = here.number()
    stream.place(here.place(choice.kind, stream, hello))
    return stream


async def warm(language: str | None = "en") -> None:
    """Start the engine a stream of this language will need, so that its first words come sooner."""
    choice = registry.live(language)
    pool.current().worker(choice.kind, await choice.prepare())


def capacity() -> Capacity:
    """The live places of this process."""
    here = pool.current()
    return Capacity(here.used, here.total)


async def close() -> None:
    """End every engine process of this event loop: for the server's shutdown."""
    await pool.close()
