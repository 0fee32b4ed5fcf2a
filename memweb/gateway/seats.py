"""The live sockets of this process, and whose key no longer counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError

from memweb.gateway.keys import Caller, touch, usable
from memweb.gateway.models import Account

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0


class Seats:
    """Every live session of one event loop, with one periodic query for all of them."""

    def __init__(self) -> None:
        self._taken: dict[object, tuple[Caller, Callable[[], None]]] = {}
        self._used_keys: set[int] = set()
        self._check: asyncio.Task[None] | None = None

    @contextmanager
    def taken(self, caller: Caller, cut: Callable[[], None]) -> Iterator[None]:
        """Hold a seat; `cut` is called once the key or the account may no longer stream."""
        seat = object()
        self._taken[seat] = (caller, cut)
        if caller.key_id is not None:
            self._used_keys.add(caller.key_id)
        if self._check is None or self._check.done():
            self._check = asyncio.get_running_loop().create_task(self._check_while_taken())
        try:
            yield
        finally:
            del self._taken[seat]

    async def _check_while_taken(self) -> None:
        while self._taken:
            await asyncio.sleep(CHECK_SECONDS)
            callers = {caller for caller, _ in self._taken.values()}
            used, self._used_keys = self._used_keys, set()
            try:
                allowed = await database_sync_to_async(_allowed)(callers, used)
            except DatabaseError:
                # A database that is away cuts nobody off; the next round asks again.
                logger.warning("Keys of %d live sessions could not be checked", len(self._taken))
                self._used_keys |= used
                continue
            for caller, cut in list(self._taken.values()):
                if caller in callers and caller not in allowed:
                    cut()


def _allowed(callers: set[Caller], used_keys: set[int]) -> set[Caller]:
    """Those who may still stream. Also notes when keys were last used."""
    if used_keys:
        touch(key_ids=used_keys)
    key_ids = {caller.key_id for caller in callers if caller.key_id is not None}
    keys_left = set(usable().filter(pk__in=key_ids, streams_allowed=True).values_list("pk", flat=True))
    account_ids = {caller.account_id for caller in callers}
    accounts = Account.objects.filter(pk__in=account_ids, streams_allowed=True, user__is_active=True)
    accounts_left = set(accounts.values_list("pk", flat=True))
    return {
        caller
        for caller in callers
        if caller.account_id in accounts_left and (caller.key_id is None or caller.key_id in keys_left)
    }


seats = Seats()
