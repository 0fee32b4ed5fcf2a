"""The gateway's own results as it says them: rows of Whisper's text, rows of who spoke when. Times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memweb.speech.dialects.orders import said, voices
from memweb.speech.recognition import Recognised
from memweb.speech.transcript import Word
from memweb.speech.voices import Turn

WHISPER = "whisper-1"
PYANNOTE = "pyannote"


def text_items(found: Recognised, *, speakers: bool) -> list[dict[str, Any]]:
    """The items of the synchronous answer: `speaker` only where it was asked for."""
    rows = text_rows(found)
    return rows if speakers else [{name: row[name] for name in ("text", "start_time", "end_time")} for row in rows]


def text_rows(found: Recognised) -> list[dict[str, Any]]:
    """The rows of the callback: `speaker` is null where nobody is told apart."""
    numbers = voices(said(found))
    return [
        {
            "text": segment.text,
            "start_time": _seconds(segment.start_ms),
            "end_time": _seconds(segment.end_ms),
            "speaker": None if segment.speaker is None else _label(numbers.setdefault(segment.speaker, len(numbers))),
        }
        for segment in found.transcript.segments
    ]


def word_rows(found: Recognised) -> list[list[dict[str, Any]]]:
    """The words of each row, for memweb's own app: the contract's rows have no place for them.

    `confidence` is there where the engine gives one, `estimated` where the times were not heard.
    """
    return [[_word(word) for word in segment.words] for segment in found.transcript.segments]


def _word(word: Word) -> dict[str, Any]:
    told: dict[str, Any] = {"text": word.text, "start": _seconds(word.start_ms), "end": _seconds(word.end_ms)}
    if word.confidence is not None:
        told["confidence"] = word.confidence
    return told | {"estimated": True} if word.estimated else told


def speaker_rows(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Who spoke when, the voices numbered in the order they are first heard in."""
    numbers: dict[str, int] = {}
    return [
        {
            "start": _seconds(turn.start_ms),
            "end": _seconds(turn.end_ms),
            "speaker": _label(numbers.setdefault(turn.voice, len(numbers))),
        }
        for turn in sorted(turns, key=lambda turn: turn.start_ms)
    ]


def _label(number: int) -> str:
    return f"SPEAKER_{number:02}"


def _seconds(ms: int) -> float:
    return ms / 1000
