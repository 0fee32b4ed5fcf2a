"""The callbacks of a pulled stream, in whatever order they came, into one transcript.

Each message has one place: by the sender's numbering, else by the time of its words, else where it arrived. A fold
goes on with a message whose place is after all others; one that comes late asks to be folded again from the start.
Either way gives the same segments under the same keys, and a repeat changes nothing.

A gateway that takes a broken stream up again opens another session, whose numbers and times begin anew: it goes on
where the words of the one before ended.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from memweb.speech import text, timeline
from memweb.speech.dialects import LiveClient, LiveOptions, live_client
from memweb.speech.dialects.identity import Identity, identity
from memweb.speech.events import Began, Event, Final, Partial, Revised, SpeakersMerged
from memweb.speech.fold import Fold
from memweb.speech.transcript import Segment, Transcript

Place = tuple[int, int, int, int]
"""0 where the sender numbers, else 1; sessions before its own, as they arrived; its number, or the time in ms; the
arrival."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message of the provider, as a callback brought it."""

    number: int
    """Of arrival."""
    message: Any
    """Parsed JSON, or the provider's text."""
    digest: str
    """Equal for equal callbacks."""
    sequence: int | None = None
    """The sender's numbering."""
    is_named: bool = False
    """Its delivery has an id, so it is not a repeat of another one, whatever it says."""
    gap: str = ""
    """What is said of sound that is missing before this."""


@dataclass(slots=True)
class _Places:
    """Gives each message its place, in order of arrival; knows a message that is a repeat.

    Times and the provider's own numbers begin anew with each session. Where the sender does not number, the session
    that began last is the one a message belongs to.

    ElevenLabs tells a segment twice: its text alone, and with times. The text alone has no place of its own: it
    belongs where the telling with times stands, whichever came first.
    """

    _seen: set[tuple[int, str]] = field(default_factory=set)
    _session: str | None = None
    _sessions: int = 0
    _anchor_ms: int = 0
    _plain: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _timed: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))

    def is_repeat(self, told: Told, known: Identity) -> bool:
        if told.is_named or not (known.names_itself or told.gap):
            return False
        mark = (self._sessions if known.session is None else -1, told.digest)
        repeats = mark in self._seen
        self._seen.add(mark)
        return repeats

    def place(self, told: Told, known: Identity) -> tuple[Place, int | None]:
        """Its place, and the number of an earlier message that from now on has its place just before this one."""
        if told.sequence is not None:
            return (0, 0, told.sequence, told.number), None
        if known.session is not None:
            self._begin(known.session, told)
        at, mate = known.start_ms, None
        if known.kind == "final" and known.turn is None:
            at, mate = self._paired(told.number, known)
        if known.start_ms is not None:
            self._anchor_ms = known.start_ms
        return (1, self._sessions, self._anchor_ms if at is None else at, told.number), mate

    def _begin(self, session: str, told: Told) -> None:
        """As the fold counts sessions, but in order of arrival."""
        if self._session is not None and (told.is_named or session != self._session):
            self._sessions, self._anchor_ms = self._sessions + 1, 0
            self._plain.clear()
            self._timed.clear()
        self._session = session

    def _paired(self, number: int, known: Identity) -> tuple[int | None, int | None]:
        if known.start_ms is not None:
            waiting = self._plain[known.text]
            if waiting:
                return known.start_ms, waiting.popleft()
            self._timed[known.text].append(known.start_ms)
            return known.start_ms, None
        told = self._timed[known.text]
        if told:
            return told.popleft(), None
        self._plain[known.text].append(number)
        return None, None


