"""What both databases are asked for: the words of it, and which of them answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db import connection

from transcripts.search._query import Term

LIMIT_MS = 250
"""No question to the index may take longer; then it is TooBroad."""
HIGHEST = 2**63 - 1
FEW_RECORDS = 300
"""So many records can be named one by one in a question; more are joined."""


class TooBroad(Exception):
    """The index was not done within LIMIT_MS: more words, or a filter, would narrow it down."""


class Row(NamedTuple):
    """One row of the index, as it is written. `about` and `said` are terms with spaces between."""

    id: int
    segment_id: int | None
    record_id: uuid.UUID
    owner_id: int
    about: str
    said: str


class Hit(NamedTuple):
    id: int
    record: str
    """The record's id as the database writes it: of thousands of hits few are shown, so it stays text until then."""
    segment_id: int | None
    said: str

    @property
    def record_id(self) -> uuid.UUID:
        return uuid.UUID(self.record)


@dataclass(frozen=True, slots=True)
class Match:
    """A question: `about` and `every` are all of one of each; `low` <= id < `high`."""

    owner_id: int
    about: tuple[tuple[Term, ...], ...] = ()
    every: tuple[tuple[Term, ...], ...] = ()
    without: tuple[Term, ...] = ()
    records: tuple[uuid.UUID, ...] | None = None
    """Only in these, if given."""
    low: int = 0
    high: int = HIGHEST


class Engine(Protocol):
    """One database's index."""

    def write(self, rows: Iterable[Row]) -> None:
        """Put these rows in; one of the same id is replaced."""

    def fill(self, rows: Iterable[Row]) -> None:
        """Make the index one of these rows alone: the quickest way for many."""

    def hits(self, match: Match, *, limit: int, oldest_first: bool = False) -> list[Hit]:
        """The newest (or oldest) matches in order."""

    def count(self, match: Match, *, most: int) -> int:
        """How many match, counted up to `most`."""

    def limited(self) -> AbstractContextManager[None]:
        """Within it LIMIT_MS holds for each question. Raises TooBroad."""


def engine() -> Engine:
    """That of the database in use."""
    if connection.vendor == "postgresql":
        from transcripts.search import _postgres

        return _postgres.ENGINE
    from transcripts.search import _sqlite

    return _sqlite.ENGINE
