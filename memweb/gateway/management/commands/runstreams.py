"""`manage.py runstreams`: delivers callbacks and pulls streams until told to stop. `up` starts it by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand

from memweb.gateway.station import Station
from memweb.supervised import watch_supervisor


class Command(BaseCommand):
    help = "Deliver callbacks to webhooks and pull streams, until TERM."

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns on TERM or INT, once what is in hand was let go of."""
        watch_supervisor()
        asyncio.run(_serve())


async def _serve() -> None:
    await Station().run()
