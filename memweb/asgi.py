"""HTTP and WebSocket entry point: the only place, with urls, that knows every room."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

from memweb import pages  # first: sets Django up, so that what follows may import models

# isort: split
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import Resolver404

from memweb import checks, health
from memweb.dictation import caretaker
from memweb.dictation.routing import websocket_urlpatterns
from memweb.engines import live
from memweb.gateway import bringing
from memweb.gateway.routing import websocket_paths
from memweb.gateway.till import till
from memweb.supervised import watch_supervisor
from transcripts import webhooks

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


checks.refuse_unsafe()
bare_routes = (webhooks.ROUTE,)  # answered here, ahead of Django
_page_socket: App = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The one ASGI application: http, websocket and lifespan."""
    if settings.BEHIND_PROXY and "client" in scope:
        scope = with_visitors_address(scope)
    if scope["type"] == "http":
        await (webhooks.application if scope["path"].startswith(webhooks.PREFIX) else pages.application)(
            scope, receive, send
        )
    elif scope["type"] == "websocket":
        await _socket(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)
    else:
        raise ValueError(f"memweb does not speak {scope['type']!r}")


def ask(path: str, headers: list[tuple[bytes, bytes]], address: str) -> Awaitable[bringing.Answer | None] | None:
    """Whether somebody may bring a long body: at the gateway's addresses it is asked for the key before it is read."""
    plain, _, query = path.partition("?")
    scope: Scope = {"headers": headers, "client": (address, 0)}
    if settings.BEHIND_PROXY:
        scope = with_visitors_address(scope)
    return bringing.ask(unquote(plain), query.encode("latin-1"), headers, scope["client"][0])


def with_visitors_address(scope: Scope) -> Scope:
    """The scope with the visitor's address for the proxy's: the last one named, which is what the proxy itself saw."""
    named = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    last = named[-1].decode("latin-1").rpartition(",")[2].strip() if named else ""
    try:
        return {**scope, "client": (str(ip_address(last)), 0)}
    except ValueError:
        return scope


async def _socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Send a handshake to its room: by key (no cookies, any origin) or by cookie (own origin only)."""
    plain = websocket_paths.get(scope["path"])
    if plain is not None:
        await plain(scope, receive, send)
    elif not _is_page_socket(scope["path"]):
        await refuse(scope, receive, send, 404, "There is no socket at this address.")
    elif not has_own_origin(scope):
        await refuse(scope, receive, send, 403, "This page may not open a socket here. Open memweb by its own address.")
    else:
        await _page_socket(scope, receive, send)


def _is_page_socket(path: str) -> bool:
    for pattern in websocket_urlpatterns:
        try:
            if pattern.resolve(path.removeprefix("/")):
                return True
        except Resolver404:
            continue
    return False


def has_own_origin(scope: Scope) -> bool:
    """Whether the one Origin header names memweb itself: scheme, host and port, compared as a whole."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    return len(origins) == 1 and origins[0].decode("latin-1") in settings.ALLOWED_ORIGINS


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer a WebSocket handshake with a real HTTP status, where the server can; else with its 403."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 4000 + status})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": sentence.encode()})


async def _lifespan(receive: Receive, send: Send) -> None:
    """Start what lives as long as the server, and end it in the opposite order."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            watch_supervisor()
            await caretaker.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            health.drain()
            await caretaker.stop()
            await live.close()
            await till.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
