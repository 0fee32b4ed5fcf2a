"""Small ASGI applications for proofs about servers, by path. Run as a process by `serving.Process`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

SEEN: dict[str, Any] = {"disconnects": [], "sent": 0, "lifespan": []}


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await HTTP[scope["path"]](scope, receive, send)
    else:
        await receive()
        await SOCKETS[scope["path"].split("/")[1]](scope, receive, send)


def longest_body(path: str) -> int:
    """What a request to this path may bring."""
    return 1_000_000 if path.startswith("/count?little") else sys.maxsize


def ask(path: str, headers: list[tuple[bytes, bytes]], address: str) -> Any:
    """Whether a long body may come, known a moment later, or never."""
    return _told(dict(headers).get(b"x-key")) if path == "/count?asked" else None


async def _told(key: bytes | None) -> Any:
    await asyncio.sleep(0)
    if key == b"never":
        await asyncio.Event().wait()
    if key == b"broken":
        raise LookupError("the database is away")
    return None if key == b"right" else (401, [(b"content-type", b"application/json")], b'{"code": 401}')


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """An application whose startup fails."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "The oven is cold."})


async def lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        print(kind, file=sys.stderr, flush=True)
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


# Sockets


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """/refuse/<status>: the denial response."""
    status = int(scope["path"].split("/")[2])
    body = json.dumps({"code": status, "msg": "no"}).encode()
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"7")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    try:
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await send({"type": "websocket.send", "text": message["text"]})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
    finally:
        SEEN["disconnects"].append([message.get("code"), message.get("reason")])


async def close(scope: Any, receive: Any, send: Any) -> None:
    """/close/<code>: accepted, then closed with a reason."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(scope["path"].split("/")[2]), "reason": "for a reason"})


async def raise_(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await receive()
    raise ValueError("a fault of the application's")


async def leave(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


async def stuck(scope: Any, receive: Any, send: Any) -> None:
    """Accepts, and never takes a message. Not even a cancellation ends it."""
    await send({"type": "websocket.accept"})
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            SEEN["cancelled"] = True


async def gush(scope: Any, receive: Any, send: Any) -> None:
    """Sends for ever, counting what was taken from it."""
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "bytes": bytes(64 * 1024)})
        SEEN["sent"] += 64 * 1024


class Shout(asyncio.Protocol):
    """Has a connection to itself: sends back in upper case what comes."""

    def __init__(self, greeting: bytes, early: bytes) -> None:
        self.greeting, self.early = greeting, early
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.greeting + self.early.upper())

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def spliced(scope: Any, receive: Any, send: Any) -> None:
    ends: list[Shout] = []

    def splice(greeting: bytes, early: bytes) -> Shout:
        ends.append(Shout(greeting, early))
        return ends[0]

    await send({"type": "websocket.accept", "splice": splice})
    told = asyncio.ensure_future(receive())
    await asyncio.wait([told, ends[0].over], return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        ends[0].transport.write(b"told to end with %d" % told.result()["code"])
    told.cancel()
    ends[0].transport.close()


async def direct(scope: Any, receive: Any, send: Any) -> None:
    """Takes binary messages at once, but for those that begin with "later"; then is slow. "told" tells all it took."""
    took: list[str] = []

    def hear(data: bytes) -> bool:
        if data.startswith(b"later"):
            return False
        took.append(f"at once {data.decode()}")
        return True

    await send({"type": "websocket.accept", "hear": hear})
    say = scope.get("extensions", {}).get("memweb.direct")
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "told":
            whole = json.dumps(took)
            if say is None or not say(whole):
                await send({"type": "websocket.send", "text": whole})
        elif message.get("text") == "flood":
            while say is not None and say("x" * 65536):
                SEEN["sent"] += 65536
            await send({"type": "websocket.send", "text": "all said"})
        else:
            took.append(f"in turn {message.get('text') or message['bytes'].decode()}")
            await asyncio.sleep(0.3)


SOCKETS = {
    "direct": direct, "spliced": spliced,
    "refuse": refuse, "echo": echo, "close": close, "raise": raise_, "leave": leave, "stuck": stuck, "gush": gush,
}  # fmt: skip


# HTTP


async def answer(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def seen(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, json.dumps(SEEN).encode())


async def count(scope: Any, receive: Any, send: Any) -> None:
    """The length of the body, taken slowly enough to see what the server holds meanwhile."""
    total, more = 0, True
    while more:
        message = await receive()
        total, more = total + len(message["body"]), message["more_body"]
    await answer(send, 200, str(total).encode())


async def pour(scope: Any, receive: Any, send: Any) -> None:
    """An endless answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": bytes(64 * 1024), "more_body": True})
        SEEN["sent"] += 64 * 1024


async def block(scope: Any, receive: Any, send: Any) -> None:
    """A thread that does not end."""
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
    await answer(send, 200, b"{}")


HTTP = {"/seen": seen, "/count": count, "/pour": pour, "/block": block, "/healthz": seen}
