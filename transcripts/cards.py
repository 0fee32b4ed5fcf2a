"""A record as one row of the list shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transcripts import wording
from transcripts.models import Record

SNIPPET = 240
AHEAD = 30
"""Characters before a hit: few, so that it stands in the first line on a phone too."""


@dataclass(frozen=True, slots=True)
class Card:
    record: Record
    title: str
    snippet: list[tuple[str, bool]]
    """Pieces of text, True where they are what was searched for."""
    facts: list[str]
    length: str
    state: wording.State
    shelf: str


def card(record: Any, *, now: datetime, words: str = "") -> Card:
    """The row of a record that came through `for_cards`."""
    settled = record.status == Record.Status.READY
    facts = [wording.moment(record.started_at), record.get_source_display()]
    if record.language:
        facts.append(wording.language(record.language))
    return Card(
        record=record,
        title=wording.title_of(record),
        snippet=marked(around(record.first_words or "", words), words),
        facts=facts,
        length=wording.clock(record.duration_ms),
        state=wording.state_of(record, record.jobs.all(), edited=record.is_edited, now=now),
        shelf=wording.shelf_of(record.started_at, now) if settled else "Now",
    )


def around(text: str, words: str) -> str:
    """A piece of the text short enough for a row, with the first of these words in it."""
    at = text.lower().find(words.lower()) if words else 0
    if at <= AHEAD * 2:
        return text[:SNIPPET]
    begin = text.find(" ", at - AHEAD, at) + 1 or at - AHEAD
    return "…" + text[begin : begin + SNIPPET]


def marked(text: str, words: str) -> list[tuple[str, bool]]:
    """The text in pieces, those that are these words told apart."""
    if not text or not words:
        return [(text, False)] if text else []
    pieces = re.split(f"({re.escape(words)})", text, flags=re.IGNORECASE)
    return [(piece, i % 2 == 1) for i, piece in enumerate(pieces) if piece]
