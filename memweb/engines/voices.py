"""Who speaks when, in a process of its own: `python -m memweb.engines.voices`.

The child asks for audio and gets it, as `reader` does.

In:  hello{threads,most?} audio{}+pcm end{}
Out: more{ms} turns{turns: [[start_ms, end_ms, voice], ...]}
"""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import suppress
from typing import Protocol

import numpy as np

from memweb.engines import wire
from memweb.engines.diarization import Diarizer, Turns
from memweb.engines.protocol import RATE
from memweb.engines.voiceprints import Floats, Models, NotCarried

OPTIONS = {
    "return_audio_data": "false",
    "skip_transcription": "true",
    "identify_speakers": "true",
    "diarization_analyze_cadence": "5",
    "diarization_cluster_cadence": "1000",  # the voices are sorted once, at the end
}
NICENESS = 10


class Listener(Protocol):
    """What tells the voices of one recording apart."""

    def add(self, samples: Floats) -> None:
        """Take floats at 16 kHz."""

    def turns(self) -> Turns:
        """Every span that got a voice, in ms, in order."""


class Native:
    """Moonshine's own driver: for machines where its library keeps its models to itself. Three times slower."""

    def __init__(self) -> None:
        from moonshine_voice import ModelArch, get_model_path
        from moonshine_voice.transcriber import Transcriber

        from memweb.engines.moonshine import Stream

        self._stream = Stream(Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options=OPTIONS))

    def add(self, samples: Floats) -> None:
        self._stream.add(samples)
        self._stream.lines(0)

    def turns(self) -> Turns:
        from moonshine_voice.moonshine_api import TranscriptC

        self._stream.stop()
        out = ctypes.POINTER(TranscriptC)()
        self._stream.update(out)
        found = []
        for index in range(out.contents.line_count):
            line = out.contents.lines[index]
            for number in range(line.speaker_span_count):
                span = line.speaker_spans[number]
                start = round(1000 * span.start_time)
                end = start + round(1000 * span.duration)
                if end > start:
                    found.append((start, end, int(span.speaker_index)))
        return sorted(found)


def listener(threads: int, most: int | None = None) -> Listener:
    """The quicker of both that works here. The slower one cannot be told how many voices there are at most."""
    try:
        return Diarizer(Models(threads), most)
    except NotCarried:
        return Native()


def listen(link: socket.socket) -> None:
    """Take one recording from the parent and say who speaks when."""
    reading, writing = link.makefile("rb"), link.makefile("wb")

    def say(head: wire.Head) -> None:
        writing.write(wire.pack(head))
        writing.flush()

    hello = wire.read(reading)
    if hello is None:
        return
    ear = listener(hello[0]["threads"], hello[0].get("most"))
    heard = 0
    while True:
        say({"t": "more", "ms": heard * 1000 // RATE})
        frame = wire.read(reading)
        if frame is None:
            os._exit(0)  # the parent has gone
        if frame[0]["t"] != "audio":
            break
        samples = np.frombuffer(frame[1], dtype="<i2").astype(np.float32) / np.float32(32768)
        if len(samples):
            ear.add(samples)
            heard += len(samples)
    say({"t": "turns", "turns": ear.turns()})


def main() -> None:
    """Serve the parent on the socket that is standard input."""
    with suppress(OSError):
        os.nice(NICENESS)
    listen(socket.socket(fileno=os.dup(0)))


if __name__ == "__main__":
    main()
