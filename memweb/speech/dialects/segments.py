"""Which segment a message means, where the provider gives it no number.

A provider may tell one segment several times: first its text, then the same with word times, later with its language
or another wording. Those are one segment. Two segments with the same words ("Okay." "Okay.") are two.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from memweb.speech.dialects.words import respelled
from memweb.speech.events import Final
from memweb.speech.transcript import Segment, Word

_REMEMBERED = 8


@dataclass(slots=True)
class _Told:
    segment: Segment
    timed: bool
    text: str  # as it was first told, whatever it was reworded to
    kinds: set[str] = field(default_factory=set)
    reworded: bool = False
    counted: bool = False  # its number is ours: the provider may call it otherwise


class SegmentBook:
    """The last few segments of one connection. Keys count from "0", or are the provider's own index."""

    def __init__(self) -> None:
        self._recent: deque[_Told] = deque(maxlen=_REMEMBERED)
        self.next = 0

    def tell(
        self, *, kind: str, segment: Segment, timed: bool, index: int | None = None, late: bool = False
    ) -> Final | None:
        """A final as its event; None where it says nothing new. The given segment's key is set here.

        `kind` is the message's name: a segment is told once by each. `late` messages may come after other segments
        and then mean the oldest that fits; others mean the last one or a new one.
        """
        told = self._by_index(index) if index is not None else self._by_text(kind, segment.text, late)
        if told is None:
            number = self.next if index is None else index
            self.next = max(self.next, number + 1)
            told = _Told(replace(segment, key=str(number)), timed, segment.text, {kind}, counted=index is None)
            self._recent.append(told)
            return Final(told.segment, timed)
        told.kinds.add(kind)
        if told.reworded:
            segment = replace(segment, text=told.segment.text, words=())
        merged = _merge(told.segment, segment, timed)
        if merged == told.segment:
            return None
        told.segment, told.timed = merged, told.timed or timed
        return Final(merged, told.timed)

    def reword(self, text: str, other: str) -> Final | None:
        """Another wording for the newest segment that was told with this text; None where there is none.

        Words that do not match the new wording one to one are dropped, and later tellings bring none back: what was
        redacted must not stay in them.
        """
        told = next((told for told in reversed(self._recent) if _same(told.text, text)), None)
        if told is None:
            return None
        told.reworded = True
        told.segment = replace(told.segment, text=other, words=respelled(told.segment.words, other))
        return Final(told.segment, told.timed)

    def assign(self, index: int, speaker: str | None, words: tuple[Word, ...]) -> bool:
        """Note a segment's voices; False where no such segment was told."""
        told = self._by_index(index)
        if told is not None:
            told.segment = replace(told.segment, speaker=speaker, words=words or told.segment.words)
        return index < self.next

    def numbered(self, index: int, segment: Segment) -> int:
        """Our number of the segment that a provider calls by this one, from what it says of it.

        It is the given one, save where no such segment was told and one without a number says the same at that time,
        or nobody knows when.
        """
        if index < self.next:
            return index
        return next(
            (int(told.segment.key) for told in self._recent if told.counted and _says(told, segment)),
            index,
        )

    def knows(self, index: int | None) -> bool:
        """Whether this segment was told, as far back as is remembered."""
        return index is not None and self._by_index(index) is not None

    def _by_index(self, index: int) -> _Told | None:
        return next((told for told in self._recent if told.segment.key == str(index)), None)

    def _by_text(self, kind: str, text: str, late: bool) -> _Told | None:
        candidates = list(self._recent) if late else list(self._recent)[-1:]
        return next((told for told in candidates if kind not in told.kinds and _same(told.text, text)), None)


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()


def _says(told: _Told, other: Segment) -> bool:
    own = told.segment
    at_once = not told.timed or (own.start_ms, own.end_ms) == (other.start_ms, other.end_ms)
    return at_once and _same(told.text, other.text)


def _merge(known: Segment, new: Segment, timed: bool) -> Segment:
    return replace(
        known,
        text=new.text,
        start_ms=new.start_ms if timed else known.start_ms,
        end_ms=new.end_ms if timed else known.end_ms,
        words=new.words or (known.words if _same(known.text, new.text) else ()),
        speaker=new.speaker or known.speaker,
        language=new.language or known.language,
    )
