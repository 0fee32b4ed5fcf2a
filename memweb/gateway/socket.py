"""The gateway's live socket: a plain ASGI application, behind one of three doors, before an engine or a provider."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from memweb.gateway.dial import dial
from memweb.gateway.doors import (
    GATEWAY,
    Door,
    Query,
    Refused,
    admit,
    encoded,
    forwarded,
    parse_headers,
    parse_query,
)
from memweb.gateway.keys import Caller
from memweb.gateway.places import Full, Place, places
from memweb.gateway.providers import local
from memweb.gateway.providers.bindings import live_binding
from memweb.gateway.relay import Gauge, Provider, Relay
from memweb.gateway.seats import seats
from memweb.gateway.splice import EXTENSION, Splice
from memweb.gateway.till import Empty, Tab, till
from memweb.speech import meter
from memweb.speech.dialects import PROVIDERS, LiveServer, RefusedParameter, live_server
from memweb.speech.dialects.counting import AudioCount, audio_count

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
FULL_SECONDS = 5
"""When to try again where no place was left."""

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def behind(door: Door, open_stream: local.OpenStream = local.open_stream) -> App:
    """The live socket as this door's API speaks it."""

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        async with AsyncExitStack() as ending:
            try:
                session = await _admit(door, scope, receive, send, open_stream, ending)
            except Refused as refused:
                await _deny(door, refused, scope, send)
                return
            await session.run()

    return socket


async def _admit(
    door: Door, scope: Scope, receive: Receive, send: Send, open_stream: local.OpenStream, ending: AsyncExitStack
) -> local.Session | Relay | Splice:
    """A session that may begin. Checked in the contract's order: key, right, parameters, balance, room."""
    raw = scope.get("query_string", b"")
    query, headers = parse_query(raw), parse_headers(scope["headers"])
    address = (scope.get("client") or ["unknown"])[0]
    caller = await admit(door, query, headers, address)
    provider = door.provider or query.get("provider", [""])[0]
    if provider not in PROVIDERS:
        raise Refused(400, f"provider must be one of: {', '.join(PROVIDERS)}")
    binding, asked = live_binding(provider), door.stripped(query)
    server = _server(provider, asked if binding is None else {})
    count = None if binding is None else _count(provider, asked)
    tab = await _tab(caller, provider)
    ending.callback(_place(caller).release)
    if caller.key_id is None and (tab.is_limited or binding is not None):
        send = _telling_rate(send, tab)
    if binding is None:
        return local.Session(server, caller, tab, receive, send, open_stream)
    dialled = await dial(binding, forwarded(raw), headers)
    gauge = Gauge(tab, count)
    relay: Relay | Splice
    if EXTENSION in (scope.get("extensions") or {}):
        relay = Splice(server, dialled, gauge, receive, send)
    else:
        relay = Relay(server, Provider(dialled), gauge, receive, send)
    ending.enter_context(seats.taken(caller, relay.revoked))
    if caller.session_seconds is not None:
        ending.callback(asyncio.get_running_loop().call_later(caller.session_seconds, relay.expired).cancel)
    return relay


def _server(provider: str, asked: Query) -> LiveServer:
    try:
        return live_server(provider, asked, str(uuid.uuid4()))
    except RefusedParameter as error:
        raise Refused(400, error.message) from None


def _count(provider: str, asked: Query) -> AudioCount | None:
    try:
        return audio_count(provider, asked)
    except RefusedParameter as error:
        raise Refused(400, error.message) from None


async def _tab(caller: Caller, provider: str) -> Tab:
    """What this connection will be charged on. The balance must pay for one unit."""
    session = caller.session or str(uuid.uuid4())
    try:
        return await till.open(
            account_id=caller.account_id, session=session, provider=provider, offset_ms=caller.offset_ms
        )
    except Empty as error:
        raise Refused(402, str(error)) from None


def _telling_rate(send: Send, tab: Tab) -> Send:
    """Let memweb's own app know what it is charged, so that its page can show it."""
    rate = meter.RATE_HEADER.encode(), f"{tab.rate:f}".encode()

    async def told(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            message = {**message, "headers": [*message.get("headers", ()), rate]}
        await send(message)

    return told


def _place(caller: Caller) -> Place:
    try:
        return places.take(caller.account_id)
    except Full as error:
        raise Refused(429, str(error), FULL_SECONDS) from None


async def _deny(door: Door, refused: Refused, scope: Scope, send: Send) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 4000 + refused.status, "reason": refused.message})
        return
    headers, body = encoded(door, refused)
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


application = behind(GATEWAY)
