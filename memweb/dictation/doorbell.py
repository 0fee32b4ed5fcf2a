"""From the process where somebody dictates to those where an audience looks, by way of the channel layer.

Only with several web processes, which is when REDIS_URL is set. Nothing is stored: interim words that nobody receives
are gone, and a line that changed is read from the database by whoever was rung for.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

logger = logging.getLogger("memweb.dictation")

PACE_SECONDS = 0.2
AGAIN_SECONDS = 3.0
RINGS = bool(settings.REDIS_URL)
_HERE = uuid.uuid4().hex
"""This process: it needs no bell of its own."""

_waiting: dict[uuid.UUID, dict[str, Any]] = {}
_task: asyncio.Task[None] | None = None


def ring(record_id: uuid.UUID, text: str | None) -> None:
    """These words are being said; None: a line is other than before. The latest words of a moment count."""
    global _task
    if not RINGS:
        return
    bell = _waiting.setdefault(record_id, {"type": "captions", "from": _HERE, "text": None, "changed": False})
    if text is None:
        bell["changed"] = True
    else:
        bell["text"] = text
    loop = asyncio.get_running_loop()
    if _task is None or _task.done() or _task.get_loop() is not loop:
        _task = loop.create_task(_send())


async def _send() -> None:
    while _waiting:
        bells = dict(_waiting)
        _waiting.clear()
        for record_id, bell in bells.items():
            try:
                await get_channel_layer().group_send(_group(record_id), bell)
            except Exception as error:  # whatever the layer's own client raises
                logger.warning("the channel layer does not answer (%s)", type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)
                break
        await asyncio.sleep(PACE_SECONDS)


async def listen(record_id: uuid.UUID, rung: Callable[[str | None, bool], None]) -> None:
    """Until cancelled, call `rung` with words being said elsewhere (None: nothing new), and whether a line changed."""
    while RINGS:
        try:
            await _listen(record_id, rung)
        except Exception as error:
            logger.warning("the channel layer does not answer (%s)", type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)


async def _listen(record_id: uuid.UUID, rung: Callable[[str | None, bool], None]) -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(_group(record_id), channel)
    try:
        while True:
            bell = await layer.receive(channel)
            if bell.get("from") != _HERE:
                rung(bell.get("text"), bool(bell.get("changed")))
    finally:
        await layer.group_discard(_group(record_id), channel)


def _group(record_id: uuid.UUID) -> str:
    return f"captions.{record_id.hex}"
