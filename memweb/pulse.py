"""The pulse of a process in the background: a file it touches, so that others see that it lives."""

from __future__ import annotations

HEARTBEAT_S = 5.0
HEARTBEAT_FILE = "worker.heartbeat"
STREAMS_HEARTBEAT_FILE = "streams.heartbeat"
