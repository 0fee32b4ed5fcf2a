"""LiveSession's transition table, walked completely: every situation meets every input.

A cell reads "state after: actions"; "=" is no change and no action. Words without meaning in a situation (a stale
connection's, a second start) must leave it alone, and nothing may ever leave `ended`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memweb.speech.actions import Action
from memweb.speech.events import (
    Began,
    Committed,
    Ended,
    Event,
    Failed,
    Final,
    Partial,
    Revised,
    SpeakersMerged,
    SpeechBegan,
    Warned,
)  # fmt: skip
from memweb.speech.session import LiveSession
from memweb.speech.transcript import Segment

NOW = 100.0
SOON, LATE = NOW + 0.1, NOW + 60
SECOND = 16000
LATER = Failed("provider", "later", retry=True)
NEVER = Failed("auth", "never", retry=False)


def idle() -> LiveSession:
    return LiveSession(forms=2, chance=lambda: 1.0)


def connecting() -> LiveSession:
    live = idle()
    live.start(NOW)
    live.hear(SECOND, NOW)
    return live


def waiting() -> LiveSession:
    live = connecting()
    live.closed(1, LATER, NOW)
    return live


def listening() -> LiveSession:
    live = connecting()
    live.opened(1, NOW - 2)
    live.event(1, Partial("some", 0, 500), NOW)
    return live


def paused() -> LiveSession:
    live = connecting()
    live.opened(1, NOW - 2)
    live.pause(NOW)
    return live


def resting() -> LiveSession:
    live = paused()
    live.tick(NOW + 8)
    assert live.state == "finishing"
    return live


def finishing() -> LiveSession:
    live = listening()
    live.stop(NOW)
    return live


def finishing_alone() -> LiveSession:
    live = connecting()
    live.stop(NOW)
    return live


def ended() -> LiveSession:
    live = idle()
    live.stop(NOW)
    return live


def failed() -> LiveSession:
    live = connecting()
    live.closed(1, NEVER, NOW)
    return live


FINAL = Final(Segment("0", 0, 900, "some words"))
SITUATIONS: dict[str, Callable[[], LiveSession]] = {
    made.__name__: made
    for made in (
        idle, connecting, waiting, listening, paused, resting, finishing, finishing_alone, ended, failed,
    )
}  # fmt: skip


def says(event: Event) -> Callable[[LiveSession], list[Action]]:
    return lambda live: live.event(live.connection, event, SOON)


INPUTS: dict[str, Callable[[LiveSession], list[Action]]] = {
    "start": lambda live: live.start(SOON),
    "hear": lambda live: live.hear(2 * SECOND, SOON),
    "pause": lambda live: live.pause(SOON),
    "proceed": lambda live: live.proceed(SOON),
    "leave": lambda live: live.leave(SOON),
    "stop": lambda live: live.stop(SOON),
    "block": lambda live: live.block(True, SOON),
    "unblock": lambda live: live.block(False, SOON),
    "opened": lambda live: live.opened(live.connection, SOON),
    "opened by another": lambda live: live.opened(live.connection + 1, SOON),
    "began": says(Began("id", "engine")),
    "speech": says(SpeechBegan(5)),
    "partial": says(Partial("some more", 0, 800)),
    "final": says(FINAL),
    "final by another": lambda live: live.event(live.connection - 1, FINAL, SOON),
    "committed": says(Committed()),
    "revised": says(Revised("0", "A")),
    "merged": says(SpeakersMerged("B", "A")),
    "warned": says(Warned("provider", "hm")),
    "failed, later": says(LATER),
    "failed, never": says(NEVER),
    "all said": says(Ended()),
    "closed": lambda live: live.closed(live.connection, Ended(), SOON),
    "closed, later": lambda live: live.closed(live.connection, LATER, SOON),
    "closed, never": lambda live: live.closed(live.connection, NEVER, SOON),
    "closed by another": lambda live: live.closed(live.connection - 1, LATER, SOON),
    "tick": lambda live: live.tick(SOON),
    "tick, late": lambda live: live.tick(LATE),
}

TABLE: dict[str, dict[str, str]] = {
    "idle": {
        "start": "connecting: Connect",
        "hear": "connecting: Connect",
        "stop": "ended: Done",
    },
    "connecting": {
        "stop": "finishing",
        "opened": "listening: Send Send",
        "closed": "Close",
        "closed, later": "Close",
        "closed, never": "failed: Close Fail",
        "tick, late": "Close",
    },
    "waiting": {
        "stop": "finishing",
        "tick, late": "Connect",
    },
    "listening": {
        "hear": "Send Send",
        "pause": "Commit",
        "stop": "finishing: End",
        "partial": "Show",
        "final": "Show Save",
        "revised": "Revise",
        "merged": "Merge",
        "failed, later": "connecting: Close",
        "failed, never": "failed: Close Fail Show",
        "all said": "connecting: Close",
        "closed": "connecting: Close",
        "closed, later": "connecting: Close",
        "closed, never": "failed: Close Fail Show",
        "tick, late": "finishing: End",
    },
    "paused": {
        "hear": "Send Send",
        "pause": "Commit",
        "stop": "finishing: End",
        "partial": "Show",
        "final": "Save",
        "revised": "Revise",
        "merged": "Merge",
        "failed, later": "connecting: Close",
        "failed, never": "failed: Close Fail",
        "all said": "idle: Close",
        "closed": "idle: Close",
        "closed, later": "connecting: Close",
        "closed, never": "failed: Close Fail",
        "tick, late": "finishing: End",
    },
    "resting": {
        "partial": "Show",
        "final": "Save",
        "revised": "Revise",
        "merged": "Merge",
        "failed, later": "connecting: Close",
        "failed, never": "failed: Close Fail",
        "all said": "idle: Close",
        "closed": "idle: Close",
        "closed, later": "connecting: Close",
        "closed, never": "failed: Close Fail",
        "tick, late": "End",
    },
    "finishing": {
        "partial": "Show",
        "final": "Show Save",
        "revised": "Revise",
        "merged": "Merge",
        "failed, later": "Close",
        "failed, never": "ended: Close Fail Show Done",
        "all said": "Close",
        "closed": "Close",
        "closed, later": "Close",
        "closed, never": "ended: Close Fail Show Done",
        "tick, late": "End",
    },
    "finishing_alone": {
        "opened": "Send Send End",
        "closed": "Close",
        "closed, later": "Close",
        "closed, never": "ended: Close Fail Done",
        "tick, late": "ended: Close Done",
    },
    "ended": {},
    "failed": {
        "proceed": "connecting: Connect",
        "stop": "ended: Done",
    },
}


def walked(situation: str, given: str) -> str:
    live = SITUATIONS[situation]()
    before = live.state
    actions = INPUTS[given](live)
    names = " ".join(type(action).__name__ for action in actions)
    if live.state == before:
        return names or "="
    return f"{live.state}: {names}".rstrip(" :")


@pytest.mark.parametrize("given", INPUTS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_input_does_in_every_situation_what_the_table_says(situation: str, given: str) -> None:
    assert walked(situation, given) == TABLE[situation].get(given, "=")


def test_the_table_names_only_what_there_is() -> None:
    assert set(TABLE) == set(SITUATIONS)
    assert all(set(row) <= set(INPUTS) for row in TABLE.values())
