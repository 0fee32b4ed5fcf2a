"""Requests run on a fixed set of threads, each on one of them alone, and a slow one does not hold up the rest."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from memweb.pages import Pages

ENTERED = threading.Semaphore(0)
LET_GO = threading.Event()
SERVED_BY: list[threading.Thread] = []


def name(request: HttpRequest) -> HttpResponse:
    SERVED_BY.append(threading.current_thread())
    return HttpResponse(threading.current_thread().name)


def slow(request: HttpRequest) -> HttpResponse:
    ENTERED.release()
    LET_GO.wait(20)
    return name(request)


async def awaits(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(name)(request)


class Layer(MiddlewareMixin):
    """As most of Django's: for both kinds of chain."""

    def process_request(self, request: HttpRequest) -> None:
        SERVED_BY.append(threading.current_thread())

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        SERVED_BY.append(threading.current_thread())
        return response


urlpatterns = [path("name", name), path("slow", slow), path("awaits", awaits)]


@pytest.fixture(autouse=True)
def these_routes(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    LET_GO.clear()
    SERVED_BY.clear()


async def get(handler: ASGIHandler, address: str) -> str:
    """The body of an answer."""
    sent: list[dict[str, Any]] = []
    asked = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if asked.is_set():
            await asyncio.Event().wait()  # the client stays
        asked.set()
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": f"/{address}", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ["127.0.0.1", 1], "server": ["127.0.0.1", 80],
    }  # fmt: skip
    await handler(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent).decode()


async def test_many_requests_make_few_threads() -> None:
    pages = Pages(threads=3)
    await asyncio.gather(*(get(pages, "name") for _ in range(40)))
    first = set(SERVED_BY)
    await asyncio.gather(*(get(pages, "name") for _ in range(40)))
    assert len(SERVED_BY) == 80
    assert len(first) == 3
    assert set(SERVED_BY) == first, "the same threads, with their connections"


async def test_stock_django_makes_a_thread_for_each_request() -> None:
    stock = ASGIHandler()
    for _ in range(5):
        await get(stock, "name")
    assert len(set(SERVED_BY)) == 5


async def test_a_slow_page_holds_up_nobody_while_threads_are_free() -> None:
    pages = Pages(threads=2)
    waiting = asyncio.create_task(get(pages, "slow"))
    assert await asyncio.to_thread(ENTERED.acquire, timeout=20)
    async with asyncio.timeout(10):
        quick = await get(pages, "name")
    assert not waiting.done()
    LET_GO.set()
    assert (await waiting) != quick


async def test_layers_of_middleware_change_threads_no_more_than_none(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[object] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            submitted.append(args[0])
            return super().submit(*args, **kwargs)

    monkeypatch.setattr("memweb.pages.ThreadPoolExecutor", Counting)
    counts = []
    for layers in (0, 6):
        settings.MIDDLEWARE = [f"{__name__}.Layer"] * layers
        pages = Pages(threads=1)
        submitted.clear()
        await get(pages, "name")
        counts.append(len(submitted))
    assert len(SERVED_BY) == 2 + 6 * 2
    assert len(set(SERVED_BY[1:])) == 1
    assert counts[0] == counts[1] > 0


async def test_an_asynchronous_view_is_answered_behind_the_same_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.Layer"] * 2
    pages = Pages(threads=1)
    assert (await get(pages, "awaits")) == SERVED_BY[0].name
    assert len(SERVED_BY) == 5
    assert len(set(SERVED_BY)) == 1
