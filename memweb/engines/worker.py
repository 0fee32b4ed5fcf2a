"""An engine in a process of its own: `python -m memweb.engines.worker moonshine|whisper`.

Frames come in on standard input and go out on the same socket (see `wire`). One thread reads, one decodes. When the
parent goes, the input ends and the process with it, also from inside a native call.

In:  hello{...} open{s,language,base} audio{s}+pcm commit{s} finish{s} close{s}
Out: ready{engine,load_ms} speech{s,at} line{s,...} progress{s,heard,thought,settled,lag} committed{s} ended{s}
     broken{s,message}
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from dataclasses import asdict
from typing import BinaryIO

from memweb.engines import wire
from memweb.engines.protocol import RATE, Ear, Engine, Line, Want
from memweb.engines.stray import is_stray

LAG_SLOWER_S = 0.5
"""A turn this late makes its stream's partials rarer."""
LAG_QUICKER_S = 0.15
QUICKER_AFTER = 6
"""Turns in time before partials become livelier again."""
IDLE_S = 0.7
"""Audio that has not been followed by more for so long is decoded without waiting for the interval."""
REPORT_SAMPLES = RATE // 2


class Stream:
    """One ear with its place in the queue, and the interval its measured lag allows."""

    def __init__(self, number: int, ear: Ear, intervals: tuple[float, ...]) -> None:
        self.number = number
        self.ear = ear
        self._intervals = intervals
        self._level = 0
        self._in_time = 0
        self.since: float | None = None  # when its present want arose
        self.last_audio = 0.0
        self.last_turn = 0.0
        self.reported = ear.heard
        self.said = ""
        self.lag_s = 0.0

    def want(self, now: float) -> Want:
        """What it would do with a turn now; remembers since when."""
        resting = now - self.last_audio > IDLE_S and self.ear.heard > self.ear.thought
        want = self.ear.want(0.01 if resting else self.interval_s)
        if want is Want.NOTHING:
            self.since = None
        elif self.since is None:
            self.since = now
        return want

    @property
    def interval_s(self) -> float:
        return self._intervals[self._level] if self._level < len(self._intervals) else float("inf")

    def turned(self, now: float) -> None:
        """Learn from how late the turn ended."""
        self.lag_s = now - self.since if self.since is not None else 0.0
        self.since = None
        self.last_turn = now
        if self.lag_s > LAG_SLOWER_S:
            self._level = min(self._level + 1, len(self._intervals))
            self._in_time = 0
        elif self.lag_s < LAG_QUICKER_S + self._level * 0.1:
            self._in_time += 1
            if self._in_time >= QUICKER_AFTER and self._level:
                self._level -= 1
                self._in_time = 0


