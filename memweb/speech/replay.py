"""A dictation once more from its provider's own words, as they were kept: the same segments under the same keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from memweb.speech import timeline
from memweb.speech.dialects import LiveClient, LiveOptions, live_client
from memweb.speech.events import Final, Revised
from memweb.speech.fold import Fold
from memweb.speech.transcript import Segment


@dataclass(frozen=True, slots=True)
class Kept:
    """One message, and where in the recording its connection's clock began."""

    connection: int
    offset_ms: int
    dialect: str
    raw: bytes


def replayed(messages: Iterable[Kept], placed: Mapping[str, tuple[int, int]]) -> dict[str, Segment]:
    """What they say, by key, in order of arrival; messages of a dialect that is not known say nothing.

    `placed` are the bounds in ms of segments that are there: where a message has no times, only its moment told them.
    """
    clients: dict[int, LiveClient] = {}
    fold, floor_ms = Fold(), 0
    for message in messages:
        client = clients.get(message.connection)
        if client is None:
            try:
                client = clients[message.connection] = live_client(message.dialect)
            except KeyError:
                continue
            client.query(LiveOptions())
        for event in client.read(message.raw):
            if isinstance(event, Revised):  # of a revision a dictation takes the speaker
                fold.apply(Revised(f"{message.connection}-{event.key}", event.speaker))
            elif isinstance(event, Final):
                segment = _placed(event, message, placed, floor_ms)
                floor_ms = max(floor_ms, segment.end_ms)
                fold.apply(Final(segment))
    return {segment.key: segment for segment in fold.transcript.segments}


def _placed(event: Final, message: Kept, placed: Mapping[str, tuple[int, int]], floor_ms: int) -> Segment:
    """The segment on the recording's time line. No time of a message is before its connection began."""
    key = f"{message.connection}-{event.segment.key}"
    if event.timed:
        return timeline.moved(event.segment, key=key, by_ms=message.offset_ms)
    start_ms, end_ms = placed.get(key, (floor_ms, floor_ms))
    return replace(event.segment, key=key, start_ms=start_ms, end_ms=end_ms)
