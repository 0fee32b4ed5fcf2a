"""Django's pages on a few long-lived threads.

Stock Django under ASGI makes a thread, and with it a database connection, for every request.
Here each request borrows one of a fixed set: connections stay open (CONN_MAX_AGE) and prepared.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

THREADS = 8


class Pages(ASGIHandler):
    """Runs each request's synchronous parts in the thread that has the fewest requests."""

    def __init__(self, threads: int = THREADS) -> None:
        super().__init__()
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix=f"pages-{number}") for number in range(threads)]
        self._requests = [0] * threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        number = self._requests.index(min(self._requests))
        self._requests[number] += 1
        try:
            async with ThreadSensitiveContext(executor=self._threads[number]):
                await self.handle(scope, receive, send)
        finally:
            self._requests[number] -= 1


django.setup(set_prefix=False)
application = Pages(getattr(settings, "PAGE_THREADS", THREADS))
