"""The nginx site that memweb comes with: whole files reach the gateway as they come; pages take no more than pieces."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

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

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx with this site: all of it, but for ports, certificates and the place of its log."""
    if not shutil.which("nginx"):
        missing("nginx")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    memweb = HTTPServer(("127.0.0.1", 0), _Memweb)
    threading.Thread(target=memweb.serve_forever, daemon=True).start()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors.log;\nevents {{}}\n"
        f"http {{ client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"{_site(folder, port, memweb.server_port)} }}\n"
    )
    with process("nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/errors.log", port=port):
        yield port
    memweb.shutdown()
    memweb.server_close()


def _site(folder: Path, port: int, behind: int) -> str:
    site = re.sub(r"ssl_certificate(_key)? .*", "", (ROOT / "deploy/nginx.conf").read_text())
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    site = site.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
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
def test_a_body_may_be_as_large_as_what_is_behind_takes(proxy: int, path: str, size: int, status: int) -> None:
    """Where it passes, the answer comes though most of the body never does: nginx keeps nothing back."""
    head = f"POST {path} HTTP/1.1\r\nHost: memweb.example.org\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy), 10) as line:
        line.sendall(head.encode() + bytes(size if size < FILE else 65536))
        assert int(line.recv(64).split()[1]) == status