class Worker:
    """Hears every stream at once, and gives the one decoder to whoever needs it most."""

    def __init__(self, engine: Engine, out: BinaryIO) -> None:
        self._engine = engine
        self._out = out
        self._streams: dict[int, Stream] = {}

    def serve(self, inbox: queue.SimpleQueue[wire.Frame]) -> None:
        """Work until the process is ended."""
        while True:
            self._take_all(inbox)
            chosen = self._choose(time.monotonic())
            if chosen is not None:
                self._turn(chosen)

    def _take_all(self, inbox: queue.SimpleQueue[wire.Frame]) -> None:
        """Take what has come. Waits only while there is nothing to decode."""
        timeout = None if not self._streams else 0.2
        if self._choose(time.monotonic()) is not None:
            timeout = 0.0
        try:
            self._take(*inbox.get(timeout=timeout))
            while True:
                self._take(*inbox.get_nowait())
        except queue.Empty:
            return

    def _choose(self, now: float) -> Stream | None:
        """Finals before partials; among equals the one that has waited longest."""
        wanting = [(stream.want(now), stream.since or 0.0, stream) for stream in self._streams.values()]
        turns = [turn for turn in wanting if turn[0] is not Want.NOTHING]
        return min(turns, key=lambda turn: turn[:2])[2] if turns else None

    def _take(self, head: wire.Head, body: bytes) -> None:
        number = head.get("s", 0)
        try:
            if head["t"] == "open":
                ear = self._engine.open(head["language"], head["base"])
                self._streams[number] = Stream(number, ear, self._engine.intervals)
            elif number in self._streams:
                self._pass_on(self._streams[number], head["t"], body)
        except Exception as error:  # a stream's trouble must not end the others'
            self._drop(number, error)

    def _pass_on(self, stream: Stream, kind: str, body: bytes) -> None:
        if kind == "audio":
            stream.last_audio = time.monotonic()
            for at_ms in stream.ear.hear(body):
                self._send({"t": "speech", "s": stream.number, "at": at_ms})
            if stream.ear.heard - stream.reported >= REPORT_SAMPLES:
                self._report(stream)
        elif kind == "close":
            del self._streams[stream.number]
            stream.ear.close()
        else:
            self._say(stream, stream.ear.commit())
            self._report(stream)
            self._send({"t": "committed" if kind == "commit" else "ended", "s": stream.number})

    def _turn(self, stream: Stream) -> None:
        try:
            lines = stream.ear.speak()
        except Exception as error:  # as above
            self._drop(stream.number, error)
            return
        stream.turned(time.monotonic())
        self._say(stream, lines)
        self._report(stream)

    def _say(self, stream: Stream, lines: list[Line]) -> None:
        for line in lines:
            if is_stray(line):
                if stream.said:
                    self._send({"t": "line", "s": stream.number, **asdict(Line("", line.start_ms, line.end_ms, False))})
                    stream.said = ""
                continue
            if line.final or line.text != stream.said:
                self._send({"t": "line", "s": stream.number, **asdict(line)})
            stream.said = "" if line.final else line.text

    def _report(self, stream: Stream) -> None:
        ear = stream.ear
        waiting = time.monotonic() - stream.since if stream.since is not None else 0.0
        lag_ms = round(1000 * max(stream.lag_s if ear.thought < ear.heard else 0.0, waiting))
        stream.reported = ear.heard
        self._send(
            {"t": "progress", "s": stream.number, "heard": ear.heard, "thought": ear.thought, "settled": ear.settled}
            | {"lag": lag_ms, "interval": None if stream.interval_s == float("inf") else stream.interval_s}
        )

    def _drop(self, number: int, error: Exception) -> None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.ear.close()
        self._send({"t": "broken", "s": number, "message": f"{type(error).__name__}: {error}"})

    def _send(self, head: wire.Head) -> None:
        try:
            self._out.write(wire.pack(head))
            self._out.flush()
        except ConnectionError:
            os._exit(0)  # the parent has gone: nobody is left to tell


def load(kind: str, hello: wire.Head) -> Engine:
    """Load the engine that was asked for. Raises what the engine's own library raises."""
    if kind == "moonshine":
        from memweb.engines.moonshine import Moonshine

        return Moonshine()
    from memweb.engines.whisper import Whisper

    return Whisper(hello["model_dir"], threads=hello["threads"])


def _read_on(stream: BinaryIO, inbox: queue.SimpleQueue[wire.Frame]) -> None:
    """Pass frames to the worker; end the process when the parent has gone."""
    try:
        while frame := wire.read(stream):
            inbox.put(frame)
    except OSError:
        pass  # the parent was killed: the same end
    os._exit(0)


def main(kind: str) -> None:
    """Serve the parent on the socket that is standard input."""
    link = socket.socket(fileno=os.dup(0))
    reading, writing = link.makefile("rb"), link.makefile("wb")
    hello = wire.read(reading)
    if hello is None:
        return
    began = time.monotonic()
    engine = load(kind, hello[0])
    load_ms = round(1000 * (time.monotonic() - began))
    writing.write(wire.pack({"t": "ready", "engine": engine.name, "load_ms": load_ms}))
    writing.flush()
    inbox: queue.SimpleQueue[wire.Frame] = queue.SimpleQueue()
    threading.Thread(target=_read_on, args=(reading, inbox), daemon=True).start()
    Worker(engine, writing).serve(inbox)


if __name__ == "__main__":
    main(sys.argv[1])
