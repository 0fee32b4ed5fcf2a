"""Everything that can go wrong with a live source, in nine words of ours.

Each provider's own kinds and codes are mapped to one of `FAILURES`, which is stable: interfaces may branch on it.
`Warned.code` has a list of its own: "provider" (its own warning), "commit_throttled", "unknown_message",
"unreadable", "unmatched" (a revision of a segment nobody knows), and what an engine of ours says, such as "lag".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from memweb.speech.dialects.wire import ordinal, shortened
from memweb.speech.events import Ended, Event, Failed, Warned


class Failure(NamedTuple):
    """What a person is told, and whether a fresh connection may help."""

    sentence: str
    retry: bool


FAILURES: Mapping[str, Failure] = {
    "auth": Failure("The speech gateway refused the key. Check the gateway key in the settings.", False),
    "funds": Failure("The speech gateway's account has no balance left. Top it up, then continue.", False),
    "capacity": Failure("The speech gateway is full right now. Trying again shortly.", True),
    "rate": Failure("The speech gateway asked for less at once. Trying again shortly.", True),
    "input": Failure("The speech gateway could not use the request. Check language and provider.", False),
    "session_limit": Failure("The speech gateway ended a session at its longest. A new one takes over.", True),
    "idle": Failure("The speech gateway heard nothing for too long and closed. A new session takes over.", True),
    "provider": Failure("The speech gateway had a fault of its own. Trying again shortly.", True),
    "unknown": Failure("The speech gateway stopped for a reason it did not name. Trying again shortly.", True),
}

STATUSES: Mapping[int, str] = {
    400: "input",
    401: "auth",
    402: "funds",
    403: "auth",
    404: "input",
    405: "input",
    413: "input",
    415: "input",
    422: "input",
    429: "rate",
    500: "provider",
    502: "provider",
    503: "capacity",
    504: "provider",
}
"""HTTP statuses at the handshake, and in the gateway's envelopes."""

CLOSE_CODES: Mapping[int, str] = {
    1001: "provider",
    1002: "provider",
    1003: "input",
    1005: "provider",
    1006: "provider",
    1007: "input",
    1008: "auth",
    1009: "input",
    1011: "provider",
    1012: "provider",
    1013: "capacity",
    1014: "provider",
    3005: "provider",
    3006: "input",
    3007: "rate",
    3008: "session_limit",
    3009: "capacity",
    4000: "input",
    4001: "auth",
    4002: "funds",
    4003: "funds",
    4004: "provider",
    4008: "session_limit",
    4010: "provider",
    4029: "rate",
    4030: "provider",
    4031: "idle",
    4032: "input",
    4033: "input",
    4034: "input",
    4100: "input",
    4101: "input",
    4102: "capacity",
    4103: "provider",
}
"""The protocol's own codes, AssemblyAI's of both generations. 44xx stands for the HTTP status 4xx."""

PHRASES: tuple[tuple[str, str], ...] = (
    ("insufficient funds", "funds"),
    ("insufficient balance", "funds"),
    ("paid-only", "funds"),
    ("quota", "funds"),
    ("concurren", "capacity"),
    ("allowed streams", "capacity"),
    ("capacity", "capacity"),
    ("too fast", "rate"),
    ("idle", "idle"),
    ("session expired", "session_limit"),
    ("maximum session duration", "session_limit"),
    ("unauthorized", "auth"),
    ("not authorized", "auth"),
    ("authorization", "auth"),
    ("api key", "auth"),
)
"""Words of errors that come with no code, or with one that providers have used for several things."""


def failed(code: str, message: str = "") -> Failed:
    """A failure in our words: the provider's message where it gave one, else the sentence for the code."""
    failure = FAILURES[code]
    return Failed(code=code, message=shortened(message) or failure.sentence, retry=failure.retry)


def refused(status: int, message: str = "") -> Failed:
    """What an HTTP answer other than 101 means. Any 5xx is a provider's fault, an unlisted 4xx a bad request."""
    listed = STATUSES.get(status)
    return failed(listed or {4: "input", 5: "provider"}.get(status // 100, "unknown"), message)


def by_close_code(code: int, reason: str = "") -> Failed:
    """What a close code means. Codes that were used for several things are told apart by the reason."""
    if 4400 <= code < 4600:
        return refused(code - 4000, reason)
    known = CLOSE_CODES.get(code, "unknown")
    if code in {1008, 3005} or known == "unknown":
        known = by_words(reason, known)
    return failed(known, reason)


def closed(code: int, reason: str, *, asked: bool) -> Event:
    """What the end of a socket means: a normal close that nobody asked for is a session given up as idle."""
    if code == 1000:
        return Ended() if asked else failed("idle", reason)
    return by_close_code(code, reason)


def by_words(message: str, otherwise: str = "unknown") -> str:
    """The failure a bare message speaks of."""
    lowered = message.lower()
    return next((code for phrase, code in PHRASES if phrase in lowered), otherwise)


def unlisted(frame: Mapping[str, Any], kind: str) -> tuple[Event, ...]:
    """What a message of no known kind says: an error where it has one, or the gateway's own envelope, or nothing."""
    error = shortened(frame.get("error"))
    status = ordinal(frame.get("code"))
    if status is not None and status in STATUSES:
        return (refused(status, error or shortened(frame.get("message")) or shortened(frame.get("msg"))),)
    if "error" in frame:
        code = ordinal(frame.get("error_code"))
        return (by_close_code(code, error) if code is not None else failed(by_words(error), error),)
    return (Warned("unknown_message", f"A message of a kind that is not known: {shortened(kind, 60) or 'no name'}."),)