class StreamFold:
    """A stream's transcript in the making."""

    def __init__(self, provider: str) -> None:
        """Raises KeyError for a provider that is not in dialects.PROVIDERS."""
        self.model = ""
        self.changed: set[str] = set()
        """Keys of segments that are new, other than before or gone, until the caller empties it."""
        self.gaps: dict[int, str] = {}
        """What is said of missing sound, by where it is in ms, until the caller empties it."""
        self._provider = provider
        self._client = _client(provider)
        self._session: str | None = None
        self._sessions = self._from_ms = 0  # sessions before this one, and where it begins
        self._fold = Fold()
        self._places = _Places()
        self._labels: dict[str, str] = {}
        self._used: set[str] = set()
        self._floor_ms = 0
        self._last: Place = (0, 0, -1, -1)

    @classmethod
    def of(cls, provider: str, told: Iterable[Told]) -> Self:
        """The fold of everything that came, in order of arrival."""
        made = cls(provider)
        placed: dict[int, tuple[Place, Told, Identity]] = {}
        for one, known in made._lasting(told):
            place, mate = made._places.place(one, known)
            placed[one.number] = place, one, known
            if mate is not None:
                _, earlier, its = placed[mate]
                placed[mate] = (*place[:3], mate), earlier, its
        for place, one, known in sorted(placed.values(), key=lambda found: found[0]):
            made._say(place, one, known)
        return made

    def add(self, told: Told) -> bool:
        """Go on with the next that arrived. False where its place is among the others: then take `of` all of them."""
        for one, known in self._lasting([told]):
            place, mate = self._places.place(one, known)
            if mate is not None and (mate != self._last[3] or place[:3] < self._last[:3]):
                return False
            if place < self._last:
                return False
            self._say(place, one, known)
        return True

    @property
    def transcript(self) -> Transcript:
        return self._fold.transcript

    def segment(self, key: str) -> Segment | None:
        """How a segment stands; None for one that was taken back."""
        return self._fold.said(key)

    def _lasting(self, told: Iterable[Told]) -> Iterator[tuple[Told, Identity]]:
        """What is no repeat and, but for a gap before it, not only interim."""
        for one in told:
            known = identity(self._provider, one.message)
            if (known.kind != "interim" or one.gap) and not self._places.is_repeat(one, known):
                yield one, known

    def _say(self, place: Place, told: Told, known: Identity) -> None:
        self._last = place
        if told.gap:
            self.gaps[self._floor_ms] = told.gap
        if known.kind == "interim":
            return
        for event in self._client.read(_text(told.message)):
            if isinstance(event, Began):
                self._begin(event, told)
            self._hear(event, told, known)

    def _begin(self, event: Began, told: Told) -> None:
        self.model = event.model or self.model
        if self._session is not None and (told.is_named or event.session_id != self._session):
            self._sessions += 1
            self._from_ms = self._floor_ms
            self._client = _client(self._provider)
        self._session = event.session_id

    def _hear(self, event: Event, told: Told, known: Identity) -> None:
        match event:
            case Final():
                key = self._key(self._own(event.segment.key), told, known)
                segment = timeline.moved(event.segment, key=key, by_ms=self._from_ms)
                if not event.timed:
                    segment = timeline.placed(segment, key=key, after_ms=self._floor_ms, heard_ms=self._floor_ms)
                self._floor_ms = max(self._floor_ms, segment.end_ms)
                event = Final(segment, event.timed)
                self.changed.add(key)
            case Revised():
                own = self._own(event.key)
                words = timeline.moved_words(event.words, by_ms=self._from_ms)
                event = replace(event, key=self._labels.get(own, own), words=words)
                self.changed.add(event.key)
            case SpeakersMerged():
                self.changed |= self._used
        self._fold.apply(event)

    def _own(self, key: str) -> str:
        """The provider's key, told apart from that of another session."""
        return f"{self._sessions}-{key}" if self._sessions else key

    def _key(self, own: str, told: Told, known: Identity) -> str:
        """The provider's number, else a name of the first message that told the segment. No later one changes it."""
        if own not in self._labels:
            label = own if known.turn is not None else _label(told, known)
            self._labels[own] = label if label not in self._used else f"{label}.{told.number}"
            self._used.add(self._labels[own])
        return self._labels[own]


def interim(provider: str, message: Any) -> str:
    """The words that a message says are being said, and may still change; none where it says what lasts.

    Raises KeyError for a provider that is not in dialects.PROVIDERS.
    """
    events = live_client(provider).read(_text(message))
    return "".join(text.line(event.text) for event in events if isinstance(event, Partial))


def _client(provider: str) -> LiveClient:
    client = live_client(provider)
    client.query(LiveOptions(partials=False))
    return client


def _label(told: Told, known: Identity) -> str:
    if told.sequence is not None:
        return f"s{told.sequence}"
    return f"n{told.number}" if known.start_ms is None else f"t{known.start_ms}"


def _text(message: Any) -> str:
    """The message as a dialect reads it."""
    if isinstance(message, str):
        return message
    try:
        return json.dumps(message)
    except (ValueError, RecursionError):  # too deep, too long a number
        return ""
