"""Pulls the streams this process has leased: source to provider in real time, provider to webhook word for word."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from memweb.gateway import streams
from memweb.gateway.models import StreamTask
from memweb.gateway.places import Full, places
from memweb.gateway.providers.line import Line, LineFailed, LineFull, open_line
from memweb.gateway.pull import Source, SourceGone, SourceUseless
from memweb.speech import envelope, pcm
from memweb.speech.envelope import StreamStatus

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often new streams, and wishes to stop, are looked for."""
LEAD_MS = 2000
"""How far the sound may run ahead of the clock: a recording is sent in real time, as a microphone would."""
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
GONE_S = 90.0
"""A source that stays away for so long has ended."""
NEVER_S = 10.0
"""One that was never heard is given up sooner."""
FINISH_S, STOP_S, LET_GO_S = 20.0, 5.0, 2.0
"""How long the provider may take for its last words: at the end, after a stop, when this process has to go."""
PIECE = 3200
OPENING = 2 * 32_000
"""So many bytes of a source's first sound tell whether it begins again with the same, as a recording does."""
EMPTY = "The balance is used up."
UNEXPECTED = "Something unexpected stopped this stream."
OpenLine = Callable[[str, Mapping[str, list[str]], str], Awaitable[Line]]


class Lost(Exception):
    """The lease is somebody else's, or the stream has ended: say nothing more."""


