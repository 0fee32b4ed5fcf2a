"""What a client asks for one recording, in no dialect, and what is done to the words that were found.

A dialect's request is read into an Order; the shell has the recording read as the Order says; `fulfil` checks what was
found against it and edits the words; the dialect then says the result in its own shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from memweb.speech import text
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.wording import Wording, worded
from memweb.speech.dialects.words import spread
from memweb.speech.recognition import Hints, Recognised
from memweb.speech.transcript import Segment, Word

MOST_FAVOURED = 400
"""Characters of favoured words and of a prompt: about half of what Whisper can hear before it listens."""
MOST_SPEAKERS = 32
"""So many voices can be asked for."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A share, 0 to 1, that must be reached, and the parameter that asked for it."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Order:
    """How one recording is to be read."""

    hints: Hints = field(default_factory=Hints)
    speakers: bool = False
    """Tell the voices apart."""
    most_speakers: int | None = None
    channels: bool = False
    """Read each channel by itself."""
    start_ms: int = 0
    end_ms: int | None = None
    raw: bool = False
    """The file is bare s16le PCM, 16 kHz, mono."""
    least_certainty: Limit | None = None
    """Of the language's detection."""
    least_speech: Limit | None = None
    wording: Wording = field(default_factory=Wording)


def favoured(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """Favoured words, if they fit. Raises RefusedParameter."""
    length = sum(len(word) + 2 for word in given)
    if length > MOST_FAVOURED:
        raise RefusedParameter(
            name, f"{name} may have {MOST_FAVOURED} characters in all: more would not be heard. This has {length}."
        )
    return given


def fulfil(order: Order, found: Recognised) -> Recognised:
    """What was found, as it was asked for. Raises RefusedParameter where it misses a limit that was set."""
    _check(order, found)
    segments = (_timed(segment) for segment in found.transcript.segments)
    transcript = worded(order.wording, replace(found.transcript, segments=tuple(segments)))
    by_voice = tuple(part for segment in transcript.segments for part in _by_voice(segment))
    return replace(found, transcript=replace(transcript, segments=by_voice))


def _check(order: Order, found: Recognised) -> None:
    limit, sure = order.least_certainty, found.language_confidence
    if limit and sure is not None and sure < limit.share:
        raise RefusedParameter(
            limit.name,
            f"The language was detected with a confidence of {sure:.2f}, below {limit.name} {limit.share:g}.",
        )
    limit = order.least_speech
    heard_ms = found.heard_ms * found.channels
    if limit and found.voiced_ms < limit.share * heard_ms:
        share = found.voiced_ms / heard_ms
        raise RefusedParameter(
            limit.name, f"The audio holds {share:.2f} of speech, below {limit.name} {limit.share:g}."
        )


def _timed(segment: Segment) -> Segment:
    words = segment.words or spread(segment.text, segment.start_ms, segment.end_ms)
    return replace(segment, words=words)


def _by_voice(segment: Segment) -> Iterator[Segment]:
    """The segment, cut where its words change the voice."""
    parts = [list(words) for _, words in groupby(segment.words, key=lambda word: word.speaker or segment.speaker)]
    if len(parts) < 2:
        yield replace(segment, speaker=segment.words[0].speaker or segment.speaker) if segment.words else segment
        return
    for number, words in enumerate(parts):
        yield replace(
            segment,
            key=f"{segment.key}.{number}",
            start_ms=words[0].start_ms,
            end_ms=words[-1].end_ms,
            text=text.join(word.text for word in words),
            words=tuple(words),
            speaker=words[0].speaker or segment.speaker,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """One word with where it stands."""

    word: Word
    speaker: str | None
    channel: int | None
    spaced: bool
    """Whether a space stands before it."""


def said(found: Recognised) -> list[Said]:
    """Every word in order of time, channels mixed."""
    listed = [
        Said(word, word.speaker or segment.speaker, segment.channel, True)
        for segment in found.transcript.segments
        for word in segment.words
    ]
    listed.sort(key=lambda one: one.word.start_ms)
    return list(_spaced(listed))


def _spaced(listed: list[Said]) -> Iterator[Said]:
    if listed:
        yield replace(listed[0], spaced=False)
    for one, other in pairwise(listed):
        yield replace(other, spaced=" " in text.join((one.word.text, other.word.text)))


def joined(listed: list[Said]) -> str:
    """The text of a run of words; a space before the first is left out."""
    return "".join(f" {one.word.text}" if one.spaced else one.word.text for one in listed).strip()


def runs(listed: list[Said]) -> list[list[Said]]:
    """Cut where the voice or the channel changes."""
    cut: list[list[Said]] = []
    for one in listed:
        if cut and (cut[-1][-1].speaker, cut[-1][-1].channel) == (one.speaker, one.channel):
            cut[-1].append(one)
        else:
            cut.append([one])
    return cut


def voices(listed: list[Said]) -> dict[str, int]:
    """A number for each voice, in order of first being heard."""
    return {label: number for number, label in enumerate(dict.fromkeys(one.speaker for one in listed if one.speaker))}


def confidence(listed: list[Said]) -> float:
    """The mean confidence of some words; 0 where the engine gives none."""
    known = [one.word.confidence for one in listed if one.word.confidence is not None]
    return sum(known) / len(known) if known else 0.0
