"""The server's life: startup, listening, draining, the end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any

import daphne.server
from twisted.internet.error import CannotListenError
from twisted.logger import globalLogBeginner

from memweb.server.eventloop import reactor
from memweb.server.flow import Inbox, Message, RequestBody
from memweb.server.handshake import Handshake, HandshakeFactory, refusal
from memweb.server.requests import Ask, Request, RequestFactory
from memweb.server.sockets import Socket

Application = Callable[[dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]
Connection = Request | Socket
logger = logging.getLogger("memweb.server")
access = logging.getLogger("memweb.access")

DRAIN_SECONDS = 2.5
"""How long open connections may take to end after TERM."""
EXIT_SECONDS = 4.5
COLLECT_AFTER = (10_000, 20, 20)
SWITCH_SECONDS = 0.0005
"""How long a thread at work keeps the event loop waiting for its turn; Python's own 5 ms would be heard as lag."""
HANDSHAKE_SECONDS = 15
_SECRET_SEGMENT = re.compile(r"(?<=/)(?![0-9a-f]{8}-[0-9a-f]{4}-)[A-Za-z0-9_.~-]{32,}")


class StartupFailed(Exception):
    """The application said that it cannot start, and why."""


class Lifespan:
    """The ASGI lifespan of one application. One that does not know the protocol is served without it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.ensure_future(self._application(scope, self._receive, self._send))
        answer = await self._ask("lifespan.startup")
        if answer and answer["type"] == "lifespan.startup.failed":
            raise StartupFailed(answer.get("message") or "the application did not start")

    async def shutdown(self) -> None:
        if self._task is not None and not self._task.done():
            await self._ask("lifespan.shutdown")

    async def _receive(self) -> Message:
        self._asked = True
        return await self._inbox.get()

    async def _send(self, message: Message) -> None:
        self._answers.put_nowait(message)

    async def _ask(self, kind: str) -> Message | None:
        assert self._task is not None
        self._inbox.put_nowait({"type": kind})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        error = self._task.exception()
        if error is not None and self._asked:
            raise StartupFailed(str(error)) from error
        return None


def _drop(event: object) -> None:
    """Twisted's own log: everything worth knowing is said by memweb's."""


async def _draining(scope: dict[str, Any], receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
    """Answers instead of the application while the server drains."""
    body = refusal(503, "The server is restarting. Try again in a few seconds.")
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"3")]
    await send({"type": f"{kind}.start", "status": 503, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


class Server(daphne.server.Server):  # type: ignore[misc]
    """One listening process. Its application runs on the reactor's asyncio loop."""

    connections: dict[Any, dict[str, Any]]

    def __init__(
        self,
        application: Application,
        message_limit: int,
        longest_body: Callable[[str], int],
        spool: str | None,
        ask: Ask,
    ) -> None:
        super().__init__(
            application,
            endpoints=["repaired"],
            server_name="",
            application_close_timeout=10,
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
        )
        self.connections = {}
        self._message_limit = message_limit
        self.longest_body, self.spool, self.ask = longest_body, spool, ask
        self.draining = False
        self.exit_code = 0
        self._lifespan = Lifespan(application)
        self._drain_task: asyncio.Task[None] | None = None

    def run_on(self, host: str, port: int, ready: Callable[[str], None] | None) -> int:
        """Serve until told to stop; the process's exit code."""
        observers: list[Any] = [_drop]
        globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)
        loop = reactor._asyncioEventloop
        asyncio.set_event_loop(loop)
        sys.setswitchinterval(SWITCH_SECONDS)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain)
        task = loop.create_task(self._start(host, port, ready))
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        reactor.run(installSignalHandlers=False)
        del task
        return self.exit_code

    async def _start(self, host: str, port: int, ready: Callable[[str], None] | None) -> None:
        try:
            await self._lifespan.startup()
            _settle_memory()
            url = self._listen(host, port)
        except StartupFailed as error:
            logger.critical("memweb cannot start: %s", error)
            self._end(3)
        except CannotListenError as error:
            reason = error.socketError.strerror or error.socketError
            logger.critical(
                "memweb cannot listen on %s port %d: %s. Choose another with MEMWEB_PORT.", host, port, reason
            )
            self._end(4)
        except Exception as error:
            logger.critical("memweb cannot serve on %s port %d: %s", host, port, error, exc_info=True)
            self._end(4)
        else:
            if ready is not None:
                ready(url)

    def _listen(self, host: str, port: int) -> str:
        self.http_factory = RequestFactory(self)
        self.ws_factory = HandshakeFactory(self, server="")
        self.ws_factory.setProtocolOptions(allowNullOrigin=True, openHandshakeTimeout=self.websocket_handshake_timeout)
        listener = reactor.listenTCP(port, self.http_factory, backlog=511, interface=host)
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{listener.getHost().port}"

    # Applications

    def create_application(self, protocol: Request | Handshake, scope: dict[str, Any]) -> Inbox | RequestBody:
        scope["asgi"] = {"version": "3.0", "spec_version": "2.3"}
        scope["state"] = self._lifespan.state.copy()
        queue: Inbox | RequestBody
        connection: Connection
        if isinstance(protocol, Handshake):
            socket = Socket(protocol, protocol.path, self._message_limit, self._socket_gone)
            connection = protocol.owner = socket
            scope["extensions"] = {"websocket.http.response": {}, "memweb.splice": {}, "memweb.direct": socket.say}
            self.connections[connection] = self.connections.pop(protocol)
            queue = connection.inbox
            application = _draining if self.draining else self.application
        else:
            connection, queue = protocol, RequestBody(protocol.content)
            protocol.content = BytesIO()
            application = _draining if self.draining and scope["path"] == "/healthz" else self.application
        task = asyncio.ensure_future(application(scope, queue.get, connection.send))
        self.connections[connection]["application_instance"] = task
        task.add_done_callback(partial(self._application_done, connection, queue))
        return queue

    def _socket_gone(self, socket: Socket) -> None:
        self.log_action("websocket", "disconnected", {"path": socket.path.decode("ascii", "replace")})
        self.protocol_disconnected(socket)

    def _application_done(self, protocol: Connection, queue: Inbox | RequestBody, task: asyncio.Task[Any]) -> None:
        if isinstance(queue, RequestBody):
            queue.close()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("The application failed on %s", self._shown(protocol), exc_info=error)
        details = self.connections.get(protocol, {})
        details.pop("application_instance", None)
        if "disconnected" in details:
            del self.connections[protocol]
        else:
            protocol.application_done(failed=error is not None)

    def protocol_disconnected(self, protocol: Connection | Handshake) -> None:
        details = self.connections.get(protocol)
        if details is not None and "application_instance" in details:
            details.setdefault("disconnected", time.time())
        else:
            self.connections.pop(protocol, None)

    def application_checker(self) -> None:
        """Ends applications that go on long after their connection."""
        for details in list(self.connections.values()):
            gone = details.get("disconnected")
            if gone and time.time() - gone > self.application_close_timeout:
                details["application_instance"].cancel()
        reactor.callLater(1, self.application_checker)

    # The end

    def drain(self) -> None:
        """Begin to stop; a second call stops at once."""
        if self._drain_task is not None:
            self._end(0)
            return
        self.draining = True
        watchdog = threading.Timer(EXIT_SECONDS, os._exit, [0])
        watchdog.daemon = True
        watchdog.start()
        self._drain_task = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol, Socket):
                protocol.close(1012, "The server is restarting")
        await self._wait_for_applications(DRAIN_SECONDS)
        for task in self._running():
            task.cancel()
        await self._wait_for_applications(0.3)
        try:
            await asyncio.wait_for(self._lifespan.shutdown(), 1.0)
        except (TimeoutError, StartupFailed):
            logger.warning("The application's shutdown did not end in time")
        self._end(0)

    async def _wait_for_applications(self, seconds: float) -> None:
        tasks = self._running()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def _running(self) -> list[asyncio.Task[Any]]:
        return [d["application_instance"] for d in self.connections.values() if "application_instance" in d]

    def _end(self, code: int) -> None:
        self.exit_code = code
        if reactor.running:
            reactor.stop()
        else:
            reactor.callWhenRunning(reactor.stop)

    # The access log

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        if action in ("complete", "connecting", "rejected", "disconnected"):
            path = _SECRET_SEGMENT.sub("...", str(details.get("path", "")).partition("?")[0])
            what = details.get("method") or f"WS {action}"
            access.info("%s %s %s", what, path, details.get("status", "-"))

    @staticmethod
    def _shown(protocol: Connection) -> str:
        path = protocol.path.decode("ascii", "replace")
        return _SECRET_SEGMENT.sub("...", path)


