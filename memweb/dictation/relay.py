"""One dictation's line to the gateway: connect, send, hear, keep what was heard word for word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from memweb.speech import meter
from memweb.speech.dialects import LiveClient, LiveOptions, live_client
from memweb.speech.events import Event, Failed
from memweb.speech.frames import SAMPLES_PER_MS
from memweb.speech.session import SHORTEST
from memweb.upstream import live
from memweb.upstream.address import Gateway
from memweb.upstream.errors import UpstreamError
from transcripts import services, writer

logger = logging.getLogger("memweb.dictation")

Told = Callable[[int, Event], None]

# Dialects that have no message for "all is said": after the last commit one can only wait a moment.
_NEVER_SAYS_ENDED = frozenset({"elevenlabs"})


class _Ear:
    """Listens to one connection; `number` tells the session which."""

    def __init__(self, relay: Relay, number: int, offset_ms: int, client: LiveClient) -> None:
        self._relay, self._number, self._offset_ms, self._client = relay, number, offset_ms, client
        self._count = 0

    def heard(self, message: str | bytes) -> None:
        place = self._relay.record_id, self._number, self._count, self._offset_ms
        row = services.MessageRow(*place, self._client.name, datetime.now(UTC), message)
        writer.collect(services.save_messages, row)
        self._count += 1
        for event in self._client.read(message):
            self._relay.on_event(self._number, event)

    def gone(self, code: int, reason: str) -> None:
        self._relay.on_closed(self._number, self._client.closed(code, reason))

    def blocked(self, blocked: bool) -> None:
        self._relay.on_blocked(self._number, blocked)


class Relay:
    """The line. What happens on it is told to the four callbacks, on the event loop."""

    def __init__(self, record_id: UUID, gateway: Gateway, provider: str, language: str) -> None:
        self.record_id, self.gateway, self.provider, self.language = record_id, gateway, provider, language
        self.on_opened: Callable[[int], None] = lambda number: None
        self.on_event: Told = lambda number, event: None
        self.on_closed: Told = lambda number, event: None
        self.on_blocked: Callable[[int, bool], None] = lambda number, blocked: None
        self._connection: live.LiveConnection | None = None
        self._client: LiveClient = live_client(provider)
        self._attempt: asyncio.Task[None] | None = None
        self._rate = None if gateway.built_in else meter.RATES.get(provider)
        self._units = 0
        self._offset_ms = self._sent_ms = 0

    @property
    def says_ended(self) -> bool:
        return self.provider not in _NEVER_SAYS_ENDED

    @property
    def forms(self) -> int:
        """How many ways this dialect has to ask for the end."""
        return len(live_client(self.provider).ends())

    @property
    def cost(self) -> Decimal | None:
        """US dollars so far; None where nobody counts them, as on this machine by itself.

        The gateway built in charges by the place in the recording, whatever is sent again; others by connection.
        """
        return None if self._rate is None else meter.cost(self._all_units(), self._rate)

    def _all_units(self) -> int:
        if self.gateway.built_in:
            return max(self._units, meter.units_of(self._offset_ms + self._sent_ms))
        return self._units + meter.units_of(self._sent_ms)

    def connect(self, number: int, offset_ms: int) -> None:
        self.close()
        self._attempt = asyncio.get_running_loop().create_task(self._connect(number, offset_ms))

    async def _connect(self, number: int, offset_ms: int) -> None:
        client = live_client(self.provider)
        query = [("provider", self.provider), *client.query(LiveOptions(language=self.language or None))]
        try:
            connection = await live.connect(self.gateway.within(str(self.record_id), offset_ms), query)
        except UpstreamError as error:
            self.on_closed(number, Failed(error.code, error.sentence, error.retry))
            return
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("connection %d of dictation %s failed", number, self.record_id)
            self.on_closed(number, Failed("unknown", "The gateway cannot be used just now.", retry=True))
            return
        self._connection, self._client = connection, client
        self._offset_ms = offset_ms
        self._rate = connection.rate if self.gateway.built_in else meter.RATES.get(self.provider)
        self.on_opened(number)
        connection.listen(_Ear(self, number, offset_ms, client))

    def send(self, pcm: bytes) -> None:
        if self._connection is not None:
            self._sent_ms += len(pcm) // (2 * SAMPLES_PER_MS)
            if len(pcm) < 2 * SHORTEST:
                pcm = pcm.ljust(2 * SHORTEST, b"\0")  # providers refuse less than 50 ms
            self._connection.send(self._client.audio(pcm))

    def commit(self) -> None:
        frame = self._client.commit()
        if self._connection is not None and frame is not None:
            self._connection.send(frame)

    def end(self, form: int) -> None:
        forms = self._client.ends()
        if self._connection is not None and form < len(forms):
            self._connection.send(forms[form])

    def close(self, *, at_once: bool = False) -> None:
        """Hang up, `at_once` without waiting for the gateway's goodbye: this loop is about to end."""
        if self._attempt is not None and self._attempt is not asyncio.current_task():
            self._attempt.cancel()
        self._attempt = None
        if self._connection is not None:
            self._connection.close(at_once=at_once)
            self._connection = None
        self._units, self._offset_ms, self._sent_ms = self._all_units(), 0, 0
