"""Real sources on loopback: an RTMP server (nginx), an RTSP server (GStreamer), HLS lists and a radio over HTTP.

Server programs come from Debian (see .ci/run). Where one is missing, outside CI, its tests are skipped, loudly.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest

from tests.running import free_port
from tests.waiting import PATIENCE

RATE = 48_000
_RTMP = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
_RTSP = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( filesrc location={sys.argv[2]} ! wavparse ! audioconvert ! audioresample"
    " ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay0 pt=8 )"
)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
GLib.MainLoop().run()
"""


def missing(what: str) -> None:
    """Skip, because a server program is not here; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing: .ci/run installs it")
    pytest.skip(f"{what} is not installed here, so this was NOT tested: see .ci/run for the package")


def wait_until_open(port: int, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, f"port {port} does not open"
        time.sleep(0.05)


@contextmanager
def process(*command: str, port: int) -> Iterator[None]:
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_open(port)
        yield
    finally:
        child.kill()
        child.wait()


@contextmanager
def rtmp_server(folder: Path) -> Iterator[str]:
    """nginx with its RTMP module; the address streams are published at and played from."""
    if not shutil.which("nginx") or not Path(_RTMP).exists():
        missing("nginx with libnginx-mod-rtmp")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"load_module {_RTMP};\ndaemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nrtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; idle_streams off;"
        " drop_idle_publisher 2s; } } }\n"
    )
    with process("nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/nginx.log", port=port):
        yield f"rtmp://127.0.0.1:{port}/live"


@contextmanager
def rtsp_server(wav: Path, port: int | None = None) -> Iterator[str]:
    """GStreamer's RTSP server, playing this recording to each who comes; at a port of its own, or at this one."""
    ready = subprocess.run(
        ["/usr/bin/python3", "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"], capture_output=True
    )
    if ready.returncode:
        missing("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0)")
    port = port or free_port()
    with process("/usr/bin/python3", "-c", _RTSP, str(port), str(wav), port=port):
        yield f"rtsp://127.0.0.1:{port}/live"


class Publisher:
    """Publishes a recording to an RTMP server in real time, from a thread, over and over until stopped."""

    def __init__(self, url: str, wav: Path) -> None:
        self._url, self._wav = url, wav
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _publish(self) -> None:
        began = time.monotonic()
        with suppress(av.error.FFmpegError), av.open(self._url, "w", format="flv") as out:
            for at_s in encode(out, self._wav, "aac", repeat=True):
                if self._ended.wait(max(0.0, began + at_s - time.monotonic())):
                    return


def encode(out: Any, wav: Path, codec: str, *, repeat: bool = False) -> Iterator[float]:
    """Encode the recording into an open container; yields how many seconds are in it, frame by frame."""
    track = out.add_stream(codec, rate=RATE, layout="mono")
    samples = 0
    while True:
        resampler = av.AudioResampler(format=track.format.name, layout="mono", rate=RATE, frame_size=1024)
        with av.open(str(wav)) as recording:
            for frame in recording.decode(audio=0):
                for part in resampler.resample(frame):
                    part.pts, samples = samples, samples + part.samples
                    out.mux(track.encode(part))
                    yield samples / RATE
        if not repeat:
            out.mux(track.encode(None))
            return


def encoded(path: Path, wav: Path, codec: str, format: str, **options: str) -> Path:
    """The recording in another format, as a file."""
    with av.open(str(path), "w", format=format, options=options) as out:
        for _ in encode(out, wav, codec):
            pass
    return path


def segments(folder: Path, wav: Path, kind: str = "mpegts") -> list[str]:
    """The recording cut into parts of a second; the lines of its playlist."""
    more = {"hls_segment_type": "fmp4"} if kind == "fmp4" else {}
    encoded(folder / "all.m3u8", wav, "aac", "hls", hls_time="1", hls_list_size="0", **more)
    return (folder / "all.m3u8").read_text().splitlines()


Page = Callable[[], tuple[bytes, dict[str, str]] | None]


@contextmanager
def web_server(
    folder: Path,
    pages: dict[str, Page],
    radio: dict[str, Callable[[], Iterator[bytes]]],
    unsaid: dict[str, Callable[[], Iterator[bytes]]] | None = None,
) -> Iterator[str]:
    """Files of a folder, pages made when asked for, and radios: bytes without an end.

    What is unsaid comes in chunks, and no header tells whether it has an end: b"" is one, else the line drops.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in radio:
                self._answer(200, {"content-type": "audio/mpeg", "icy-name": "Test radio"})
                with suppress(OSError):
                    for piece in radio[path]():
                        self.wfile.write(piece)
                return
            if unsaid and path in unsaid:
                self.protocol_version = "HTTP/1.1"
                self._answer(200, {"transfer-encoding": "chunked", "connection": "close"})
                with suppress(OSError):
                    for piece in unsaid[path]():
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                return
            page = pages[path]() if path in pages else self._file(path)
            if page is None:
                self._answer(404, {"content-length": "0"})
                return
            body, headers = page
            self._answer(200, {"content-length": str(len(body)), **headers})
            with suppress(OSError):
                self.wfile.write(body)

        def _file(self, path: str) -> tuple[bytes, dict[str, str]] | None:
            file = folder / path.lstrip("/")
            return (file.read_bytes(), {}) if file.is_file() else None

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def live_list(lines: list[str], *, window: int = 4, began: float | None = None, ended: bool = False) -> Page:
    """A live playlist: one more part each second, the oldest forgotten."""
    start = time.monotonic() if began is None else began
    head = [line for line in lines if line.startswith(("#EXT-X-MAP", "#EXT-X-VERSION", "#EXT-X-TARGETDURATION"))]
    parts = [(lines[at], lines[at + 1]) for at in range(len(lines) - 1) if lines[at].startswith("#EXTINF")]

    def page() -> tuple[bytes, dict[str, str]]:
        there = min(len(parts), window + int(time.monotonic() - start))
        first = max(0, there - window)
        told = ["#EXTM3U", *head, f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for part in parts[first:there]:
            told += part
        if ended and there == len(parts):
            told.append("#EXT-X-ENDLIST")
        return "\n".join(told).encode(), {"content-type": "application/vnd.apple.mpegurl"}

    return page
