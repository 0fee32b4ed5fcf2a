"""Captions of what is being said, for an audience: one stand for each record and process, however many look at it.

A viewer is shown the state (the last lines, the words being said), never a log of messages: a slow one misses states,
not sense. The database is read for the stand, never for a viewer. The interim words of a dictation come from this
process, or by the doorbell from another. A stream, for which nobody rings, is looked for each second, with the words
that its gateway told last.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from memweb.dictation import doorbell
from memweb.dictation.page import FLOODING, NOT_YOURS, RESTARTING, Send
from memweb.dictation.reading import read
from memweb.speech.text import line
from transcripts import queries, streams
from transcripts.models import Record, Share
from transcripts.taken_away import sharing

logger = logging.getLogger("memweb.dictation")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

LINES = 12
MOST_VIEWERS = 2000
PACE_SECONDS = 0.15
LOOK_SECONDS = 1.0
HEARD_HERE_SECONDS = 5.0
CHECK_SECONDS = 3.0
"""How often it is asked whether the viewers' links still work."""
MOST_MESSAGES = 20
"""A viewer has nothing to say."""
GONE = json.dumps({"t": "gone"})


@dataclass(frozen=True, slots=True)
class Look:
    """What the library knows of a record just now."""

    lines: list[tuple[str, str, str]]
    """Key, who, words: the last of the live text."""
    is_over: bool
    working: set[int]
    """Those of the viewers' links that still work."""
    now: str | None = None
    """The words being said, where the library knows: of a stream."""


