"""A real receiver of webhooks on loopback: keeps what it was sent, and answers as it was told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PATIENCE

Answer = int | tuple[int, dict[str, str]] | None
"""A status, with headers perhaps; None: no answer, the connection is cut."""


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def number(self) -> int:
        return int(self.headers["memweb-sequence"])


@dataclass
class Receiver:
    """`says` is asked for the answer to each message; the default accepts everything."""

    says: Callable[[Received], Answer] = field(default=lambda received: 204)
    port: int = 0
    got: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait_for(self, count: int, seconds: float = PATIENCE) -> list[Received]:
        """The messages, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} messages within {seconds:.0f} s"
            time.sleep(0.01)
        return list(self.got)


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver, listening: on a free port the first time, on the same one when it comes back."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # its sender was killed in the middle: half a message is none
                self.close_connection = True
                return
            received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            answer = receiver.says(received)
            receiver.got.append(received)
            if answer is None:
                self.close_connection = True
                return
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0" if status == 204 else "6")
            self.end_headers()
            if status != 204:
                self.wfile.write(b"Noted\n")

        do_GET = do_POST

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            pass  # a cut connection is part of the play

    server = Server(("127.0.0.1", receiver.port), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
