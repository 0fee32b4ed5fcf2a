"""Delivers what the outbox holds: in order within a task, side by side across tasks, until it is accepted.

A lane is leased to one process at a time; what a killed one held is taken up when its lease has run out. A message
may then arrive twice, with the same id: at least once, never out of order.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import httpx
from channels.db import database_sync_to_async
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from memweb.gateway import guard, signature
from memweb.gateway.models import Attempt, Delivery, Lane, WebhookEndpoint
from memweb.speech import text
from memweb.whereabouts import own_address

logger = logging.getLogger(__name__)

SCHEDULE_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""How long to wait after each failure: the table of Standard Webhooks. After the last try a delivery is given up."""
TIMEOUT_S = 15.0
FAILING = timedelta(days=1)
"""An address that accepted nothing for so long is paused, and everything for it waits."""
LEASE = timedelta(seconds=12)
RENEW_S = 3.0
POLL_S = 0.5
MOST_AT_ONCE = 64
MOST_OF_ONE_ACCOUNT = 8
_EXCERPT_BYTES = 2048
_EXCERPT = 500
State = Delivery.State


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery, ready to be posted."""

    delivery_id: int
    lane_id: int
    url: str
    secrets: tuple[str, ...]
    header: tuple[str, str]
    webhook_id: str
    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try."""

    at: datetime
    ms: int
    status: int | None
    excerpt: str
    retry_after_s: int = 0

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


# What is read and written: each one transaction, off the event loop.


def due(now: datetime) -> QuerySet[Lane]:
    """Lanes with something to send now that nobody holds."""
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    has_address = ~Q(url="") | Q(account__webhook__state=WebhookEndpoint.State.ACTIVE)
    return Lane.objects.filter(free, has_address, due_at__lte=now).order_by("due_at")


def claim(*, lease: str, most: int, busy: dict[int, int]) -> list[tuple[int, int]]:
    """Lease up to `most` lanes; (lane, account) of each. `busy`: how many of an account's are in hand already."""
    now = timezone.now()
    if most < 1 or not due(now).exists():
        return []
    crowded = [account for account, count in busy.items() if count >= MOST_OF_ONE_ACCOUNT]
    room = Counter(busy)
    taken: list[tuple[int, int]] = []
    with transaction.atomic():
        lanes = due(now).exclude(account_id__in=crowded).select_for_update(skip_locked=True, of=("self",))
        for lane_id, account_id in lanes.values_list("pk", "account_id")[: 4 * most]:
            if len(taken) < most and room[account_id] < MOST_OF_ONE_ACCOUNT:
                room[account_id] += 1
                taken.append((lane_id, account_id))
        held = Lane.objects.filter(pk__in=[lane_id for lane_id, _ in taken])
        held.update(lease=lease, leased_until=now + LEASE)
    return taken


def renew(*, lease: str, lane_ids: list[int]) -> None:
    """Hold these lanes for longer. One that nobody carries any more is left out, and can be taken up again."""
    Lane.objects.filter(lease=lease, pk__in=lane_ids).update(leased_until=timezone.now() + LEASE)


def release(*, lease: str, lane_ids: list[int] | None = None) -> None:
    """Let go of these lanes, or of all that are held under this lease."""
    held = Lane.objects.filter(lease=lease)
    (held if lane_ids is None else held.filter(pk__in=lane_ids)).update(lease="", leased_until=None)


def next_letter(*, lane_id: int, lease: str) -> Letter | None:
    """The delivery in front; None, and the lane is let go, when nothing is to be sent now."""
    now = timezone.now()
    with transaction.atomic():
        held = Lane.objects.select_for_update(of=("self",)).filter(pk=lane_id, lease=lease)
        lane = held.select_related("account__webhook").first()
        if lane is None:
            return None
        endpoint = None if lane.url else WebhookEndpoint.objects.filter(account_id=lane.account_id).first()
        front = lane.deliveries.filter(state=State.WAITING).order_by("number").first()
        may_send = bool(lane.url) or (endpoint is not None and endpoint.state == WebhookEndpoint.State.ACTIVE)
        if front is None or not may_send or (lane.due_at or now) > now:
            lane.due_at = None if front is None else lane.due_at
            lane.lease, lane.leased_until = "", None
            lane.save(update_fields=["due_at", "lease", "leased_until"])
            return None
    return _letter(lane, front, endpoint, now)


