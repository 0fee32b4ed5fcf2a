"""Events, in order, into a transcript.

What is kept is not the transcript but what was said about it: the last final of each key, the last revision of each
key, which speakers are one. So a repeat changes nothing, a revision may come before the final it revises, and finals
of different keys may come in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from memweb.speech import text
from memweb.speech.events import Ended, Event, Final, Partial, Revised, SpeakersMerged
from memweb.speech.transcript import Segment, Transcript, Word

# Bounded, since Python refuses to make a number of some thousand digits.
_NUMBERS = re.compile("([0-9]{1,18})")


class Fold:
    """A transcript in the making. `partial` is the text that may still change: shown, never part of the transcript."""

    def __init__(self) -> None:
        self.partial: Partial | None = None
        self._finals: dict[str, Segment] = {}
        self._revisions: dict[str, Revised] = {}
        self._kept: dict[str, str] = {}  # speaker label -> the label it became
        self._audio_ms: int | None = None
        self._made: Transcript | None = None

    def apply(self, event: Event) -> None:
        match event:
            case Partial():
                self.partial = event if event.text else None
                return
            case Final():
                self.partial = None
                self._finals[event.segment.key] = _sound(event.segment)
            case Revised():
                self._revisions[event.key] = event
            case SpeakersMerged():
                self._merge(event.gone, event.kept)
            case Ended():
                self.partial = None
                if event.audio_ms is not None:
                    self._audio_ms = max(self._audio_ms or 0, event.audio_ms)
            case _:
                return
        self._made = None

    @property
    def transcript(self) -> Transcript:
        """All finals so far, in order of start. Empty ones are left out: a provider takes a segment back that way."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def said(self, key: str) -> Segment | None:
        """One segment as it stands; None for one that is not known, or was taken back."""
        final = self._finals.get(key)
        return self._revised(final) if final is not None and (final.text or final.words) else None

    def _make(self) -> Transcript:
        spoken = [self._revised(final) for final in self._finals.values() if final.text or final.words]
        segments = tuple(sorted(spoken, key=_order))
        duration = self._audio_ms
        if duration is not None:
            duration = max([duration, *(segment.end_ms for segment in segments)])
        return Transcript(segments, _language(segments), duration)

    def _revised(self, final: Segment) -> Segment:
        speaker, words = final.speaker, final.words
        revision = self._revisions.get(final.key)
        if revision:
            speaker = revision.speaker
            # A revision tells who spoke. Where it counts other words than the final has, it was made for other text.
            if revision.words and len(revision.words) == (len(words) or len(revision.words)):
                words = tuple(map(_sound_word, revision.words))
        named = tuple(replace(word, speaker=self._speaker(word.speaker)) for word in words)
        return replace(final, speaker=self._speaker(speaker), words=named)

    def _merge(self, gone: str, kept: str) -> None:
        gone, kept = self._root(gone), self._root(kept)
        if gone != kept:
            self._kept[gone] = kept

    def _root(self, label: str) -> str:
        while label in self._kept:
            label = self._kept[label]
        return label

    def _speaker(self, label: str | None) -> str | None:
        return None if label is None else self._root(label)


def fold(events: Iterable[Event]) -> Transcript:
    folded = Fold()
    for event in events:
        folded.apply(event)
    return folded.transcript


def _order(segment: Segment) -> tuple[int, list[str | int], str]:
    """By start, then by key as a person counts: "1-9" before "1-10"."""
    parts = _NUMBERS.split(segment.key)
    return segment.start_ms, [int(part) if at % 2 else part for at, part in enumerate(parts)], segment.key


def _language(segments: tuple[Segment, ...]) -> str | None:
    """The one most was said in."""
    said: dict[str, int] = {}
    for segment in segments:
        if segment.language:
            said[segment.language] = said.get(segment.language, 0) + len(segment.text)
    return max(sorted(said), key=said.__getitem__, default=None)


def _sound(segment: Segment) -> Segment:
    """Times that can be, text that can be stored."""
    start = max(0, segment.start_ms)
    words = tuple(map(_sound_word, segment.words))
    return replace(
        segment, start_ms=start, end_ms=max(start, segment.end_ms), text=text.clean(segment.text), words=words
    )


def _sound_word(word: Word) -> Word:
    start = max(0, word.start_ms)
    return replace(word, start_ms=start, end_ms=max(start, word.end_ms), text=text.clean(word.text))
