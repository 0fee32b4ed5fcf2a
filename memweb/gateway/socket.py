"""The gateway's live socket: a plain ASGI application, behind one of three doors."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from memweb.gateway.doors import GATEWAY, Door, Refused, admit, encoded, parse_headers, parse_query
from memweb.gateway.keys import Caller
from memweb.gateway.providers import local
from memweb.speech.dialects import PROVIDERS, LiveServer, RefusedParameter, live_server

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def behind(door: Door, open_stream: local.OpenStream = local.open_stream) -> App:
    """The live socket as this door's API speaks it."""

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            caller, server = await _admit(door, scope)
        except Refused as refused:
            await _deny(door, refused, scope, send)
            return
        await local.Session(server, caller, receive, send, open_stream).run()

    return socket


async def _admit(door: Door, scope: Scope) -> tuple[Caller, LiveServer]:
    query = parse_query(scope.get("query_string", b""))
    address = (scope.get("client") or ["unknown"])[0]
    caller = await admit(door, query, parse_headers(scope["headers"]), address)
    provider = door.provider or query.get("provider", [""])[0]
    if provider not in PROVIDERS:
        raise Refused(400, f"provider must be one of: {', '.join(PROVIDERS)}")
    try:
        return caller, live_server(provider, door.stripped(query), str(uuid.uuid4()))
    except RefusedParameter as error:
        raise Refused(400, error.message) from None


async def _deny(door: Door, refused: Refused, scope: Scope, send: Send) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 4000 + refused.status, "reason": refused.message})
        return
    headers, body = encoded(door, refused)
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


application = behind(GATEWAY)