class Over(Exception):
    """The stream ends, with this status and message."""

    def __init__(self, status: StreamStatus, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Run:
    """One stream under one lease."""

    def __init__(self, stream: StreamTask, lease: str, told: Callable[[], None], open_line: OpenLine) -> None:
        query = {name: list(values) for name, values in stream.parameters.items()}
        first, last = (int(query.pop(name, ["0"])[0]) for name in streams.BOUNDS)
        self._stream, self._lease, self._told = stream, lease, told
        self._query, self._open_line = query, open_line
        self._first_ms, self._last_ms = first, last
        self.opening = stream.opening
        self._is_resumed = stream.audio_ms > 0
        self._before_ms = stream.told_ms  # under former leases; what they sent and nobody was told is sent again
        self._sent = 0  # bytes, under this one
        self._paid_ms = 0
        self._line: Line | None = None
        self._remark: str | None = None
        self._waiting: list[tuple[str | None, str]] = []
        self._word = asyncio.Event()
        self._all_said = False
        self._cut: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def cut(self, reason: str) -> None:
        """End now: by the user's own wish where no reason is given."""
        if not self._cut.done():
            self._cut.set_result(reason)

    def let_go(self) -> None:
        """Leave the stream, once what was said is written, to go on elsewhere."""
        if not self._cut.done():
            self._cut.set_result(None)

    async def run(self) -> None:
        """Until the stream ends, is let go of, or is somebody else's."""
        try:
            try:
                with places.taken(self._stream.account_id):
                    over = await self._conduct()
            except Over as known:
                over = known
            except Full as error:
                over = Over(StreamStatus.CAPACITY, str(error))
            except Lost:
                return
            except DatabaseError:
                raise
            except Exception:
                logger.exception("stream %s: unexpected", self._stream.pk)
                over = Over(StreamStatus.FAILED, UNEXPECTED)
            if over is None:
                await self._do(streams.release, audio_ms=self._total_ms, told_ms=self._told_ms)
            else:
                await self._do(streams.end, status=over.status, message=over.message, audio_ms=self._total_ms)
            self._told()
        except DatabaseError:
            # The lease runs out, and the stream is taken up again.
            logger.warning("stream %s: the database does not answer", self._stream.pk)

    async def _conduct(self) -> Over | None:
        """How it ended; None when it is to go on elsewhere."""
        try:
            line = await self._open_line(self._stream.provider, self._query, self._stream.task_id)
        except LineFull as error:
            raise Over(StreamStatus.CAPACITY, str(error)) from None
        except LineFailed as error:
            raise Over(StreamStatus.FAILED, str(error)) from None
        self._line = line
        loop = asyncio.get_running_loop()
        listening, writing = loop.create_task(self._listen(line)), loop.create_task(self._write())
        pulling = loop.create_task(self._pull(line))
        tasks: list[asyncio.Task[None]] = [listening, writing, pulling]
        awaited: list[asyncio.Future[Any]] = [*tasks, self._cut]
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            over = self._why(pulling, listening)
            pulling.cancel()
            if not listening.done() and not writing.done():
                await line.finish()
                await asyncio.wait([listening], timeout=self._patience_s(over))
            self._all_said = True
            self._word.set()
            await writing  # raises Lost, or what the database did
            return over
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await line.close()

    def _patience_s(self, over: Over | None) -> float:
        """How long the provider may take for its last words."""
        if over is None:
            return LET_GO_S
        return STOP_S if over.status == StreamStatus.STOPPED else FINISH_S

    def _why(self, pulling: asyncio.Task[None], listening: asyncio.Task[None]) -> Over | None:
        """What ends the stream."""
        if pulling.done():
            try:
                pulling.result()
            except Over as over:
                return over
            return Over(StreamStatus.FAILED, envelope.SOURCE_ENDED)
        if self._cut.done():
            reason = self._cut.result()
            if reason is None:
                return None
            return Over(StreamStatus.FAILED, reason) if reason else Over(StreamStatus.STOPPED, streams.STOPPED)
        failure = listening.exception() if listening.done() else None
        if failure is not None and not isinstance(failure, LineFailed):
            raise failure
        return Over(StreamStatus.FAILED, str(failure or "The provider ended the session."))

    # From the source to the provider

    async def _pull(self, line: Line) -> None:
        """Until the source's own end. It is connected to again while it may come back; the gap is told."""
        tries, away_since = 0, time.monotonic()
        heard_before = False
        while True:
            source = Source(self._stream.url)
            try:
                async with aclosing(source.pieces()) as pieces:
                    skip = _Skip(self, source)
                    async for piece in pieces:
                        if sound := skip.of(piece):
                            self._note_gap(source.is_live, heard_before, tries, away_since)
                            tries, heard_before = 0, True
                            await self._send(line, sound)
                            away_since = time.monotonic()
                return
            except SourceUseless as error:
                raise Over(StreamStatus.FAILED, str(error)) from None
            except SourceGone as error:
                if time.monotonic() - away_since > (GONE_S if heard_before else NEVER_S):
                    raise Over(StreamStatus.FAILED, f"{error} It did not come back.") from None
                if tries == 0 and heard_before:
                    await line.commit()
            await asyncio.sleep(BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)])
            tries += 1

    def _note_gap(self, is_live: bool | None, heard_before: bool, tries: int, away_since: float) -> None:
        """To be said with the next message of the provider's. In a recording nothing is missing."""
        if is_live and not heard_before and self._is_resumed:
            self._remark = envelope.gap(None)
        elif is_live and heard_before and tries:
            self._remark = envelope.gap(round(time.monotonic() - away_since))

    async def _send(self, line: Line, sound: bytes) -> None:
        """Hand on sound no faster than it was spoken, each unit charged before it is sent."""
        for at in range(0, len(sound), PIECE):
            piece = sound[at : at + PIECE]
            if self._last_ms:
                piece = piece[: max(0, 32 * (self._last_ms - self._first_ms - self._before_ms) - self._sent)]
            if not piece:
                raise Over(StreamStatus.FAILED, envelope.SOURCE_ENDED)
            total_ms = self._before_ms + pcm.ms_of_bytes(self._sent + len(piece))
            if total_ms > self._paid_ms:
                await self._charge(total_ms)
            await self._keep_pace()
            await line.feed(piece)
            self._sent += len(piece)

    @property
    def _total_ms(self) -> int:
        """How far into the stream the sound was sent."""
        return self._before_ms + pcm.ms_of_bytes(self._sent)

    @property
    def _told_ms(self) -> int:
        """How far into it everything was said."""
        return self._before_ms + (self._line.told_ms if self._line else 0)

    def to_skip_ms(self, is_live: bool | None) -> int:
        """Of a source that was just connected to."""
        return 0 if is_live and (self._is_resumed or self._sent) else self._first_ms + self._total_ms

    async def _charge(self, total_ms: int) -> None:
        paid = await self._do(streams.charge, audio_ms=total_ms, opening=self.opening)
        if paid is None:
            raise Lost
        if not paid:
            raise Over(StreamStatus.BALANCE, EMPTY)
        self._paid_ms = -(-total_ms // 5000) * 5000

    async def _keep_pace(self) -> None:
        now = time.monotonic()
        if self._sent == 0:
            self._began = now
        ahead_ms = pcm.ms_of_bytes(self._sent) - (now - self._began) * 1000
        if ahead_ms > LEAD_MS:
            await asyncio.sleep((ahead_ms - LEAD_MS) / 1000)

    # From the provider to the webhook

    async def _listen(self, line: Line) -> None:
        async for message in line.messages():
            self._waiting.append((self._remark, message))
            self._remark = None
            self._word.set()

    async def _write(self) -> None:
        """What waits when a commit ends goes into the next, until all is said and written."""
        while not self._all_said or self._waiting:
            await self._word.wait()
            await self._flush()

    async def _flush(self) -> None:
        self._word.clear()
        messages, self._waiting = self._waiting, []
        if messages and not await self._do(streams.tell, messages=messages, told_ms=self._told_ms):
            raise Lost
        if messages:
            self._told()

    async def _do(self, deed: Callable[..., object], **arguments: object) -> object:
        return await database_sync_to_async(deed)(stream_id=self._stream.pk, lease=self._lease, **arguments)


class _Skip:
    """Passes over what is not to be heard: before the asked beginning, and what a recording said already.

    A source that does not say whether it is live is taken for a recording until it is connected to again. Then its
    first sound is held back for a moment: a recording begins again with the same, and what is live has gone on.
    """

    def __init__(self, run: Run, source: Source) -> None:
        self._run, self._source = run, source
        self._first = bytearray()
        self._left: int | None = None

    def of(self, piece: bytes) -> bytes:
        if self._source.is_live is None:
            self._first += piece
            if len(self._first) >= OPENING:
                piece = self._told_apart(piece)
            elif self._run.opening:
                return b""
        if self._left is None:
            self._left = 32 * self._run.to_skip_ms(self._source.is_live)
        cut = min(self._left, len(piece))
        self._left -= cut
        return piece[cut:]

    def _told_apart(self, piece: bytes) -> bytes:
        """Learn what the source is; what is to be passed on of all that came."""
        opening = hashlib.sha256(self._first[:OPENING]).hexdigest()
        known, self._run.opening = self._run.opening, self._run.opening or opening
        self._source.is_live = bool(known) and opening != known
        return bytes(self._first) if known else piece


class Conductor:
    """Every stream of this process."""

    def __init__(self, lease: str, told: Callable[[], None], open_line: OpenLine = open_line) -> None:
        self._lease, self._told, self._open_line = lease, told, open_line
        self._runs: dict[int, tuple[Run, asyncio.Task[None]]] = {}

    async def run(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                await self._take_up()
                for stream_id, reason in (await database_sync_to_async(streams.to_be_cut)(lease=self._lease)).items():
                    if stream_id in self._runs:
                        self._runs[stream_id][0].cut(reason)
            except DatabaseError:
                logger.warning("Streams could not be looked for; tried again in %.1f s", LOOK_S)
            try:
                await asyncio.wait_for(ended.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Hold for longer what is in hand."""
        await database_sync_to_async(streams.renew)(lease=self._lease, stream_ids=list(self._runs))

    async def stop(self) -> None:
        """Let go of everything: another process, or the next start, goes on with it."""
        tasks = [task for _, task in self._runs.values()]
        for run, _ in list(self._runs.values()):
            run.let_go()
        if tasks:
            await asyncio.wait(tasks, timeout=2 * LET_GO_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_up(self) -> None:
        most = settings.LIVE_SLOTS - len(self._runs) + 1  # one more than fits is told so at once
        for stream in await database_sync_to_async(streams.claim)(lease=self._lease, most=most):
            if stream.pk in self._runs:
                continue
            run = Run(stream, self._lease, self._told, self._open_line)
            task = asyncio.get_running_loop().create_task(run.run())
            self._runs[stream.pk] = run, task
            task.add_done_callback(partial(self._put_down, stream.pk))

    def _put_down(self, stream_id: int, task: asyncio.Task[None]) -> None:
        del self._runs[stream_id]
