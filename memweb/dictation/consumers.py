"""The page's socket, as a plain ASGI application with a receive loop of its own.

Channels' consumers go through the one shared thread before every message; here a frame costs a few microseconds, and
nobody's slow query holds up anybody's sound. On memweb's own server (its extension memweb.direct) a frame is taken, and
an answer said, without even a turn of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from memweb.dictation import watch
from memweb.dictation.dictation import Dictation
from memweb.dictation.page import FLOODING, NOT_YOURS, RESTARTING, SIGNED_OUT, Page, Send
from memweb.dictation.recording import Held
from memweb.dictation.registry import registry
from memweb.speech import frames
from transcripts.errors import NotYours
from transcripts.writer import WriterAway

logger = logging.getLogger("memweb.dictation")

DIRECT = "memweb.direct"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

FOREIGN = frames.error(
    code="not_yours", message="This dictation is not in your library. Start a new one.", fatal=True
)  # one answer for what does not exist and for what is somebody else's
AWAY = frames.error(code="database", message="The database does not answer. Your browser keeps the recording.")
ELSEWHERE = frames.error(
    code="database", message="Another part of the server still holds this dictation. Your browser keeps the recording."
)
BROKEN = frames.error(code="input", message="The page sent something unreadable. Reload it; nothing is lost.")


async def dictation_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """One page, one dictation: `/ws/dictation/<uuid>/`."""
    connected = await receive()
    if connected["type"] != "websocket.connect":
        return
    page = Page(send, time.monotonic(), scope.get("extensions", {}).get(DIRECT))
    attendance = Attendance(page)
    await send({"type": "websocket.accept", "hear": attendance.take_at_once})
    user = scope["user"]
    speaking = asyncio.get_running_loop().create_task(page.speak())
    try:
        if not user.is_authenticated:
            page.say(watch.signed_out())
            page.close(SIGNED_OUT)
        else:
            watch.add(page, scope["session"].session_key)
            attendance.dictation = await _attend(scope["url_route"]["kwargs"]["record_id"], user.pk, page)
        await _converse(receive, page, attendance)
    finally:
        watch.remove(page)
        if attendance.dictation is not None:
            attendance.dictation.lost(page)
        speaking.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await speaking


class Attendance:
    """A page at its dictation, which it has once the library has been asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dictation: Dictation | None = None
        self._busy = False  # with a message that came before

    def take_at_once(self, frame: bytes) -> bool:
        """Take a frame of a dictation that runs, if nothing is in its way; else it waits for its turn."""
        dictation = self.dictation
        if self._busy or dictation is None or dictation.page is not self.page or dictation.status != "live":
            return False
        if dictation.spool.is_full:
            return False
        self.page.heard_at = time.monotonic()
        try:
            dictation.hear(frame, self.page)
        except frames.BadFrame:
            _bad(self.page)
        return True

    async def listen(self, receive: Receive) -> None:
        """Take and obey until the page is gone."""
        while True:
            self._busy = False
            message = await receive()
            self._busy = True
            if message["type"] == "websocket.disconnect":
                return
            if self.dictation is not None and self.dictation.page is self.page:  # else it was already told to go
                await self._hear(message, self.page, self.dictation)

    @staticmethod
    async def _hear(message: dict[str, Any], page: Page, dictation: Dictation) -> None:
        page.heard_at = time.monotonic()
        frame = message.get("bytes")
        try:
            if frame is not None:
                await _take(frame, page, dictation)
            else:
                await _obey(message.get("text") or "", page, dictation)
        except (WriterAway, DatabaseError):
            page.say(AWAY)
            page.close(RESTARTING)
        except NotYours:
            page.say(FOREIGN)
            page.close(NOT_YOURS)


async def _attend(record_id: UUID, user_id: int, page: Page) -> Dictation | None:
    try:
        dictation = await registry().attend(record_id, user_id)
    except NotYours:
        page.say(FOREIGN)
        page.close(NOT_YOURS)
        return None
    except Held:  # by a process that is ending, or that this page was connected to before: it lets go in a while
        page.say(ELSEWHERE)
        page.close(RESTARTING)
        return None
    except (DatabaseError, OSError):
        logger.warning("dictation %s could not be opened", record_id, exc_info=True)
        page.say(AWAY)
        page.close(RESTARTING)
        return None
    await dictation.admit(page)
    return dictation


async def _converse(receive: Receive, page: Page, attendance: Attendance) -> None:
    """Until the page is gone, silent for too long, or was closed from here."""
    closed = asyncio.get_running_loop().create_task(page.closed.wait())
    listening = asyncio.get_running_loop().create_task(attendance.listen(receive))
    try:
        await asyncio.wait({closed, listening}, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            listening.result()
    finally:
        for task in (closed, listening):
            task.cancel()
        await asyncio.gather(closed, listening, return_exceptions=True)


async def _take(frame: bytes, page: Page, dictation: Dictation) -> None:
    """Nothing here waits, but for a disk that is behind, and for a record that was over to be opened again."""
    if dictation.status != "live":
        if not dictation.is_over or not _is_new(frame, dictation):
            page.ignored += 1
            return
        await dictation.reopen()
        if dictation.page is not page:  # another page came meanwhile
            return
    try:
        dictation.hear(frame, page)
    except frames.BadFrame:
        _bad(page)
    if dictation.spool.is_full:
        dictation.spool.relieved.clear()
        await dictation.spool.relieved.wait()


def _is_new(frame: bytes, dictation: Dictation) -> bool:
    try:
        return frames.parse(frame).number >= dictation.spool.next
    except frames.BadFrame:
        return False


async def _obey(text: str, page: Page, dictation: Dictation) -> None:
    if not page.counts_text(page.heard_at):
        page.close(FLOODING)
        return
    try:
        message = frames.parse_message(text)
    except frames.BadMessage:
        _bad(page)
        return
    await dictation.obey(message, page)


def _bad(page: Page) -> None:
    page.bad += 1
    if page.bad == 1:
        page.say(BROKEN)
    if page.bad > 20:
        page.close(FLOODING)
