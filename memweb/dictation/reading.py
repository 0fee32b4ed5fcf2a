"""What a dictation needs from the database, read on threads of its own: never between a frame and its relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from memweb.accounts.gateways import gateway_in_use
from memweb.accounts.models import User
from memweb.upstream.address import Gateway
from transcripts import queries, services
from transcripts.errors import NotYours
from transcripts.models import Record, Segment

P = ParamSpec("P")
R = TypeVar("R")

_threads = ThreadPoolExecutor(2, thread_name_prefix="memweb-dictation")


async def read(work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking work on one of dictation's two threads."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: _fresh(work, *args, **kwargs))


def _fresh(work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()
    return work(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Known:
    """What the library knows of a dictation. `status` is the record's, or "new"."""

    status: str = "new"
    floor_ms: int = 0
    connections: int = 0
    segments: int = 0
    provider: str = ""
    language: str = ""
    is_over: bool = False
    """Everything was said and done before: only new audio makes it go on."""


def look_up(record_id: UUID, user_id: int) -> Known:
    """Raises NotYours for somebody else's record, and for one in the bin."""
    record = Record.objects.filter(pk=record_id).first()
    if record is None:
        return Known()
    if record.owner_id != user_id or record.deleted_at is not None or record.source != Record.Source.DICTATION:
        raise NotYours(str(record_id))
    keys = Segment.objects.filter(version__record_id=record_id, version__kind="live").values_list("key", flat=True)
    spoken = [int(key.split("-", 1)[0]) for key in keys if key.split("-", 1)[0].isdigit()]
    return Known(
        status=record.status,
        floor_ms=queries.last_committed_ms(record_id),
        connections=max([queries.next_connection(record_id) - 1, *spoken]),
        segments=len(keys),
        provider=record.provider,
        language=record.language,
        is_over=record.ended_at is not None,
    )


def gateway_of_user(user_id: int) -> Gateway:
    """The gateway this person's dictations go to."""
    return gateway_in_use(User.objects.get(pk=user_id))


def take_back_last(*, record_id: UUID, user_id: int) -> str | None:
    """Take back the last phrase still shown; its key, or None where there is none."""
    last = queries.live_segments(record_id).last()
    if last is None:
        return None
    services.take_back(record_id=record_id, key=last.key, user_id=user_id)
    return last.key


def note_attendance(rows: list[tuple[UUID, int]]) -> None:
    """Many sessions were heard just now: (record, length in ms), the last of each counts."""
    services.attend(dict(rows))


def abandoned(idle: timedelta) -> list[tuple[UUID, int]]:
    """(record, owner) of dictations nobody has attended for `idle`, and of those that were finishing in a crash."""
    unheard = Q(status=Record.Status.LIVE, last_heard_at__lt=timezone.now() - idle)
    cut_off = Q(status=Record.Status.FINISHING, ended_at=None)
    found = Record.objects.filter(unheard | cut_off, source=Record.Source.DICTATION, deleted_at=None)
    return list(found.order_by("last_heard_at").values_list("pk", "owner_id")[:50])
