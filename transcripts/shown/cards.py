"""A record as one row of the list shows it, and its moments as a search shows them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transcripts import search
from transcripts.models import Record, Segment
from transcripts.queries import GOING_ON
from transcripts.shown import wording
from transcripts.shown.paragraphs import Voice, voices_of

NAMED = 2
"""Speakers told by name in a row; the rest are counted."""
BEFORE_MS = 2000
"""A moment plays from so much before it: nobody hears a word that begins at once."""


@dataclass(frozen=True, slots=True)
class Card:
    record: Record
    title: str
    snippet: str
    voices: list[Voice]
    others: int
    """Speakers who are not named."""
    facts: list[str]
    tags: list[str]
    length: str
    state: wording.State
    shelf: str


@dataclass(frozen=True, slots=True)
class Moment:
    at_ms: int
    clock: str
    voice: Voice
    pieces: list[tuple[str, bool]]
    """The text, True where it is what was searched for."""


@dataclass(frozen=True, slots=True)
class Hits:
    """A record with the moments of it that were found."""

    record: Record
    title: list[tuple[str, bool]]
    facts: list[str]
    live: bool
    moments: list[Moment]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.moments)


def card(record: Any, *, now: datetime) -> Card:
    """The row of a record that came through `for_cards`."""
    voices = list(dict.fromkeys(_voices(record).values()))
    facts = [wording.moment(record.started_at), record.get_source_display()]
    if record.language:
        facts.append(wording.language(record.language))
    return Card(
        record=record,
        title=wording.title_of(record),
        snippet=record.first_words[: search.SNIPPET],
        voices=voices[:NAMED],
        others=max(len(voices) - NAMED, 0),
        facts=facts,
        tags=sorted(tag.name for tag in record.tags.all()),
        length=wording.length_of(record),
        state=wording.state_of(record, record.jobs.all(), edited=record.is_edited, now=now),
        shelf=_shelf(record, now),
    )


def _shelf(record: Record, now: datetime) -> str:
    if record.status in GOING_ON:
        return "Now"
    return "Pinned" if record.pinned_at else wording.shelf_of(record.started_at, now)


def hits(groups: Sequence[search.Group], query: search.Query) -> list[Hits]:
    """What was found, as shown. What went meanwhile is left out."""
    records = Record.objects.with_speakers().in_bulk([group.record_id for group in groups])
    wanted = [segment_id for group in groups for segment_id in group.segment_ids]
    segments = Segment.objects.filter(removed=False).select_related("speaker").in_bulk(wanted)
    return [
        _hits(
            records[group.record_id], [segments[pk] for pk in group.segment_ids if pk in segments], group.count, query
        )
        for group in groups
        if group.record_id in records
    ]


def titled(ids: Sequence[uuid.UUID], query: search.Query) -> list[Hits]:
    """Records that were found by their title."""
    records = Record.objects.with_speakers().in_bulk(ids)
    return [_hits(records[pk], [], 0, query) for pk in ids if pk in records]


def _voices(record: Any) -> dict[str, Voice]:
    """By label. Who has one name is one voice: each version of the record may have a label of its own for it."""
    names = {speaker.label: str(speaker) for speaker in record.speakers.all()}
    first: dict[str, str] = {}
    for label, name in names.items():
        first.setdefault(name.casefold(), label)
    voices = voices_of((label, names[label]) for label in first.values())
    return {label: voices[first[name.casefold()]] for label, name in names.items()}


def _hits(record: Record, segments: Sequence[Segment], count: int, query: search.Query) -> Hits:
    voices = _voices(record)
    live = record.status == Record.Status.LIVE
    facts = [] if live else [wording.moment(record.started_at)]
    facts += [wording.clock(record.duration_ms), str(Record.Source(record.source).label)]
    if count:
        facts.append(f"{count} moment{'' if count == 1 else 's'}")
    return Hits(
        record=record,
        title=search.highlight(wording.title_of(record), query.wanted if record.title else []),
        facts=facts,
        live=live,
        moments=[_moment(segment, voices, query) for segment in segments],
        count=count,
    )


def _moment(segment: Segment, voices: dict[str, Voice], query: search.Query) -> Moment:
    label = segment.speaker.label if segment.speaker else ""
    return Moment(
        segment.start_ms,
        wording.clock(segment.start_ms),
        voices.get(label, Voice()),
        search.highlight(segment.text, query.wanted),
    )
