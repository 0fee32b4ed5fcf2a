"""The finals of one dictation: kept first, then shown; taken back, put back, and shown whole to a page that lags."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from memweb.dictation import captions, fragments, reading
from memweb.dictation.page import Page
from memweb.dictation.reading import read
from memweb.speech import frames
from memweb.speech.transcript import Segment
from transcripts import services, writer
from transcripts.models import Segment as Row

logger = logging.getLogger("memweb.dictation")

DATABASE = "The database does not answer. Sound is kept; words appear when it is back."
AWAY_SECONDS = 10.0  # so long words wait for it before that is said


class Speaker(Protocol):
    """The dictation these finals belong to."""

    record_id: UUID
    owner_id: int
    page: Page | None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...

    def deleted(self) -> None: ...


class Finals:
    """`revision` grows with every change. A new process begins elsewhere, so that pages ask for the whole."""

    def __init__(self, dictation: Speaker, *, revision: int) -> None:
        self._dictation, self.revision = dictation, revision
        self._engine = ""
        self._taken_back: list[str] = []
        self._in_flight: list[str] = []  # keys on their way into the database
        self._waits_since = 0.0
        self._is_away = False
        self._is_disordered = False  # some were given up and come after what was said later
        self._drawing = 0
        self._settled = asyncio.Event()
        self._settled.set()

    def save(self, segment: Segment, *, again: bool) -> None:
        """Keep it, then show it; `again` where it takes the place of what its key was before."""
        if not self._in_flight:
            self._waits_since = time.monotonic()
        self._in_flight.append(segment.key)
        self._look()
        future = writer.join(services.save_finals, services.FinalRow(self._dictation.record_id, segment))
        future.add_done_callback(lambda done: self._saved(done, segment, again=again))

    def _saved(self, done: asyncio.Future[Row], segment: Segment, *, again: bool) -> None:
        self._in_flight.remove(segment.key)
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, writer.WriterAway):
            self.away()
            self._is_disordered = True
            self.save(segment, again=again)  # words are never given up
        elif isinstance(error, ObjectDoesNotExist):
            self._dictation.deleted()
        elif error is not None:
            logger.error("a final of dictation %s could not be kept", self._dictation.record_id, exc_info=error)
        else:
            self._waits_since = time.monotonic()
            self.back()
            self.revision += 1
            captions.change(self._dictation.record_id)
            if not self._is_disordered:
                self._show(segment, again=again)
        if self._is_disordered and not self._in_flight:
            self._is_disordered = False
            self.refresh()
        self._look()

    def _show(self, segment: Segment, *, again: bool) -> None:
        page = self._dictation.page
        if page is not None and page.revision is not None:
            page.revision = self.revision
            again = again or segment.key in page.shown
            page.say(frames.html(revision=self.revision, html=fragments.final(segment, again=again)))

    async def settled(self) -> None:
        """Return when all that was said is kept, and shown in order."""
        await self._settled.wait()

    def _look(self) -> None:
        if self._in_flight or self._drawing:
            self._settled.clear()
        else:
            self._settled.set()

    def tick(self, now: float) -> None:
        """A few times a second."""
        if self._in_flight and now - self._waits_since > AWAY_SECONDS:
            self.away()

    def away(self) -> None:
        """Say that the database does not answer, once."""
        if not self._is_away:
            self._is_away = True
            self._tell(DATABASE)

    def back(self) -> None:
        """It answers: what was said of it is over."""
        if self._is_away:
            self._is_away = False
            self._tell("")

    def _tell(self, message: str) -> None:
        page = self._dictation.page
        if page is not None:
            page.say(frames.error(code="database", message=message))

    def note_engine(self, name: str) -> None:
        """Say who hears them, once for each. Not worth a failure."""
        if name and name != self._engine:
            self._engine = name
            future = writer.submit(services.note_model, record_id=self._dictation.record_id, model=name)
            future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def revise(self, key: str, speaker: str | None) -> None:
        """A later word on who spoke. Not worth a failure."""
        future = writer.submit(services.revise_speaker, record_id=self._dictation.record_id, key=key, speaker=speaker)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def merge(self, gone: str, kept: str) -> None:
        """Two labels are one voice. Not worth a failure."""
        future = writer.submit(services.merge_labels, record_id=self._dictation.record_id, gone=gone, kept=kept)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def undo(self) -> None:
        """Take back the last phrase still shown."""
        owner = self._dictation.owner_id
        key = await writer.submit(reading.take_back_last, record_id=self._dictation.record_id, user_id=owner)
        if key is not None:
            self._taken_back.append(key)
            self.refresh(changed=True)

    async def redo(self) -> None:
        """Put back the phrase taken back last."""
        if self._taken_back:
            key, owner = self._taken_back.pop(), self._dictation.owner_id
            await writer.submit(services.put_back, record_id=self._dictation.record_id, key=key, user_id=owner)
            self.refresh(changed=True)

    def refresh(self, *, changed: bool = False) -> None:
        """Give the page the whole log."""
        self.revision += changed
        if changed:
            captions.change(self._dictation.record_id)
        page = self._dictation.page
        if page is not None:
            page.revision = None
            self._drawing += 1
            self._look()
            self._dictation.spawn(self._snapshot(page))

    async def _snapshot(self, page: Page) -> None:
        """What becomes final meanwhile is in the log or is asked for once more: nothing is shown twice."""
        try:
            while True:
                revision = self.revision
                html, keys = await read(fragments.log, self._dictation.record_id)
                if revision == self.revision:
                    break
            page.say(frames.html(revision=revision, html=html))
            page.revision = revision
            # Committed and read, but not yet known here to be committed: it must not be appended once more.
            page.shown = keys.intersection(self._in_flight)
        finally:
            self._drawing -= 1
            self._look()
