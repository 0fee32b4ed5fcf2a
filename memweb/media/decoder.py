"""Media to PCM, in a process of its own: for a file forked from one that is there already, for a stream started anew.

`python -m memweb.media.decoder` is a fork server (see `memweb.engines.forks`): an order is WHAT, with a file and the
descriptor that frames go out on (see `memweb.engines.wire`). `python -m memweb.media.decoder OUT WHAT` decodes the
stream on its standard input. WHAT is a JSON object {"format"?, "channel"?, "stream", "probe"?, "piece", "most_ms",
"memory", "cpu_s"}. The demuxer is forced (a stream's, where it was not told, by its first bytes) and no protocol is
allowed. Before a byte is read the process has given away its network, and the right to more memory, CPU, files or
descriptors than it needs.

Out: info{format,codec,channels,rate,duration_ms?,sound_ms?,video} pcm{}+pcm end{ms,damaged,whole} refused{message}
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from memweb.engines import forks, wire
from memweb.media.errors import DAMAGED, TOO_LARGE, NotMedia
from memweb.media.kinds import demuxer

RATE = 16_000
READ = 1 << 16
_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_BROKEN_PACKETS = 2000
"""So many in a row, with nothing decoded between them, are the end."""


def cut_off() -> None:
    """Leave the network behind, where the system lets a process do so. Before any thread is started."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWUSER | _NEWNET) != 0:
        libc.unshare(_NEWNET)


def _limit(what: int, most: int) -> None:
    with suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


def confine(memory: int, cpu_s: int) -> None:
    """From here on: so much memory and CPU more, no file longer than nothing, a few descriptors, no core."""
    _limit(resource.RLIMIT_CPU, cpu_s)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, 32)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)


class _Stream:
    """Standard input when it is a pipe: what was looked at first, then what comes."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        """Some bytes, as soon as there are any; none at the end."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._rest.read(size) or b""


