"""RTMP or RTSP to PCM, in a process of its own: `python -m memweb.gateway.tuner_child OUT LINK`.

OUT is the descriptor that frames go out on (as `decoder`'s); LINK is a socket that brings, up to its end, a JSON
object {"protocol", "user", "path", "server"}, and over which a listening socket is handed to the parent, who decides
what is behind it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from memweb.media import decoder

MEMORY = 256 << 20
CPU_S = 24 * 3600
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_QUICK = {"probesize": "32768", "analyzeduration": "300000", "fflags": "nobuffer"}
_WAYS: dict[str, dict[str, str]] = {
    "rtmp": {"protocol_whitelist": "rtmp,tcp", "rtmp_live": "live"},
    "rtsp": {"protocol_whitelist": "rtsp,rtp,tcp", "rtsp_transport": "tcp", "allowed_media_types": "audio"},
}
_DEMUXERS = {"rtmp": "flv", "rtsp": "rtsp"}


class Tuned(decoder.Decoder):
    """A source spoken to through the relay."""

    def __init__(self, out: BinaryIO, what: dict[str, Any], port: int) -> None:
        super().__init__(out, {"stream": True, "most_ms": 31 * 24 * 3_600_000})
        self._protocol, self._told, self._port = what["protocol"], what, port

    def _readable(self, source: BinaryIO) -> str:
        self._format = _DEMUXERS[self._protocol]
        return f"{self._protocol}://{self._told['user']}127.0.0.1:{self._port}{self._told['path']}"

    def _options(self) -> dict[str, str]:
        options = _QUICK | _WAYS[self._protocol]
        if self._protocol == "rtmp":
            app = self._told["path"].lstrip("/").partition("/")[0].partition("?")[0]
            options["rtmp_tcurl"] = f"{self._told['server']}/{app}"
        return options


def _listen() -> socket.socket:
    """A socket on loopback, which is still down in a network of one's own."""
    with suppress(OSError), socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(4)
    return listening


def main() -> None:
    """Decode for the parent. A parent that goes ends this at the next frame."""
    decoder.cut_off()
    import av
    import numpy  # noqa: F401  (before the limits: libraries are mapped files)

    av.logging.set_level(None)
    listening = _listen()
    with socket.socket(fileno=int(sys.argv[2])) as link, link.makefile("rb") as told:
        what = json.load(told)
        socket.send_fds(link, [b"\0"], [listening.fileno()])
    port = listening.getsockname()[1]
    listening.close()
    out = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    decoder.confine(MEMORY, CPU_S)
    with suppress(BrokenPipeError), open(os.devnull, "rb") as nothing:
        Tuned(out, what, port).run(nothing)
    os._exit(0)  # no clean-up of libraries that hostile input may have upset


if __name__ == "__main__":
    main()
