"""Turns that end where a client asked them to: after so much silence, whatever the engine's own habit is.

An engine makes a line final when it thinks that a pause is one. Where a client names the silence that ends a turn, this
stands between the two: finals are held and joined until it has been quiet for that long, and the engine is asked for
its final as soon as it has. What is quiet is told by energy; the engine's word that nobody speaks counts as well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from memweb.speech import endpoint, pcm, text
from memweb.speech.events import Committed, Ended, Event, Failed, Final, Partial, SpeechBegan
from memweb.speech.transcript import Segment, Word

LONGEST_MS = 60_000
"""A turn that is longer ends with the engine's next final: in a noisy room it is never quiet."""
PATIENCE_MS = 2_000
"""Silence by the engine's word alone must last so much longer."""
MARGIN_MS = endpoint.Rules().margin_ms
"""An utterance ends so much after its last sound."""

_ONSET_MS = 200  # within which the endpointer looks for a voice


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What ends a turn. Times are milliseconds of audio."""

    silence_ms: int
    """Silence that ends it in any case."""
    confident_ms: int
    """Silence that ends it where its words end a sentence; `silence_ms` where that makes no difference."""
    min_speech_ms: int = 120
    """Shorter sounds are no voice."""
    above_floor_db: float = 7.0
    """How far above the noise of the room a voice is."""


class Turns:
    """One stream. Without rules every event passes as it comes, and the engine's lines are the turns."""

    def __init__(self, rules: TurnRules | None = None) -> None:
        self._rules: TurnRules | None = None
        self._endpoint = endpoint.Endpointer()
        self._heard_bytes = 0
        self._quiet_from: int | None = None  # ms; None while somebody speaks, or nobody has yet
        self._quiet_before: int | None = None  # the same, before the sound that is heard now
        self._parts: list[Segment] = []
        self._partial = Partial("")
        self._commits: deque[bool] = deque()  # those the engine has not answered: whether one was asked for here
        self.rules = rules

    @property
    def rules(self) -> TurnRules | None:
        return self._rules

    @rules.setter
    def rules(self, rules: TurnRules | None) -> None:
        """From now on. Words that are held go with the next turn."""
        if rules == self._rules:
            return
        self._rules = rules
        if rules is not None:
            heard = endpoint.Rules(
                min_speech_ms=min(rules.min_speech_ms, _ONSET_MS),
                hangover_ms=min(rules.silence_ms, rules.confident_ms),
                above_floor_db=rules.above_floor_db,
            )
            self._endpoint = endpoint.Endpointer(heard, start_ms=self._heard_ms)
            self._quiet_from = None

    def hear(self, data: bytes) -> bool:
        """More s16le 16 kHz mono audio. True where the turn is over: the engine is to be told to commit."""
        self._heard_bytes += len(data)
        if self._rules is None:
            return False
        for heard in self._endpoint.feed(data):
            if isinstance(heard, SpeechBegan):
                self._quiet_from, self._quiet_before = None, self._quiet_from
            elif heard.end_ms - heard.start_ms - 2 * MARGIN_MS < self._rules.min_speech_ms - _ONSET_MS:
                self._quiet_from = self._quiet_before  # a sound, and no voice
            elif not heard.cut:
                self._quiet_from = heard.end_ms - min(MARGIN_MS, self._hangover_ms)
        if any(self._commits) or not self._is_over(self._rules):
            return False
        self._quiet_from = None
        self._commits.append(True)
        return True

    def commit(self) -> None:
        """The client asks for a commit, and the engine is told."""
        self._commits.append(False)

    def take(self, event: Event) -> list[Event]:
        """What to say of an engine's event."""
        match event:
            case Committed():
                ours = self._commits.popleft() if self._commits else False
                return [*self._ended(), *([] if ours else [event])]
            case Ended() | Failed():
                return [*self._ended(), event]
            case Final(segment) if self._rules is not None:
                return self._final(segment)
            case Partial() if self._parts or self._rules is not None:
                self._partial = event
                return [self._so_far()]
        return [event]

    def _final(self, segment: Segment) -> list[Event]:
        self._partial = Partial("")
        if segment.text:
            self._parts.append(segment)
        if self._parts and segment.end_ms - self._parts[0].start_ms > LONGEST_MS:
            return self._ended()
        return [self._so_far()]

    def _is_over(self, rules: TurnRules) -> bool:
        if self._quiet_from is not None:
            words = self._so_far().text
            enough = rules.confident_ms if text.ends_sentence(words) else rules.silence_ms
            return self._heard_ms - self._quiet_from >= enough
        if self._endpoint.speaking and self._parts and not self._partial.text:
            return self._heard_ms - self._parts[-1].end_ms >= max(rules.silence_ms, rules.confident_ms) + PATIENCE_MS
        return False

    def _so_far(self) -> Partial:
        """The words of the turn that is open, those held and those still changing."""
        if not self._parts:
            return self._partial
        words = text.join(part for part in [*(part.text for part in self._parts), self._partial.text] if part)
        end_ms = self._partial.end_ms if self._partial.text else None
        return Partial(words, self._parts[0].start_ms, end_ms or self._parts[-1].end_ms)

    def _ended(self) -> list[Event]:
        """The turn as one final, where there are words."""
        parts, self._parts, self._partial = self._parts, [], Partial("")
        if not parts:
            return []
        words: tuple[Word, ...] = tuple(word for part in parts for word in part.words)
        whole = text.join(part.text for part in parts)
        return [Final(replace(parts[0], end_ms=parts[-1].end_ms, text=whole, words=words))]

    @property
    def _heard_ms(self) -> int:
        return pcm.ms_of_bytes(self._heard_bytes)

    @property
    def _hangover_ms(self) -> int:
        assert self._rules is not None
        return min(self._rules.silence_ms, self._rules.confident_ms)
