"""LiveSession: the state machine of one dictation. Inputs in, actions out; no clock, no I/O, no randomness.

    idle --start, audio--> connecting --opened--> listening --stop--> finishing --ended--> ended
                               ^                     |                    |
                               +------ dropped ------+<-- rest is over ---+      failed from any

Positions are samples of the recording at 16 kHz (pauses are not in it), moments are seconds of any steady clock.

The whole promise rests on one number, the *floor*: everything before it has become committed words or is known to
hold none. Each connection begins at the floor of its moment, so after a drop exactly the audio that has no words yet
is sent again, and times of all connections lie on one line. What a connection says about audio before its floor is
left out by time, never by comparing text: people do repeat themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from memweb.speech import actions as act
from memweb.speech import events, timeline
from memweb.speech.actions import Action, State, View

PER_MS = 16
SHORTEST = 50 * PER_MS  # providers refuse less in one frame
LONGEST = 500 * PER_MS
BURST = 1500 * PER_MS
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 5.0
CONNECT_TIMEOUT_S = 6.0
HEALTHY_S = 10.0  # so long a connection must live before a drop counts as the first again
PAUSE_REST_S = 5.0
SILENT_REST_S = 8.0  # no audio at all, as from a suspended tab; providers end an idle connection after 10 s
LEFT_REST_S = 15.0
END_AGAIN_S = 3.0
END_PATIENCE_S = 30.0
END_QUIET_S = 1.0  # for dialects without a word for the end: so long after the last final it is over
ENDS_WITHOUT_FINAL = 2  # tries for interim words that never became final
GIVE_UP_S = 20.0  # finishing without any connection
LAG_MS = 2000
SHORT_LIVED = events.Failed("unknown", "The gateway closed the connection.", retry=True)


class LiveSession:
    """One dictation from its first sample to its last word.

    `floor_ms`: where committed words end already; `connections`: how many connections there were before;
    `pace`: how many times real time a backlog may be sent; `says_ended`: whether the dialect tells when all is said;
    `forms`: how many forms of the end it knows; `chance`: gives numbers in 0..1 for the jitter.
    """

    def __init__(
        self,
        *,
        floor_ms: int = 0,
        connections: int = 0,
        pace: float = 2.0,
        says_ended: bool = True,
        forms: int = 1,
        chance: Callable[[], float],
    ) -> None:
        self.state = State.IDLE
        self.floor = floor_ms * PER_MS
        self.captured = 0
        self.sent = self.floor
        self.connection = connections
        self.offset_ms = floor_ms
        self.engine = ""
        self.note = ""
        self._pace, self._says_ended, self._forms, self._chance = pace, says_ended, forms, chance
        self._open = self._was_open = False  # whether the connection is open; whether any ever was
        self._opened_at = self._since = 0.0
        self._retry_at: float | None = None
        self._attempts = 0
        self._lost = False  # there was a connection, or an attempt, and it failed
        self._tokens, self._refilled_at = float(BURST), 0.0
        self._blocked = self._paused = self._stopping = self._settled_by_commit = False
        self._left_at: float | None = None
        self._quiet_since = 0.0
        self._alone_since: float | None = None
        self._forms_sent = 0
        self._spoke_at = 0.0
        self._final_since_end = False
        self._partial = ""
        self._whole = True  # no interim words were given up so far
        self._heard = self.floor  # how far had been sent when the last new interim words came
        self._lag_ms = 0
        self._keys: set[str] = set()
        self._sure = self.floor  # the floor by finals with times
        self._guessed: dict[str, int] = {}  # ends of finals whose times did not come yet, by key

    # --- inputs from the page -----------------------------------------------------------------------

    def start(self, now: float) -> list[Action]:
        """A microphone is on: have a connection ready before the first words."""
        self._left_at, self._paused = None, False
        self._quiet_since = now
        return self._connect(now) if self.state is State.IDLE else []

    def hear(self, upto: int, now: float) -> list[Action]:
        """The recording holds all samples before `upto`."""
        self.captured = upto
        if self.state is State.LISTENING:
            self._quiet_since = now
            return self._pump(now)
        if self.state is State.IDLE and self._needs():
            return self._connect(now)
        return []

    def pause(self, now: float) -> list[Action]:
        """The person pauses: what was said becomes final now."""
        self._paused, self._quiet_since = True, now
        if self.state is not State.LISTENING:
            return []
        actions = self._pump(now)
        if self.captured - self.sent < SHORTEST:
            # A shorter rest waits for the sound after it: filled up, it would put the connection's clock ahead of ours.
            self._settled_by_commit = True
            actions.append(act.Commit())
        return actions

    def proceed(self, now: float) -> list[Action]:
        """The person goes on after a pause, or asks to try again after a failure."""
        self._paused = False
        self._quiet_since = now
        if self.state is State.FAILED:
            self._attempts, self.note = 0, ""
            return self._connect(now)
        return []

    def leave(self, now: float) -> list[Action]:
        """The page is gone; it may come back."""
        if self._left_at is None:
            self._left_at = now
        return []

    def stop(self, now: float) -> list[Action]:
        """No more audio will come: get the last words, then end."""
        if self.state is State.ENDED:
            return []
        self._stopping = True
        self._alone_since = None if self._open else now
        if self.state is State.FAILED:
            return self._finished(complete=not self._needs())
        if self.state is State.IDLE:
            return self._finished(complete=True)  # with sound that has no words yet it would not be idle
        self.state = State.FINISHING
        return self._end_when_sent(now) if self._open else []

    # --- inputs from the connection -----------------------------------------------------------------

    def opened(self, connection: int, now: float) -> list[Action]:
        """The handshake is done."""
        expected = self.state in (State.CONNECTING, State.FINISHING) and self._retry_at is None
        if connection != self.connection or self._open or not expected:
            return []
        self._open, self._was_open, self._retry_at, self._opened_at = True, True, None, now
        self._lost, self.note = False, ""
        self._spoke_at = self._quiet_since = now
        self._alone_since = None
        self._tokens, self._refilled_at = float(BURST), now
        if self.state is State.CONNECTING:
            self.state = State.LISTENING
            return self._pump(now)
        return self._end_when_sent(now)

    def event(self, connection: int, event: events.Event, now: float) -> list[Action]:
        """The connection said something. What an older one says is ignored."""
        if connection != self.connection or not self._open:
            return []
        self._spoke_at = now
        match event:
            case events.Partial():  # first: ten a second
                return self._interim(event)
            case events.Began():
                self.engine = event.model or self.engine
            case events.Final():
                return self._final(event)
            case events.Revised():
                return [act.Revise(f"{connection}-{event.key}", event.speaker)]
            case events.SpeakersMerged():
                return [act.Merge(event.gone, event.kept)]
            case events.Failed():
                return self._dropped(event, now)
            case events.Ended():
                return self._over(now) if self._forms_sent or self._lived(now) else self._dropped(SHORT_LIVED, now)
        return []

    def closed(self, connection: int, event: events.Event, now: float) -> list[Action]:
        """The connection, or the attempt to make it, is gone; `event` is Ended or Failed, by the dialect's table."""
        if connection != self.connection or self.state in (State.IDLE, State.ENDED, State.FAILED):
            return []
        if self._retry_at is not None:
            return []  # dropped already, on an error that came before the close
        if isinstance(event, events.Failed):
            return self._dropped(event, now)
        asked = self._forms_sent > 0 or (self._settled_by_commit and not self._partial)
        return self._over(now) if asked and self._open else self._dropped(SHORT_LIVED, now)

    def block(self, blocked: bool, now: float) -> list[Action]:
        """The connection takes no more for now, or takes again."""
        self._blocked = blocked
        if blocked or not self._open:
            return []
        return self._end_when_sent(now) if self.state is State.FINISHING else self._pump(now)

    def tick(self, now: float) -> list[Action]:
        """Time goes by; a few times a second."""
        if self.state in (State.IDLE, State.ENDED, State.FAILED):
            return []
        if not self._open:
            return self._tick_connecting(now)
        if self._attempts and now - self._opened_at > HEALTHY_S:
            self._attempts = 0
        if self.state is State.FINISHING:
            return self._tick_finishing(now)
        return self._tick_listening(now)

    # --- what the person is told ----------------------------------------------------------------------

    def view(self) -> View:
        """All of it; `word` and `note` are what has to be told at once when they change."""
        done = self.floor if not self._open else max(self.floor, self.sent - self._lag_ms * PER_MS)
        upto_ms = min(done, max(self.captured, self.floor)) // PER_MS
        return View(self.word, upto_ms, self._lag(), self.engine, self.note)

    @property
    def word(self) -> str:
        """The state, in a word of the page's protocol."""
        if self.state in (State.ENDED, State.FAILED):
            return self.state.value
        if self._stopping:
            return "finishing"
        if self._lost and self.state is State.CONNECTING:
            return "reconnecting"
        if self._paused or self._left_at is not None:
            return "paused"
        if self.state is State.LISTENING:
            return "catching_up" if self._lag() > LAG_MS else "listening"
        # A line that rests for want of sound is taken up again by the next frame: nothing the person waits for.
        return "listening" if self.state is State.IDLE and self._was_open else "connecting"

    def _lag(self) -> int:
        behind = self.captured - (self.sent if self._open else self.floor)
        return max(behind // PER_MS, 0) + (self._lag_ms if self._open else 0)

    def _needs(self) -> bool:
        return self.captured - self.floor >= SHORTEST

    def _connect(self, now: float) -> list[Action]:
        if self.state is not State.FINISHING:
            self.state = State.CONNECTING
        self._retry_at = None
        self._since = now
        self.connection += 1
        self.sent = self._heard = self._sure = self.floor
        self._guessed.clear()
        self.offset_ms = self.floor // PER_MS
        self._open = self._blocked = self._settled_by_commit = self._final_since_end = False
        self._forms_sent = self._lag_ms = 0
        return [act.Connect(self.connection, self.offset_ms)]

    def _tick_connecting(self, now: float) -> list[Action]:
        if self._stopping and self._alone_since is not None and now - self._alone_since > GIVE_UP_S:
            return [act.Close(), *self._finished(complete=False)]
        if self._retry_at is not None:
            return self._connect(now) if now >= self._retry_at else []
        if now - self._since > CONNECT_TIMEOUT_S:
            return self._dropped(events.Failed("provider", "The gateway does not answer.", retry=True), now)
        return []

    def _dropped(self, why: events.Failed, now: float) -> list[Action]:
        """The connection is of no use any more: again from the floor, or not at all."""
        self._open, self._lost = False, True
        if self._alone_since is None:
            self._alone_since = now
        if not why.retry:
            return [act.Close(), *self._failed(why)]
        if not self._stopping:
            self.state = State.CONNECTING
        self.note = why.message
        ceiling = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**self._attempts)
        self._attempts += 1
        self._retry_at = now + ceiling * self._chance()
        return [act.Close()]

    def _failed(self, why: events.Failed) -> list[Action]:
        actions: list[Action] = [act.Fail(why.code, why.message)]
        if self._partial:
            self._partial = ""
            actions.append(act.Show("", self.floor // PER_MS))
        self.note = why.message
        if self._stopping:
            return actions + self._finished(complete=False)
        self.state = State.FAILED
        return actions

    def _pump(self, now: float, *, all: bool = False) -> list[Action]:
        """Send what there is, no faster than the pace; with `all` also a piece shorter than providers like.

        That is for the end of a connection alone: it is sent with silence after it, which nobody counts.
        """
        if self.captured - self.sent < (1 if all else SHORTEST):
            return []
        self._tokens = min(float(BURST), self._tokens + (now - self._refilled_at) * 1000 * PER_MS * self._pace)
        self._refilled_at = now
        actions: list[Action] = []
        while not self._blocked:
            waiting = self.captured - self.sent
            size = min(waiting, LONGEST, int(self._tokens))
            if size < SHORTEST and not (all and 0 < size == waiting):
                break
            actions.append(act.Send(self.sent, self.sent + size))
            self.sent += size
            self._tokens -= size
            self._settled_by_commit = False
        return actions

    def _tick_listening(self, now: float) -> list[Action]:
        actions = self._pump(now)
        if actions:
            return actions
        still = now - self._quiet_since
        away = self._left_at is not None and now - self._left_at > LEFT_REST_S
        if away or still > (PAUSE_REST_S if self._paused else SILENT_REST_S):
            self.state = State.FINISHING
            return self._end_when_sent(now)
        return []

    def _interim(self, event: events.Partial) -> list[Action]:
        if event.text == self._partial:
            return []
        self._partial = event.text
        if event.text:
            self._heard = self.sent
            self._measure_lag(event.end_ms)
        start_ms = self.floor // PER_MS if event.start_ms is None else self.offset_ms + event.start_ms
        return [act.Show(event.text, start_ms)]

    def _measure_lag(self, end_ms: int | None) -> None:
        if end_ms is not None:
            self._lag_ms = max(0, self.sent // PER_MS - self.offset_ms - end_ms)

    def _final(self, event: events.Final) -> list[Action]:
        key = f"{self.connection}-{event.segment.key}"
        if event.timed:
            segment = timeline.moved(event.segment, key=key, by_ms=self.offset_ms)
        else:
            segment = timeline.placed(
                event.segment, key=key, after_ms=self.floor // PER_MS, heard_ms=self._heard // PER_MS
            )
        actions: list[Action] = []
        if self._partial:
            self._partial = ""
            actions.append(act.Show("", segment.end_ms))
        self._final_since_end = True
        self._lag_ms = 0
        end = min(segment.end_ms * PER_MS, max(self.sent, self.floor))
        kept = timeline.from_on(segment, self.offset_ms)
        if event.timed:  # also where its text came before it: what was only guessed of its end counts no more
            self._guessed.pop(key, None)
            self._sure = max(self._sure, end)
        else:
            self._guessed[key] = end
        self.floor = max([self._sure, *self._guessed.values()])
        if kept is not None and (kept.text or kept.key in self._keys):
            actions.append(act.Save(kept, again=kept.key in self._keys))
            self._keys.add(kept.key)
        return actions

    def _end_when_sent(self, now: float) -> list[Action]:
        actions = self._pump(now, all=True) if not self._forms_sent else []
        if not self._forms_sent and self.sent >= self.captured:
            self._forms_sent = 1
            self._spoke_at = now
            self._final_since_end = False
            actions.append(act.End(0))
        return actions

    def _tick_finishing(self, now: float) -> list[Action]:
        if not self._forms_sent:
            return self._end_when_sent(now)
        silent = now - self._spoke_at
        if not self._says_ended:
            patience = END_QUIET_S if self._final_since_end else END_AGAIN_S
            return self._over(now) if silent > patience else []
        if self._forms_sent < self._forms and silent > END_AGAIN_S * self._forms_sent:
            self._forms_sent += 1
            return [act.End(self._forms_sent - 1)]
        if silent > END_PATIENCE_S:
            return self._over(now)
        return []

    def _lived(self, now: float) -> bool:
        return now - self._opened_at > 1.0

    def _over(self, now: float) -> list[Action]:
        """The connection ended as it should. Interim words it never made final are asked for again, but not forever."""
        if self._partial and self._attempts < ENDS_WITHOUT_FINAL:
            return self._dropped(SHORT_LIVED, now)
        self._open = False
        actions: list[Action] = [act.Close()]
        self.floor = max(self.floor, self.sent)
        if self._partial:
            self._partial, self._whole = "", False
            actions.append(act.Show("", self.floor // PER_MS))
        if self._stopping:
            if not self._needs():
                return actions + self._finished(complete=True)
            return actions + self._connect(now)
        self.state = State.IDLE
        return actions + (self._connect(now) if self._needs() else [])

    def _finished(self, *, complete: bool) -> list[Action]:
        self.state, self._open, self._retry_at = State.ENDED, False, None
        return [act.Done(complete and self._whole)]
