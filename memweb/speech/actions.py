"""What a LiveSession can ask for, the states it can be in, and what it tells the person.

What is made ten times a second is a NamedTuple: a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from memweb.speech.transcript import Segment


class State(StrEnum):
    IDLE = "idle"
    CONNECTING = "connecting"
    LISTENING = "listening"
    FINISHING = "finishing"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Connect:
    """Open connection `connection`; its clock begins at `offset_ms` of the recording."""

    connection: int
    offset_ms: int


class Send(NamedTuple):
    """Send these samples, once, on the open connection."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Ask for finals now; the connection goes on."""


@dataclass(frozen=True, slots=True)
class End:
    """Say that no more audio comes, in the dialect's form number `form` (0 first)."""

    form: int


@dataclass(frozen=True, slots=True)
class Close:
    """Drop the connection; whatever it may still say is ignored."""


class Show(NamedTuple):
    """The interim text; empty clears it."""

    text: str
    start_ms: int


@dataclass(frozen=True, slots=True)
class Save:
    """Keep this final, then show it. `again`: the key was saved before, replace it."""

    segment: Segment
    again: bool


@dataclass(frozen=True, slots=True)
class Revise:
    """A saved segment has another speaker."""

    key: str
    speaker: str | None


@dataclass(frozen=True, slots=True)
class Merge:
    """Two speaker labels are one voice."""

    gone: str
    kept: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The gateway cannot be used until somebody acts. Recording goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """The session has ended. `complete`: all its audio had its chance to become words."""

    complete: bool


Action = Connect | Send | Commit | End | Close | Show | Save | Revise | Merge | Fail | Done


class View(NamedTuple):
    """What the person is told. `state` is a word of the page's protocol."""

    state: str
    transcribed_ms: int
    lag_ms: int
    engine: str
    note: str
