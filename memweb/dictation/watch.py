"""Who signs out loses the sockets opened with that session: looked up every five seconds, for all of them at once."""

from __future__ import annotations

import asyncio
import logging

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from memweb.accounts.models import User
from memweb.dictation.page import SIGNED_OUT, Page
from memweb.dictation.reading import read
from memweb.speech import frames

logger = logging.getLogger("memweb.dictation")

EVERY_SECONDS = 5.0

_pages: dict[Page, str] = {}
_task: asyncio.Task[None] | None = None


def add(page: Page, session_key: str) -> None:
    """Close this page once its session is no longer valid."""
    global _task
    _pages[page] = session_key
    loop = asyncio.get_running_loop()
    if _task is None or _task.done() or _task.get_loop() is not loop:
        _task = loop.create_task(_watch())


def remove(page: Page) -> None:
    _pages.pop(page, None)


async def _watch() -> None:
    """Ends by itself when no page is left."""
    while _pages:
        await asyncio.sleep(EVERY_SECONDS)
        asked = dict(_pages)  # a page that opens while the answer is awaited was not asked about
        try:
            valid = await read(valid_sessions, set(asked.values()))
        except DatabaseError:
            continue  # nobody is signed out because the database is away
        for page, key in asked.items():
            if key not in valid:
                page.say(signed_out())
                page.close(SIGNED_OUT)


def signed_out() -> str:
    return frames.error(
        code="signed_out",
        message="You are signed out. Your browser keeps the recording; sign in to go on.",
        action="sign-in",
        fatal=True,
    )


def valid_sessions(keys: set[str]) -> set[str]:
    """Those of these session keys with which their person is still signed in."""
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    told = {row.session_key: row.get_decoded() for row in rows}
    users = User.objects.filter(is_active=True).in_bulk(
        [int(data[SESSION_KEY]) for data in told.values() if SESSION_KEY in data]
    )
    return {key for key, data in told.items() if _holds(data, users)}


def _holds(data: dict[str, str], users: dict[int, User]) -> bool:
    user = users.get(int(data.get(SESSION_KEY, 0)))
    return user is not None and constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
