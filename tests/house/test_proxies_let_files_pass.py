"""The sites of proxies that memweb comes with: whole files reach the gateway as they come, pages take no more than
pieces, and no log gets a key."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.gateway.sources import missing, process
from tests.running import ROOT, free_port

pytestmark = pytest.mark.process
FILE = 3_900_000_000


class _Memweb(BaseHTTPRequestHandler):
    """Answers as soon as it is asked, before the body has come."""

    def do_POST(self) -> None:
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.connection.shutdown(socket.SHUT_WR)
        while self.rfile.read1(65536):  # a connection that is closed on what was not read is reset, answer and all
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


class Proxy(NamedTuple):
    port: int
    plain: int
    """Where only https is named."""
    folder: Path
    """Of its logs."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """An nginx with this site: all of it, but for ports, certificates and the place of its logs."""
    if not shutil.which("nginx"):
        missing("nginx")
    folder, port, plain = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    memweb = ThreadingHTTPServer(("127.0.0.1", 0), _Memweb)
    threading.Thread(target=memweb.serve_forever, daemon=True).start()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors.log;\nevents {{}}\n"
        f"http {{ client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"{_site(folder, port, plain, memweb.server_port)} }}\n"
    )
    with process("nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/errors.log", port=port):
        yield Proxy(port, plain, folder)
    memweb.shutdown()
    memweb.server_close()


def _site(folder: Path, port: int, plain: int, behind: int) -> str:
    site = re.sub(r"ssl_certificate(_key)? .*", "", (ROOT / "deploy/nginx.conf").read_text())
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    site = site.replace("listen 80;", f"listen 127.0.0.1:{plain};")
    site = site.replace("/var/log/nginx/", f"{folder}/")
    return site.replace("127.0.0.1:8000", f"127.0.0.1:{behind}")


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/serve/api/v2/assets", FILE, 201),
        ("/v1/speech-to-text", FILE, 201),
        ("/v1/audio/transcriptions", FILE, 201),
        ("/v2/upload", FILE, 201),
        ("/v2/upload", 2 * FILE, 413),
        ("/uploads/", 5_000_000, 201),
        ("/uploads/", FILE, 413),
        ("/v1", FILE, 413),
    ],
)
def test_a_body_may_be_as_large_as_what_is_behind_takes(proxy: Proxy, path: str, size: int, status: int) -> None:
    """Where it passes, the answer comes though most of the body never does: nginx keeps nothing back."""
    head = f"POST {path} HTTP/1.1\r\nHost: memweb.example.org\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as line:
        line.sendall(head.encode() + bytes(size if size < FILE else 65536))
        assert int(line.recv(64).split()[1]) == status


def test_no_log_of_nginx_gets_a_key(proxy: Proxy) -> None:
    link, record = f"/sign-in/link/planted{'x' * 40}/", "/transcripts/0b0e3c5a-3f1f-4d0a-9d3a-8a4c0d2a7f11/"
    host, body = "Host: memweb.example.org\r\nConnection: close\r\n", f"Content-Length: {FILE}\r\n"
    for port, line in (
        (proxy.port, f"POST /uploads/?api_key=planted HTTP/1.1\r\n{host}{body}\r\n"),  # an error: too large
        (proxy.port, f"POST {link} HTTP/1.1\r\n{host}\r\n"),
        (proxy.port, f"POST {record} HTTP/1.1\r\n{host}\r\n"),
        (proxy.plain, f"GET /v1/models?api_key=planted HTTP/1.1\r\n{host}\r\n"),
    ):
        with socket.create_connection(("127.0.0.1", port), 10) as asking:
            asking.sendall(line.encode())
            while asking.recv(4096):
                pass
    logged = "".join(path.read_text() for path in proxy.folder.glob("*.log"))
    assert '"POST /uploads/" 413' in logged
    assert '"POST /sign-in/link/..." 201' in logged
    assert f'"POST {record}" 201' in logged
    assert "planted" not in logged


def test_each_site_says_what_it_logs() -> None:
    _, *servers = re.split(r"^server \{", (ROOT / "deploy/nginx.conf").read_text(), flags=re.MULTILINE)
    assert len(servers) == 2
    for server in servers:
        assert re.search(r"^    access_log (off|\S+ memweb);$", server, re.MULTILINE)
        assert re.search(r"^    error_log \S+ emerg;$", server, re.MULTILINE)
    caddy = (ROOT / "deploy/Caddyfile").read_text()
    options = caddy[: caddy.index("\n}\n")]  # those of Caddy as a whole stand first
    assert "log default {" in options
    assert 'request>uri regexp \\?.*$ ""' in options
    assert "request>headers delete" in options
    assert "log" not in re.sub("#.*", "", caddy[len(options) :])