def _settle_memory() -> None:
    """What is loaded by now stays for good: searching it for garbage again and again would be a cost of every frame."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def serve(
    host: str,
    port: int,
    ready: Callable[[str], None] | None = None,
    application: Application | None = None,
    longest_body: Callable[[str], int] | None = None,
    ask: Ask | None = None,
) -> int:
    """Serve until TERM or INT; returns the exit code: 0 stopped, 3 did not start, 4 could not listen or serve.

    `ready` is called with the base URL once connections are taken. Port 0 picks a free one. `longest_body` tells how
    many bytes the body of a request to a path may have; without it any number. `ask` tells who may bring a long one;
    without it anybody.
    """
    if application is None:
        from memweb import asgi, bodies

        application, longest_body, ask = asgi.application, longest_body or bodies.longest, ask or asgi.ask
    from django.conf import settings

    limit = getattr(settings, "SOCKET_MESSAGE_LIMIT", 256 * 1024)
    folder = getattr(settings, "DATA_DIR", None)
    spool = None if folder is None else str(folder)
    if spool is not None:
        os.makedirs(spool, exist_ok=True)  # with a database elsewhere nobody may have made it yet
    server = Server(
        application,
        limit,
        longest_body or (lambda path: sys.maxsize),
        spool,
        ask or (lambda path, headers, address: None),
    )
    return server.run_on(host, port, ready)
