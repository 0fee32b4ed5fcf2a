"""What live sessions of this process owe: counted on the frame path, written to the ledger beside it.

A frame costs a comparison. When it begins a unit, the till looks whether the balance, less what is not written yet,
pays for it; the charge itself is written at once by a thread of its own, then no more often than once a second, all
that waits in one transaction. What a crash keeps from being written is the unit or so begun in that second; a
dictation of memweb's own app tells how far it had come when it connects again, and is charged for it then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from weakref import WeakValueDictionary

from django.db import Error as DatabaseError
from django.db import close_old_connections

from memweb.gateway import ledger
from memweb.gateway.ledger import Heard
from memweb.speech.meter import UNIT_MS, Meter

logger = logging.getLogger(__name__)

SPACING_SECONDS = 1.0
EMPTY = "The balance is used up. Add to it, then go on."

_thread = ThreadPoolExecutor(1, thread_name_prefix="memweb-till")


class Empty(Exception):
    """The balance does not pay for one unit."""


class _Purse:
    """What one account has, as this process knows it."""

    def __init__(self) -> None:
        self.balance: Decimal | None = None
        self.unwritten = Decimal(0)

    def pays(self, amount: Decimal) -> bool:
        return self.balance is None or self.balance - self.unwritten >= amount


@dataclass(frozen=True, slots=True)
class _Due:
    heard: Heard
    amount: Decimal
    purse: _Purse


class Tab:
    """One session's account with the till."""

    def __init__(self, till: Till, purse: _Purse, begun: Heard, paid_units: int) -> None:
        """`begun.audio_ms` is how much of the session had been heard before, on other connections."""
        self._till, self._purse, self._begun = till, purse, begun
        self.rate = begun.rate
        self._meter = Meter(begun.rate, paid_units)
        self._paid_ms = paid_units * UNIT_MS

    @property
    def is_limited(self) -> bool:
        """Whether the account has a balance that can be used up."""
        return self._purse.balance is not None

    def heard(self, audio_ms: int) -> bool:
        """This connection has had so much audio in all. False: the balance does not pay for it, so pass none of it on.

        Audio before the place this connection began at, or that was charged before, costs nothing.
        """
        total = self._begun.audio_ms + audio_ms
        if total <= self._paid_ms:
            return True
        return self._charge(total)

    def _charge(self, total: int) -> bool:
        before = self._meter.units
        charge = self._meter.due(total)
        if not self._purse.pays(charge.amount):
            self._meter = Meter(self._begun.rate, before)
            return False
        self._paid_ms = self._meter.units * UNIT_MS
        self._till.owe(_Due(replace(self._begun, audio_ms=total), charge.amount, self._purse))
        return True


class Till:
    """Every tab of one event loop, and the one writer of their charges."""

    def __init__(self) -> None:
        self._purses: WeakValueDictionary[int, _Purse] = WeakValueDictionary()
        self._dues: dict[tuple[int, str], _Due] = {}
        self._writer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    async def open(self, *, account_id: int, session: str, provider: str, offset_ms: int = 0) -> Tab:
        """A tab for one connection of a session, `offset_ms` into it. Raises Empty."""
        begun = Heard(account_id, session, provider, ledger.rate_of(provider), offset_ms)
        standing = await asyncio.get_running_loop().run_in_executor(_thread, _standing, begun)
        purse = self._purses.get(account_id) or _Purse()
        self._purses[account_id] = purse
        purse.balance, paid_units = standing
        waiting = self._dues.get((account_id, session))
        if waiting is not None:
            paid_units = max(paid_units, -(-waiting.heard.audio_ms // UNIT_MS))
        if not purse.pays(Meter(begun.rate, paid_units).next):
            raise Empty(EMPTY)
        return Tab(self, purse, begun, paid_units)

    def owe(self, due: _Due) -> None:
        """Write this soon."""
        due.purse.unwritten += due.amount
        self._keep(due)
        if self._writer is None or self._writer.done():
            self._hurry = asyncio.Event()
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        """Write what waits, now."""
        if self._writer is not None and not self._writer.done():
            self._hurry.set()
            await self._writer

    def _keep(self, due: _Due) -> None:
        """The furthest a session has come is all that is written of it."""
        key = due.heard.account_id, due.heard.session
        known = self._dues.get(key)
        if known is not None:
            furthest = max(due.heard, known.heard, key=lambda heard: heard.audio_ms)
            due = _Due(furthest, due.amount + known.amount, due.purse)
        self._dues[key] = due

    async def _write(self) -> None:
        while self._dues:
            written = await self._flush()
            if self._hurry.is_set() and not written:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), SPACING_SECONDS)

    async def _flush(self) -> bool:
        """Whether it could be written; what could not is kept for the next time."""
        dues, self._dues = self._dues, {}
        heard = [due.heard for due in dues.values()]
        try:
            balances = await asyncio.get_running_loop().run_in_executor(_thread, _charge, heard)
        except DatabaseError:
            # A database that is away stops nobody: charges wait for it.
            logger.warning("Charges of %d live sessions could not be written yet", len(dues))
            for due in dues.values():
                self._keep(due)
            return False
        for due in dues.values():
            due.purse.unwritten -= due.amount
            due.purse.balance = balances.get(due.heard.account_id, Decimal(0))
        return True


def _standing(begun: Heard) -> tuple[Decimal | None, int]:
    close_old_connections()
    return ledger.standing(account_id=begun.account_id, session=begun.session)


def _charge(heard: Iterable[Heard]) -> dict[int, Decimal | None]:
    close_old_connections()
    return ledger.charge_heard(heard)


till = Till()
