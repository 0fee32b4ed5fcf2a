"""What a message is by itself, whoever else said what: its place in the recording, and what makes a repeat of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from memweb.speech.dialects import wire
from memweb.speech.dialects.assemblyai import client as assemblyai
from memweb.speech.dialects.elevenlabs import client as elevenlabs
from memweb.speech.dialects.words import bounds
from memweb.speech.transcript import Word

_FINALS = {
    "committedtranscript",
    "committedtranscriptwithtimestamps",
    "finaltranscript",
    "finaltranscriptwithtimestamps",
    "transcript",
}
_BEGINS = {"assemblyai": {"begin", "sessionbegins"}, "elevenlabs": {"sessionstarted"}}
_INTERIMS = {"partialtranscript", "speechstarted", "heartbeat", "silence"}


@dataclass(frozen=True, slots=True)
class Identity:
    kind: Literal["final", "interim", "other"]
    """An interim says nothing that lasts."""
    turn: int | None = None
    """The provider's own number of the segment."""
    start_ms: int | None = None
    """Of its first word; None where it has no times."""
    text: str = ""
    """A final's words, evenly spaced."""
    session: str | None = None
    """The id of the session that begins with it, "" where it has none; None for a message that begins none."""

    @property
    def names_itself(self) -> bool:
        """Whether an equal message of the same session, or an equal beginning of one, can only be the same one again:
        no two segments share a number or a time, no two sessions an id."""
        return self.turn is not None or self.start_ms is not None or bool(self.session)


def provider_of(frame: object) -> str:
    """Which provider speaks like this, where nothing else says so."""
    return "elevenlabs" if isinstance(frame, dict) and "message_type" in frame else "assemblyai"


def identity(provider: str, frame: object) -> Identity:
    """The identity of a parsed message. Never raises for what a provider may send."""
    if not isinstance(frame, dict):
        return Identity("other")
    kind = wire.kind(frame)
    if kind in _INTERIMS or (kind == "turn" and frame.get("end_of_turn") is not True):
        return Identity("interim")
    if provider == "elevenlabs":
        turn, words = wire.ordinal(frame.get("segment_index")), elevenlabs.read_words(frame)
    else:
        turn, words = wire.ordinal(frame.get("turn_order")), assemblyai.read_words(frame)
    start_ms = _start(frame, words)
    if kind in _BEGINS.get(provider, ()):
        return Identity("other", session=wire.text(frame.get("id")) or wire.text(frame.get("session_id")))
    if kind != "turn" and kind not in _FINALS:
        return Identity("other", turn, start_ms)
    said = wire.text(frame.get("text")) or wire.text(frame.get("transcript"))
    return Identity("final", turn, start_ms, " ".join(said.split()))


def _start(frame: dict[str, Any], words: tuple[Word, ...]) -> int | None:
    """Words whose times are guessed place nothing."""
    found = bounds([word for word in words if not word.estimated])
    return found[0] if found else wire.milliseconds(frame.get("audio_start"), 1)
