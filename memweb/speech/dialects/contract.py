"""What every dialect offers: a client half that speaks to a provider, and a server half that answers like one.

Both are pure: one object per connection, a frame in, events or commands out; the moment and the ids are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from memweb.speech.events import Event, Failed
from memweb.speech.turns import TurnRules

PROVIDERS = ("elevenlabs", "assemblyai")

Encoding = Literal["pcm_s16le", "pcm_mulaw"]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What a client asks of a provider. `language` None asks it to detect."""

    language: str | None = "en"
    sample_rate: int = 16000
    timestamps: bool = True
    partials: bool = True
    extra: tuple[tuple[str, str], ...] = ()
    """Further query parameters, as they are; one that is named here replaces the dialect's own."""


class LiveClient(Protocol):
    """The client half: one per connection, called in this order: query, then audio, commit, ends, read; closed last."""

    name: str
    says_ended: bool
    """Whether the provider tells when all is said. Where it does not, its silence after the last final has to do."""

    def query(self, options: LiveOptions) -> list[tuple[str, str]]:
        """Query parameters for the handshake, without the gateway's own `provider` and `api_key`."""

    def audio(self, pcm: bytes) -> str | bytes:
        """One frame holding s16le mono PCM of the options' rate."""

    def commit(self) -> str | bytes | None:
        """A frame that asks for finals now, while the session goes on."""

    def ends(self) -> tuple[str | bytes, ...]:
        """Frames that ask for the end; send the first, and the next only where no answer came."""

    def read(self, message: str | bytes) -> tuple[Event, ...]:
        """Everything one message says. Never raises; what it cannot read becomes `Warned`."""

    def closed(self, code: int, reason: str) -> Event:
        """What the socket's end means: `Ended` where it was asked for, else `Failed`."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound in the declared encoding and rate; never half a sample."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Finals are wanted now; the session goes on."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """The client has sent everything: say the rest, then `LiveServer.ends`, then close 1000."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Parameters that changed mid-session; those of the dialect's own answers are already applied."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Still there, with nothing to say: the idle clock starts anew."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A frame that cannot be used. Send `frames`; where `fatal`, then close with `code`."""

    code: int | None
    kind: str
    message: str
    fatal: bool
    frames: list[str] = field(default_factory=list)


Command = Audio | Commit | Terminate | Configure | KeepAlive | Bad


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a client asked for in its handshake, with the provider's defaults filled in."""

    language: str | None
    """ISO 639-1, or None to detect."""
    language_given: bool
    """False where the language is only the provider's default, so that another may stand in for it."""
    sample_rate: int
    encoding: Encoding
    idle_timeout_s: float
    """Seconds without audio after which the session is closed with `LiveServer.idle`."""
    commit: Literal["manual", "vad"]
    model: str
    timestamps: bool = False
    language_detection: bool = False
    partials: bool = True
    format_turns: bool = False
    hints: Mapping[str, float] = field(default_factory=dict)
    """What was asked about the ends of turns, in the provider's names and units."""
    turns: TurnRules | None = None
    """The same as rules; None leaves it to the engine."""


class RefusedParameter(ValueError):
    """A handshake parameter that cannot be honoured: answer 400 with `message`, a plain sentence naming it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class LiveServer(Protocol):
    """The server half: one per connection."""

    name: str
    settings: ServerSettings

    def begins(self, now_s: float, engine: str = "") -> list[str]:
        """The first frames. `now_s` is the time of day in Unix seconds; `engine` is who answers, told as it is."""

    def accept(self, message: str | bytes) -> list[Command]:
        """What one client frame asks for. Never raises."""

    def says(self, event: Event) -> list[str]:
        """An engine's event in frames this client asked for, in the order to send them; often none."""

    def ends(self, audio_ms: int, session_ms: int) -> list[str]:
        """The last frames, after the engine has said everything. Then close 1000."""

    def closing(self, failed: Failed) -> tuple[int, str]:
        """Close code and reason for a failure whose frames `says` gave; the reason is at most 123 bytes."""

    def idle(self) -> tuple[list[str], int, str]:
        """Frames, close code and reason when no audio came for `settings.idle_timeout_s`."""
