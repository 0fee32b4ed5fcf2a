"""Recordings as an engine reads them, for the server halves to say."""

from __future__ import annotations

from dataclasses import replace

from memweb.speech.recognition import Measures, Recognised
from memweb.speech.transcript import Segment, Transcript, Word


def words(said: str, start_ms: int = 0, step_ms: int = 500, speaker: str | None = None) -> tuple[Word, ...]:
    """One word each half second, with a confidence of 0.9."""
    return tuple(
        Word(piece, start_ms + number * step_ms, start_ms + number * step_ms + 400, 0.9, speaker)
        for number, piece in enumerate(said.split())
    )


def segment(said: str, start_ms: int = 0, key: str = "0", **values: object) -> Segment:
    spoken = words(said, start_ms)
    made = Segment(key, spoken[0].start_ms, spoken[-1].end_ms, said, spoken, language="en")
    return replace(made, **values)  # type: ignore[arg-type]


def recording(*segments: Segment, language: str = "en", **values: object) -> Recognised:
    transcript = Transcript(segments, language, 10_400)
    made = Recognised(transcript, 0.97, voiced_ms=8_000, heard_ms=10_000, engine="whisper-base")
    return replace(made, **values)  # type: ignore[arg-type]


PLAIN = recording(segment("Hello, um, how are you today?"), segment("Very well, thank you.", 5_000, "1"))
TWO_VOICES = recording(
    replace(
        segment("Who is there? It is me."),
        words=words("Who is there?", speaker="SPEAKER_01") + words("It is me.", 2_000, speaker="SPEAKER_00"),
    ),
    segment("Come in.", 6_000, "1", speaker="SPEAKER_01"),
)
TWO_CHANNELS = recording(
    segment("Good morning to you.", 0, "0", channel=0),
    segment("And to you.", 700, "1", channel=1),
    channels=2,
    language_confidence=None,
)
WORDLESS = recording(Segment("0", 0, 2_000, "No times here", (), language="en"), language_confidence=None)
JAPANESE = recording(segment("今日 は 晴れ です。"), language="ja")
NOTHING = recording(language_confidence=None, voiced_ms=0)
MEASURED = replace(
    PLAIN, measures=(Measures((50, 51), 0, 0.0, -0.3, 1.1, 0.02), Measures((52,), 300, 0.2, -0.4, 1.2, 0.03))
)