class Decoder:
    """One piece of media."""

    def __init__(self, out: BinaryIO, what: dict[str, Any]) -> None:
        self._out = out
        self._what = what
        self._samples = 0
        self._damaged = False  # something was passed over
        self._whole = True  # its end was reached

    def run(self, source: BinaryIO) -> None:
        """Decode all of it. What is wrong with it is said in a frame."""
        import av

        try:
            self._decode(av, source)
        except NotMedia as error:
            self._say({"t": "refused", "message": str(error)})
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            if self._samples:  # what was heard counts
                self._whole = False
                self._end()
            elif isinstance(error, MemoryError):
                self._say({"t": "refused", "message": TOO_LARGE})
            else:
                self._say({"t": "refused", "message": f"{DAMAGED}: no sound could be read from it."})

    def _decode(self, av: Any, source: BinaryIO) -> None:
        container = av.open(self._readable(source), mode="r", format=self._format, options=self._options())
        with container:
            tracks = container.streams.audio
            if not tracks:
                raise NotMedia("The file has no sound.")
            track = tracks[0]
            channels = int(track.codec_context.channels or 0)
            channel = self._what.get("channel")
            if channel is not None and channel >= channels:
                raise NotMedia(f"The file has {channels} channels, and not so many as were asked for.")
            self._say(_info(container, track, channels))
            if not self._what.get("probe"):
                for piece in self._gathered(self._sound(av, container, track, channel)):
                    self._say({"t": "pcm"}, piece)
                if not self._samples:
                    raise NotMedia(f"{DAMAGED} or empty: no sound could be read from it.")
        self._end()

    def _end(self) -> None:
        ms = self._samples * 1000 // RATE
        self._say({"t": "end", "ms": ms, "damaged": self._damaged or not self._whole, "whole": self._whole})

    def _readable(self, source: BinaryIO) -> Any:
        if not self._what["stream"]:
            self._format = self._what["format"]
            return source
        head = b""
        while len(head) < 4096 and (more := source.read(4096 - len(head))):
            head += more
        self._format = self._what.get("format") or demuxer(head)
        return _Stream(head, source)

    def _options(self) -> dict[str, str]:
        """No protocol at all; and for a stream, a short look before the first sound."""
        options = {"protocol_whitelist": "none"}
        if self._what["stream"]:
            options |= {"probesize": "32768", "analyzeduration": "300000"}
        return options

    def _gathered(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """A stream's PCM as it comes; a file's in larger pieces, because each costs whoever it is passed on to."""
        if self._what["stream"]:
            yield from pieces
            return
        held = bytearray()
        for piece in pieces:
            held += piece
            if len(held) >= self._what["piece"]:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)

    def _sound(self, av: Any, container: Any, track: Any, channel: int | None) -> Iterator[bytes]:
        """PCM s16le 16 kHz, mono or one channel alone, as far as it can be decoded."""
        mixed = channel is None
        resampler: Any = None
        shape = None
        for frame in self._frames(av, container, track):
            now = (frame.sample_rate, frame.layout.name, frame.format.name)
            if now != shape:  # also in the middle: recordings that were put together change
                if resampler is not None:
                    yield from self._counted(resampler.resample(None), channel)
                layout = "mono" if mixed else frame.layout.name
                resampler = av.AudioResampler(format="s16" if mixed else "s16p", layout=layout, rate=RATE)
                shape = now
            frame.pts = None  # sound is joined as it comes; times of its own would be filled or refused
            yield from self._counted(resampler.resample(frame), channel)
        if resampler is not None:
            yield from self._counted(resampler.resample(None), channel)

    def _counted(self, made: Any, channel: int | None) -> Iterator[bytes]:
        for frame in made:
            data = bytes(frame.planes[channel or 0])[: frame.samples * 2]  # a plane may be longer than its samples
            self._samples += len(data) // 2
            if self._samples * 1000 // RATE > self._what["most_ms"]:
                raise NotMedia(f"The file is longer than {self._what['most_ms'] // 3_600_000} hours.")
            yield data

    def _frames(self, av: Any, container: Any, track: Any) -> Iterator[Any]:
        """Every frame that can be decoded: a broken packet is passed over, a broken end is the end."""
        broken = 0
        for packet in self._packets(av, container, track):
            try:
                frames = packet.decode()
            except EOFError:
                return
            except av.error.FFmpegError:
                self._damaged = True
                broken += 1
                if broken == _BROKEN_PACKETS:
                    self._whole = False
                    return
                continue
            if frames:
                broken = 0
            yield from frames

    def _packets(self, av: Any, container: Any, track: Any) -> Iterator[Any]:
        try:
            yield from container.demux(track)
        except EOFError:
            return
        except av.error.FFmpegError:
            self._whole = False

    def _say(self, head: dict[str, Any], body: bytes = b"") -> None:
        self._out.write(wire.pack(head, body))
        self._out.flush()


def _info(container: Any, track: Any, channels: int) -> dict[str, Any]:
    duration = container.duration // 1000 if container.duration and container.duration > 0 else None
    own = int(track.duration * track.time_base * 1000) if track.duration and track.time_base else 0
    return {
        "t": "info",
        "format": container.format.name,
        "codec": track.codec_context.name,
        "channels": channels,
        "rate": int(track.codec_context.sample_rate or 0),
        "duration_ms": duration,
        "sound_ms": own if own > 0 else duration,
        "video": bool(container.streams.video),
    }


def decode(what: dict[str, Any], given: list[int]) -> None:
    """One piece of media, from the first descriptor to the second. Who no longer reads ends this at the next frame."""
    cut_off()
    source = os.fdopen(given[0], "rb", buffering=0 if what["stream"] else READ)
    out = os.fdopen(given[1], "wb", buffering=0)
    confine(what["memory"], what["cpu_s"])
    if not what["stream"]:
        os.nice(5)  # who speaks goes first
    with suppress(BrokenPipeError):
        Decoder(out, what).run(source)


def main() -> None:
    """Serve the parent."""
    import av  # before the limits: libraries are mapped files

    av.logging.set_level(None)
    if sys.argv[1:]:
        decode(json.loads(sys.argv[2]), [0, int(sys.argv[1])])
        os._exit(0)  # no clean-up of libraries that hostile input may have upset
    forks.serve(decode)


if __name__ == "__main__":
    main()
