"""One dictation while it lives in this process, whether a page is there or not.

The page's socket hands it frames and messages; it keeps the frames, carries out what the LiveSession says, and tells
the page. Between a frame and its relay there is no database, no other thread, and nothing to wait for.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from memweb.dictation import captions, reading
from memweb.dictation.finals import Finals
from memweb.dictation.page import (
    FLOODING,
    MOST_IGNORED,
    NOT_YOURS,
    RESTARTING,
    SILENT_SECONDS,
    TAKEN_OVER,
    WAKE_SECONDS,
    Page,
)
from memweb.dictation.reading import Known, read
from memweb.dictation.rebuild import keep_count, open_spool
from memweb.dictation.recording import Spool, Spooler, Taken
from memweb.dictation.relay import Relay
from memweb.speech import actions as act
from memweb.speech import events, frames, session
from memweb.speech.dialects import PROVIDERS
from memweb.upstream import errors
from transcripts import services, writer

logger = logging.getLogger("memweb.dictation")

ATTEND_SECONDS = 5.0
HOLE_SECONDS = 1.0
FLUSH_SECONDS = 0.5
DISK = "This server's disk takes no more. Your browser keeps the recording; free some space and it goes on by itself."
DELETED = "This dictation was deleted from the library. Start a new one."
OVER = ("finishing", "ready", "failed")
MOST_WALLS = 1000  # frames: more are not on their way while a page waits for an ack
LONGEST_MS = 2**31 - 1  # what a database keeps of a place in a recording
OLDEST = datetime(2020, 1, 1, tzinfo=UTC)  # no page was opened before


class Dictation:
    """`ended` is set once everything is said, saved, and handed to the library."""

    def __init__(self, record_id: UUID, owner_id: int, known: Known, spool: Spool, spooler: Spooler) -> None:
        self.record_id, self.owner_id, self.known = record_id, owner_id, known
        self.status = known.status
        self.spool, self._spooler = spool, spooler
        spool.changed = self._on_disk
        self.page: Page | None = None
        self._arriving: Page | None = None
        self.ended = asyncio.Event()
        self.left_at = time.monotonic()
        self.finals = Finals(self, revision=0 if known.status == "new" else int(time.time()))
        self._relay: Relay | None = None
        self._session: session.LiveSession | None = None
        self._finish_at: int | None = None
        self._ending = False
        self._trouble_told = False
        self._told: tuple[act.View, str | None] | None = None
        self._told_at = self._attended_at = self._flushed_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    # --- pages come and go ------------------------------------------------------------------------------

    async def admit(self, page: Page) -> None:
        """This page speaks for the dictation from now on; one that did before is told what is safe, and closed.

        Greeted with less than came, two pages would give the same numbers to what each of them said.
        """
        former, self.page = self.page, None
        self._arriving, self.left_at = page, time.monotonic()
        self._spooler.hurry()
        await self.spool.settled()
        if former is not None:
            former.say(self._ack())
            self._send_away(former)
        if self._arriving is not page:  # a third came meanwhile
            self._send_away(page)
            return
        self.page, self._arriving = page, None
        self._told = None
        self._greet(page)

    @staticmethod
    def _send_away(page: Page) -> None:
        page.say(frames.error(code="taken_over", message="This dictation goes on in another tab.", fatal=True))
        page.close(TAKEN_OVER)

    def _greet(self, page: Page) -> None:
        state = self._session.view().state if self._session else "idle"
        status = "live" if self.status == "live" and not self._ending else self.status
        next, wall = self.spool.durable, self.spool.wall_ms
        page.say(frames.resume(next=next, revision=self.finals.revision, state=state, status=status, wall=wall))

    def lost(self, page: Page) -> None:
        """That socket is gone."""
        if self.page is page:
            self.page = None
            self.left_at = time.monotonic()
            if self._session is not None:
                self._do(self._session.leave(self.left_at))

    def hear(self, message: bytes, page: Page) -> None:
        """A frame of a live record. Raises frames.BadFrame."""
        now = time.monotonic()
        taken = self.spool.take(message, now)
        if taken is Taken.NEW:
            page.ignored = 0
            self._spooler.add(self.spool)
            if self._session is not None:
                self._do(self._session.hear(self.spool.samples, now))
            return
        page.ignored += 1
        if page.ignored > MOST_IGNORED:
            page.close(FLOODING)
        elif taken is Taken.HOLE and now - page.told_hole_at > HOLE_SECONDS:
            page.told_hole_at = now
            self._greet(page)

    def _ack(self) -> str:
        return frames.ack(next=self.spool.durable, safe_ms=self.spool.safe_samples // frames.SAMPLES_PER_MS)

    def _on_disk(self) -> None:
        """More is durable, or the disk refused."""
        page = self.page
        if self.spool.trouble is not None:
            if page is not None and not self._trouble_told:
                page.say(frames.error(code="disk_full", message=DISK))
            self._trouble_told = True
            if self._session is not None:  # what was heard but not kept will be heard again
                self._do(self._session.hear(self.spool.samples, time.monotonic()))
            return
        if page is not None:
            if self._trouble_told:
                page.say(frames.error(code="disk_full", message=""))
            page.note("ack", self._ack())
        self._trouble_told = False
        self._finish_when_safe()

    # --- what the page says -------------------------------------------------------------------------------

    async def obey(self, message: frames.Up, page: Page) -> None:
        """Do what a message of the page asks."""
        now = time.monotonic()
        match message:
            case frames.Ping():
                page.update("pong", frames.pong())
            case frames.Open():
                await self._open(message, page)
            case frames.Pause() if self._session:
                self._do(self._session.pause(now))
            case frames.Continue() if self._session:
                await self._proceed(now)
            case frames.Finish(next):
                self._finish_at = next
                self._finish_when_safe()
            case frames.Mark(at_ms) if self.status != "new":
                self._in_turn(page, partial(self._mark, page, at_ms))
            case frames.Whose(first):
                page.say(frames.walls(first=first, walls=self.spool.walls(first, MOST_WALLS)))
            case frames.Title(title) if self.status != "new":
                rename = partial(services.rename, record_id=self.record_id, title=title, user_id=self.owner_id)
                self._in_turn(page, partial(writer.submit, rename))
            case frames.Undo():
                self._in_turn(page, self.finals.undo)
            case frames.Redo():
                self._in_turn(page, self.finals.redo)
            case _:
                pass  # a language while recording, or anything before there is a session: nothing to do

    def _in_turn(self, page: Page, work: Callable[[], Awaitable[Any]]) -> None:
        """Have this done by the database, after what was asked before; sound does not wait behind it."""
        self.spawn(self._asked(page, work))

    async def _asked(self, page: Page, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            async with self._turn:
                await work()
        except (writer.WriterAway, DatabaseError):
            self.finals.away()
            page.close(RESTARTING)  # it comes again and says what it was not answered

    async def _mark(self, page: Page, at_ms: int) -> None:
        within = min(max(0, at_ms), LONGEST_MS)
        await writer.submit(services.add_mark, record_id=self.record_id, at_ms=within)
        page.say(frames.marked(at_ms=at_ms))

    async def _open(self, message: frames.Open, page: Page) -> None:
        if self.status == "new":
            await self._begin(message)
        elif self.status == "live":
            await self._listen(message.provider, message.language)
        if self._session is not None:
            now = time.monotonic()
            if message.intent == "record":
                self._do(self._session.start(now))
            else:
                self._do(self._session.pause(now))  # what is handed over is transcribed; no microphone is awaited
        if message.revision == self.finals.revision:
            page.revision = self.finals.revision
        else:
            self.finals.refresh()

    async def _begin(self, message: frames.Open) -> None:
        """The first page with this id: make the record."""
        began = _moment(message.started_ms)
        await self._listen(message.provider, message.language)
        assert self._relay is not None
        await writer.submit(
            services.open_record,
            id=self.record_id,
            owner_id=self.owner_id,
            title=message.title,
            language=self._relay.language,
            provider=self._relay.provider,
            gateway=self._relay.gateway.address,
            started_at=began,
        )
        self.status = "live"

    async def _listen(self, provider: str = "", language: str = "") -> None:
        """Have a session; the first choice of provider and language stays."""
        if self._session is not None:
            return
        gateway = await read(reading.gateway_of_user, self.owner_id)
        fresh = self.known.status == "new"
        provider = (provider if fresh else self.known.provider) or PROVIDERS[-1]
        provider = provider if provider in PROVIDERS else "assemblyai"
        relay = Relay(self.record_id, gateway, provider, language if fresh else self.known.language)
        relay.on_opened = self._on_opened
        relay.on_event = self._on_event
        relay.on_closed = self._on_closed
        relay.on_blocked = self._on_blocked
        self._relay = relay
        self._session = session.LiveSession(
            floor_ms=self.known.floor_ms,
            connections=self.known.connections,
            pace=gateway.pace,
            says_ended=relay.says_ended,
            forms=relay.forms,
            chance=random.random,
        )
        self._do(self._session.hear(self.spool.samples, time.monotonic()))

    async def reopen(self) -> None:
        """More sound for a record that was over: it is live again. Call before its first new frame."""
        if self._ending:
            await self.ended.wait()
        await writer.submit(services.reopen, record_id=self.record_id)
        self.status, self._ending, self._finish_at = "live", False, None
        self.ended.clear()
        self._session = None
        self.spool.close()
        self.spool = await read(open_spool, self.record_id)
        self.spool.changed = self._on_disk
        self.known = await read(reading.look_up, self.record_id, self.owner_id)
        await self._listen()
        self.finals.refresh()
        captions.change(self.record_id)

    async def _proceed(self, now: float) -> None:
        assert self._session is not None
        if self._session.state is act.State.FAILED and self._relay is not None:
            self._relay.gateway = await read(reading.gateway_of_user, self.owner_id)  # it may have been corrected
        self._do(self._session.proceed(now))

    @property
    def is_over(self) -> bool:
        """Whether the record needs `reopen` before a new frame."""
        return self.status in OVER

    def _finish_when_safe(self) -> None:
        if self._finish_at is None or self.spool.durable < self._finish_at:
            return
        if self.ended.is_set() or (self.is_over and self.known.is_over):
            self._farewell()
        elif not self._ending:
            self.finish()

    def finish(self) -> None:
        """No more sound will come: get the last words, then hand the record to the library."""
        if self._ending or self.status == "new":
            return
        self._ending, self.status = True, "finishing"
        self.spawn(self._finish())

    async def _finish(self) -> None:
        async with self._turn:
            await self._kept(partial(services.begin_finishing, record_id=self.record_id))
        await self._listen()
        assert self._session is not None
        self._do(self._session.hear(self.spool.samples, time.monotonic()))
        self._do(self._session.stop(time.monotonic()))

    async def _hand_over(self, *, complete: bool) -> None:
        """All that was heard is said and saved."""
        await self.finals.settled()
        await self._spooler.flush()
        duration_ms = self.spool.safe_samples // frames.SAMPLES_PER_MS
        await read(keep_count, self.record_id, self.spool.durable, self.spool.wall_ms)
        unheard = "" if complete or self._session is None else services.unheard(self._session.note)
        await self._kept(partial(services.finish, record_id=self.record_id, duration_ms=duration_ms, unheard=unheard))
        self._farewell()

    async def _kept(self, work: Callable[[], Any]) -> None:
        """Have it written, however long the database is away: given up, the dictation would never end."""
        while True:
            try:
                await writer.submit(work)
                self.finals.back()
                return
            except writer.WriterAway:
                self.finals.away()

    def _farewell(self) -> None:
        self._tell_state(time.monotonic())
        if self.page is not None:
            self.page.say(self._ack())  # before the end, which is the last thing a page listens to
            self.page.say(frames.ended(url=f"/transcripts/{self.record_id}/"))
        captions.change(self.record_id)
        self.ended.set()

    def _on_opened(self, number: int) -> None:
        if self._session is not None:
            self._do(self._session.opened(number, time.monotonic()))

    def _on_event(self, number: int, event: events.Event) -> None:
        if self._session is not None:
            self._do(self._session.event(number, event, time.monotonic()))
            if isinstance(event, events.Began):
                self.finals.note_engine(self._session.engine)

    def _on_closed(self, number: int, event: events.Event) -> None:
        if self._session is not None:
            self._do(self._session.closed(number, event, time.monotonic()))

    def _on_blocked(self, number: int, blocked: bool) -> None:
        if self._session is not None and number == self._session.connection:
            self._do(self._session.block(blocked, time.monotonic()))

    def _do(self, actions: list[act.Action]) -> None:
        relay = self._relay
        assert relay is not None
        for action in actions:
            match action:
                case act.Send(start, end):
                    relay.send(self.spool.read(start, end))
                case act.Show(text, start_ms):
                    captions.hear(self.record_id, text)
                    if self.page is not None:
                        self.page.update("partial", frames.partial(text=text, start_ms=start_ms))
                case act.Save(segment, again):
                    self.finals.save(segment, again=again)
                case act.Connect(number, offset_ms):
                    relay.connect(number, offset_ms)
                case act.Close():
                    relay.close()
                case act.Commit():
                    relay.commit()
                case act.End(form):
                    relay.end(form)
                case act.Revise(key, speaker):
                    self.finals.revise(key, speaker)
                case act.Fail(code, message):
                    self._tell_failure(code, message)
                case act.Done(complete):
                    self.spawn(self._hand_over(complete=complete))
                case act.Merge(gone, kept):
                    self.finals.merge(gone, kept)

    def deleted(self) -> None:
        """The record was removed from the library while it was dictated."""
        if self._relay is not None:
            self._relay.close()
        self._session = None
        if self.page is not None:
            self.page.say(frames.error(code="not_yours", message=DELETED, fatal=True))
            self.page.close(NOT_YOURS)

    # --- what the person is told ------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """A few times a second."""
        silent = 0.0 if self.page is None else now - self.page.heard_at
        if self.page is not None and silent > SILENT_SECONDS:
            self.page.close(RESTARTING)  # it is there no more, or its line is dead
            return
        if self.page is not None and silent > WAKE_SECONDS:
            self.page.wake(frames.pong())
        if self.page is not None and self.spool.wants_another_try(now) and now - self.page.told_hole_at > HOLE_SECONDS:
            self.page.told_hole_at = now
            self._greet(self.page)
        if self._session is None:
            return
        self.finals.tick(now)
        self._do(self._session.tick(now))
        self._tell_state(now)
        self._flush(now)
        if self.page is not None and self.status == "live" and now - self._attended_at > ATTEND_SECONDS:
            self._attended_at = now
            writer.collect(reading.note_attendance, (self.record_id, self.spool.safe_samples // frames.SAMPLES_PER_MS))

    def _flush(self, now: float) -> None:
        """Acks go with what is said anyway; at least each half second, and at once when all is durable."""
        if self.page is not None and (now - self._flushed_at > FLUSH_SECONDS or self.spool.durable == self.spool.next):
            self._flushed_at = now
            self.page.flush()

    def _tell_state(self, now: float) -> None:
        if self.page is None or self._session is None or self._relay is None:
            return
        before = self._told[0] if self._told else None
        is_news = before is None or before.state != self._session.word or before.note != self._session.note
        if not is_news and now - self._told_at < 1.0:
            return
        view = self._session.view()
        cost = self._relay.cost
        price = None if cost is None else f"{cost:.4f}"
        if (view, price) == self._told:
            return
        self._told, self._told_at = (view, price), now
        message = frames.state(
            state=view.state, transcribed_ms=view.transcribed_ms, lag_ms=view.lag_ms,
            cost=price, engine=view.engine, note=view.note,
        )  # fmt: skip
        self.page.note("state", message)
        if before is None or before.state != view.state:
            self.page.flush()

    def _tell_failure(self, code: str, message: str) -> None:
        if self.page is not None:
            action = "settings" if code in ("auth", "input") else "retry"
            if code == errors.InsufficientBalance.code:
                message = errors.for_status(402).sentence  # gateways say only that it is so, not what to do
            self.page.say(frames.error(code=code, message=message, action=action))

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on: no page, no connection, nothing being written."""
        if self.page is not None or self._tasks or (self._ending and not self.ended.is_set()):
            return False
        resting = self._session is None or self._session.state in (act.State.IDLE, act.State.FAILED)
        return resting or self.ended.is_set()

    def close(self) -> None:
        """Let go of everything. What is on disk and in the database is all there is to it."""
        if self._relay is not None:
            self._relay.close(at_once=True)
        self._session = None
        for task in self._tasks:
            task.cancel()
        self.spool.changed = lambda: None
        self.spool.close()

    def spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._finished_task)

    def _finished_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("work of dictation %s failed", self.record_id, exc_info=task.exception())


def _moment(told_ms: int) -> datetime:
    """When a page says that it began; now, where its clock cannot be right."""
    now = timezone.now()
    latest = now + timedelta(days=1)  # a clock may go wrong by hours and its zone
    if not OLDEST.timestamp() <= told_ms / 1000 <= latest.timestamp():
        return now
    return datetime.fromtimestamp(told_ms / 1000, UTC)