def _letter(lane: Lane, front: Delivery, endpoint: WebhookEndpoint | None, now: datetime) -> Letter:
    keys: tuple[str, ...] = ()
    if endpoint is not None:
        former = endpoint.former_secret if endpoint.former_until and endpoint.former_until > now else ""
        keys = tuple(filter(None, (endpoint.secret, former)))
    url = lane.url or (endpoint.url if endpoint else "")
    header = (lane.header_name, lane.header_value)
    return Letter(front.pk, lane.pk, url, keys, header, front.webhook_id, front.number, bytes(front.body))


@transaction.atomic
def record(*, letter: Letter, lease: str, outcome: Outcome) -> bool:
    """Keep what came of it, and when to go on. False once the lane is somebody else's: then only the try is kept."""
    Attempt.objects.create(
        delivery_id=letter.delivery_id, at=outcome.at, ms=outcome.ms, status=outcome.status, excerpt=outcome.excerpt
    )
    lane = Lane.objects.select_for_update().filter(pk=letter.lane_id).first()
    if lane is None:
        return False
    if outcome.accepted:
        _accept(lane, letter, outcome)
    elif lane.lease == lease:
        _refuse(lane, letter, outcome)
    return lane.lease == lease


def _accept(lane: Lane, letter: Letter, outcome: Outcome) -> None:
    """However late this is known: it was received."""
    Delivery.objects.filter(pk=letter.delivery_id).update(state=State.DELIVERED, delivered_at=outcome.at)
    Lane.objects.filter(pk=lane.pk).update(tries=0)
    if not lane.url:
        failing = WebhookEndpoint.objects.filter(account_id=lane.account_id, failing_since__isnull=False)
        failing.update(failing_since=None)


def _refuse(lane: Lane, letter: Letter, outcome: Outcome) -> None:
    tries = lane.tries + 1
    given_up = tries > len(SCHEDULE_S) or (outcome.status == httpx.codes.GONE and bool(lane.url))
    if given_up:
        Delivery.objects.filter(pk=letter.delivery_id).update(state=State.GIVEN_UP)
        Lane.objects.filter(pk=lane.pk).update(tries=0, due_at=outcome.at)
    else:
        wait = max(SCHEDULE_S[tries - 1], outcome.retry_after_s) * random.uniform(1.0, 1.1)  # noqa: S311 - apart, not secret
        Lane.objects.filter(pk=lane.pk).update(tries=tries, due_at=timezone.now() + timedelta(seconds=wait))
    if not lane.url:
        _blame(lane.account_id, letter.url, outcome)


def _blame(account_id: int, url: str, outcome: Outcome) -> None:
    """Note that the address fails; after a day of nothing else it is paused, and once it says 410 it is left alone."""
    endpoint = WebhookEndpoint.objects.select_for_update().filter(account_id=account_id, url=url).first()
    if endpoint is None:
        return
    endpoint.failing_since = endpoint.failing_since or outcome.at
    if outcome.status == httpx.codes.GONE:
        endpoint.state = WebhookEndpoint.State.GONE
    elif endpoint.state == WebhookEndpoint.State.ACTIVE and outcome.at - endpoint.failing_since >= FAILING:
        endpoint.state = WebhookEndpoint.State.FAILING
    endpoint.save(update_fields=["failing_since", "state"])


# Posting


def leads_home(letter: Letter) -> bool:
    """Whether it goes to this server's own door for callbacks, with no header of a caller's.

    Nothing else goes to this server past the guard: what comes from this machine may be trusted here, and whoever
    named the address is shown what was answered.
    """
    door = re.escape(f"{own_address()}/hooks/") + r"[\w-]+/?"
    return letter.header == ("", "") and re.fullmatch(door, letter.url, re.ASCII) is not None


