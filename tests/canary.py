"""Where no user may lead this server: a server that counts who comes, a name that lies, hosts that are not public."""

from __future__ import annotations

import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

# Every host here leads to this machine or to a network that is not public.
PRIVATE = [
    "127.0.0.2", "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.2", "2130706434", "0x7f000002",
    "0x7f.0.0.2", "0177.0.0.2", "017700000002", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]", "[0:0:0:0:0:ffff:127.0.0.2]", "[::127.0.0.2]", "[64:ff9b::7f00:2]", "[64:ff9b:1::7f00:2]",
    "[2002:7f00:2::]", "[2002:a00:1::1]", "[2001:0:7f00:2::1]", "10.0.0.1", "10.255.255.254", "172.16.0.1",
    "172.31.255.254", "192.168.0.1", "192.168.255.254", "169.254.169.254", "[fd00:ec2::254]", "100.64.0.1",
    "100.100.100.200", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]",
    "[fdff::1]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]", "user:secret@127.0.0.2",
    "example.org@127.0.0.2", "127.0.0.2%00.example.org", "127.0.0.2%2f", "ⓛocalhost", "127。0。0。2", "１２７.0.0.2",
]  # fmt: skip


class Canary:
    """A server at an address of its own: counts its visitors, and answers as its paths say."""

    def __init__(self, address: str) -> None:
        self.hits = 0
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.hits += 1
                canary.answer(self)

            do_POST = do_GET

            def log_message(self, *arguments: Any) -> None: ...

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.address, self.port = address, self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        where = request.path.partition("?to=")[2]
        if where:
            body = gzip.compress(b"x" * 10_000) if request.path.startswith("/packed") else b""
            request.send_response(302)
            request.send_header("Location", where + ("a" * 3000 if request.path.startswith("/long") else ""))
            request.send_header("Content-Length", str(len(body)))
            if body:
                request.send_header("Content-Encoding", "gzip")
            request.end_headers()
            request.wfile.write(body)
            return
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(64 if request.path == "/large" else 1):
                request.wfile.write(b"x" * 10_000)
        except OSError:
            return

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Liar:
    """A resolver that names an allowed address the first time it is asked, and the canary's from then on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self._true = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("rebind.example", b"rebind.example"):  # some clients encode it
            return self._true(host, port, *arguments, **options)
        self.asked += 1
        address = "127.0.0.1" if self.asked == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
