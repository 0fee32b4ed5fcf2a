"""Django's pages on a few long-lived threads, and the gateway's HTTP on some of its own.

Stock Django under ASGI makes a thread, and with it a database connection, for every request.
Here each request borrows one of a fixed set: connections stay open (CONN_MAX_AGE) and prepared. It goes through all of
its middleware and its view there, at one change of threads.
An answer of the gateway may take minutes; it must not keep a page waiting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

THREADS = 8
GATEWAY_THREADS = 16
GATEWAY_PATHS = ("/serve/", "/v1/", "/v2/", "/v3/")


class Pages(ASGIHandler):
    """Runs each request, its middleware included, in the thread that has the fewest requests."""

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

    def load_middleware(self, is_async: bool = False) -> None:
        """One synchronous chain: in an asynchronous one every layer of middleware changes threads and back."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


django.setup(set_prefix=False)
_pages = Pages(getattr(settings, "PAGE_THREADS", THREADS))
_gateway = Pages(GATEWAY_THREADS)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """One HTTP request, on the threads of its part of the house."""
    await (_gateway if scope["path"].startswith(GATEWAY_PATHS) else _pages)(scope, receive, send)