async def post(web: httpx.AsyncClient, letter: Letter) -> Outcome:
    """Try once. Never raises but for cancellation."""
    at, began = timezone.now(), time.monotonic()
    told = signature.headers(letter.secrets, letter.webhook_id, int(at.timestamp()), letter.number, letter.body)
    name, value = letter.header
    told |= {name: value} if name else {}
    status, excerpt, retry_after = None, "", ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async with web.stream("POST", letter.url, content=letter.body, headers=told) as answer:
                status, retry_after = answer.status_code, answer.headers.get("retry-after", "")
                excerpt = await _excerpt(answer)
    except TimeoutError:
        excerpt = excerpt or f"No answer within {TIMEOUT_S:.0f} s."
    except guard.Forbidden as error:
        excerpt = str(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        excerpt = f"The connection failed ({type(error).__name__})."
    ms = int((time.monotonic() - began) * 1000)
    wait = int(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 6 else 0
    return Outcome(at, ms, status, text.line(excerpt)[:_EXCERPT], min(wait, SCHEDULE_S[-1]))


async def _excerpt(answer: httpx.Response) -> str:
    """The beginning of the body as it came, read no further: a few packed bytes unfold to more than memory holds."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        return ""  # nobody asked for it packed
    read = b""
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) >= _EXCERPT_BYTES:
            break
    return read[:_EXCERPT_BYTES].decode("utf-8", "replace")


class Courier:
    """Delivers until told to stop. `bell` saves it the wait for the next look when something was just written."""

    def __init__(self, lease: str) -> None:
        self._lease = lease
        self._web = guard.async_client(redirects=False, silent_s=TIMEOUT_S)
        self._home = guard.unguarded_client(silent_s=TIMEOUT_S)
        self._carrying: dict[int, tuple[int, asyncio.Task[None]]] = {}
        self.bell = asyncio.Event()

    async def run(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            self.bell.clear()
            try:
                await self._take_up()
            except DatabaseError:
                logger.warning("The outbox could not be read; tried again in %.1f s", POLL_S)
            await _first_of(POLL_S, self.bell, ended)

    async def renew(self) -> None:
        """Hold for longer what is in hand."""
        await database_sync_to_async(renew)(lease=self._lease, lane_ids=list(self._carrying))

    async def stop(self, grace_s: float) -> None:
        """Let what is being posted be answered for so long, then let go of everything."""
        tasks = [task for _, task in self._carrying.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database_sync_to_async(release)(lease=self._lease)
        await self._web.aclose()
        await self._home.aclose()

    async def _take_up(self) -> None:
        busy = dict(Counter(account_id for account_id, _ in self._carrying.values()))
        most = MOST_AT_ONCE - len(self._carrying)
        for lane_id, account_id in await database_sync_to_async(claim)(lease=self._lease, most=most, busy=busy):
            if lane_id in self._carrying:
                continue  # its lease ran out under this very process, which goes on with it
            task = asyncio.get_running_loop().create_task(self._carry(lane_id))
            self._carrying[lane_id] = (account_id, task)
            task.add_done_callback(partial(self._put_down, lane_id))

    def _put_down(self, lane_id: int, task: asyncio.Task[None]) -> None:
        del self._carrying[lane_id]
        self.bell.set()

    async def _carry(self, lane_id: int) -> None:
        """Send what this lane holds, one after the other, until it is empty or must wait."""
        try:
            while letter := await database_sync_to_async(next_letter)(lane_id=lane_id, lease=self._lease):
                outcome = await post(self._home if leads_home(letter) else self._web, letter)
                if not await database_sync_to_async(record)(letter=letter, lease=self._lease, outcome=outcome):
                    return
        except DatabaseError:
            # The lease runs out, and the message goes again: at least once.
            logger.warning("lane %s: what came of a delivery could not be kept", lane_id)


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