class Viewer:
    """One socket: holds at most one message that was not sent yet."""

    def __init__(self, share_id: int) -> None:
        self.share_id = share_id
        self.code: int | None = None
        self._message: str | None = None
        self._wake = asyncio.Event()

    def show(self, message: str) -> None:
        self._message = message
        self._wake.set()

    def close(self, code: int, message: str | None = None) -> None:
        self.code, self._message = code, message or self._message
        self._wake.set()

    async def speak(self, send: Send) -> None:
        """Until it is closed from here."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            message, self._message = self._message, None
            if message is not None:
                await send({"type": "websocket.send", "text": message})
            if self.code is not None and self._message is None:
                await send({"type": "websocket.close", "code": self.code})
                return


class Stand:
    """Where the viewers of one record stand."""

    def __init__(self, record_id: UUID) -> None:
        self.record_id = record_id
        self.viewers: set[Viewer] = set()
        self._lines: list[tuple[str, str, str]] = []
        self._now = self._message = ""
        self._is_over, self._is_stale = False, True
        self._heard_at = self._looked_at = float("-inf")
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._bell: asyncio.Task[None] | None = None

    def add(self, viewer: Viewer) -> None:
        self.viewers.add(viewer)
        if self._message:
            viewer.show(self._message)
        if self._task is None or self._task.done():
            self._is_stale = True
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._bell = asyncio.get_running_loop().create_task(doorbell.listen(self.record_id, self._rung))

    def remove(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        if not self.viewers and self._task is not None and self._bell is not None:
            self._task.cancel()
            self._bell.cancel()
            self._task = self._bell = None

    def hear(self, text: str) -> None:
        """The words being said; none: they are about to become a line, which is awaited."""
        self._now, self._heard_at = text, time.monotonic()
        if text:
            self._wake.set()

    def change(self) -> None:
        """A line came, changed or went."""
        self._is_stale, self._heard_at = True, time.monotonic()
        self._wake.set()

    def _rung(self, text: str | None, changed: bool) -> None:
        """Somebody dictates in another process."""
        if text is not None:
            self.hear(text)
        if changed:
            self.change()

    async def _run(self) -> None:
        while self.viewers:
            try:
                await self._refresh(time.monotonic())
            except DatabaseError:
                logger.warning("captions of %s wait for the database", self.record_id)
            except Exception:
                logger.exception("captions of %s stumbled", self.record_id)
            self._show()
            await asyncio.sleep(PACE_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)
            self._wake.clear()

    async def _refresh(self, now: float) -> None:
        """Look into the library, if there is a reason to."""
        is_here = now - self._heard_at < HEARD_HERE_SECONDS
        waited = now - self._looked_at
        if not self._is_stale and waited < (CHECK_SECONDS if is_here or self._is_over else LOOK_SECONDS):
            return
        self._is_stale, self._looked_at = False, now
        viewers = list(self.viewers)
        found = await read(look, self.record_id, {viewer.share_id for viewer in viewers})
        self._lines, self._is_over = found.lines, found.is_over
        self._now = self._now if found.now is None else found.now
        for viewer in viewers:
            if viewer.share_id not in found.working:
                self.viewers.discard(viewer)
                viewer.close(NOT_YOURS, GONE)

    def _show(self) -> None:
        state = "over" if self._is_over else "live" if self._lines or self._now else "waiting"
        now = "" if self._is_over else self._now
        message = json.dumps({"t": "captions", "state": state, "lines": self._lines, "now": now}, ensure_ascii=False)
        if message != self._message:
            self._message = message
            for viewer in self.viewers:
                viewer.show(message)


_stands: dict[tuple[int, UUID], Stand] = {}


def hear(record_id: UUID, text: str) -> None:
    """Somebody dictates in this process: these words, so far."""
    doorbell.ring(record_id, text)
    stand = _stands.get((id(asyncio.get_running_loop()), record_id)) if _stands else None
    if stand is not None:
        stand.hear(text)


def change(record_id: UUID) -> None:
    """The live text of this record is other than before."""
    doorbell.ring(record_id, None)
    stand = _stands.get((id(asyncio.get_running_loop()), record_id)) if _stands else None
    if stand is not None:
        stand.change()


def close() -> None:
    """The server ends: viewers come again by themselves."""
    for stand in list(_stands.values()):
        for viewer in list(stand.viewers):
            viewer.close(RESTARTING)


def look(record_id: UUID, share_ids: Collection[int]) -> Look:
    """Reads the database: the last lines, whether it is over, and which links still work."""
    record = Record.objects.filter(pk=record_id).first()
    working = Share.objects.working(timezone.now()).filter(pk__in=share_ids, kind=Share.Kind.CAPTIONS)
    if record is None:
        return Look([], True, set())
    last = list(queries.live_segments(record_id).exclude(text="").reverse()[:LINES])
    lines = [(row.key, str(row.speaker or ""), line(row.text)) for row in reversed(last)]
    over = record.ended_at is not None or record.status in (Record.Status.READY, Record.Status.FAILED)
    now = streams.being_said(record) if record.source == Record.Source.STREAM else None
    return Look(lines, over, set(working.values_list("pk", flat=True)), now)


async def captions_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """One viewer: `/ws/captions/<token>/`. Nobody is asked who they are; the token is all."""
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    try:
        share = await read(sharing.followed, scope["url_route"]["kwargs"]["token"], Share.Kind.CAPTIONS)
    except DatabaseError:
        await _refuse(send, RESTARTING)
        return
    if share is None:
        sharing.guesses.missed((scope.get("client") or ("unknown",))[0])
        await _refuse(send, NOT_YOURS, GONE)
        return
    if sum(len(stand.viewers) for stand in _stands.values()) >= MOST_VIEWERS:
        await _refuse(send, RESTARTING)
        return
    key = (id(asyncio.get_running_loop()), share.record_id)
    stand, viewer = _stands.setdefault(key, Stand(share.record_id)), Viewer(share.pk)
    stand.add(viewer)
    try:
        await _attend(viewer, receive, send)
    finally:
        stand.remove(viewer)
        if not stand.viewers:
            _stands.pop(key, None)


async def _refuse(send: Send, code: int, message: str | None = None) -> None:
    """With RESTARTING it comes again by itself."""
    viewer = Viewer(0)
    viewer.close(code, message)
    await viewer.speak(send)


async def _attend(viewer: Viewer, receive: Receive, send: Send) -> None:
    """Until the viewer goes, or is sent away."""
    speaking = asyncio.get_running_loop().create_task(viewer.speak(send))
    listening = asyncio.get_running_loop().create_task(_listen(viewer, receive))
    try:
        await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)


async def _listen(viewer: Viewer, receive: Receive) -> None:
    count = 0
    while (await receive())["type"] != "websocket.disconnect":
        count += 1
        if count > MOST_MESSAGES:
            viewer.close(FLOODING)
