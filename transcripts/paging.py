"""Places to go on from: keyset cursors as they stand in a URL."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from transcripts.models import Record
from transcripts.queries import RecordQuerySet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """The last record of a page: what is going on comes first, then the settled, each newest first."""

    settled: bool
    started_at: datetime
    record_id: uuid.UUID

    @classmethod
    def of(cls, record: Record) -> Self:
        return cls(record.status == Record.Status.READY, record.started_at, record.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        shelf, microseconds, record_id = text.split(".")
        if shelf not in ("n", "s") or len(microseconds) > 18:
            raise ValueError(text)
        try:
            started_at = _EPOCH + timedelta(microseconds=int(microseconds))
        except OverflowError as error:
            raise ValueError(text) from error
        return cls(shelf == "s", started_at, uuid.UUID(record_id))

    def __str__(self) -> str:
        microseconds = (self.started_at - _EPOCH) // timedelta(microseconds=1)
        return f"{'s' if self.settled else 'n'}.{microseconds}.{self.record_id}"


def page(records: RecordQuerySet, *, after: Place | None, size: int) -> tuple[list[Record], Place | None]:
    """The records that follow a place, and the place to go on from, or None at the end."""
    found: list[Record] = []
    if after is None or not after.settled:
        going_on = records.now().newest_first()
        if after is not None:
            going_on = going_on.before(after.started_at, after.record_id)
        found = list(going_on[: size + 1])
    if len(found) <= size:
        settled = records.settled().newest_first()
        if after is not None and after.settled:
            settled = settled.before(after.started_at, after.record_id)
        found += settled[: size + 1 - len(found)]
    return found[:size], Place.of(found[size - 1]) if len(found) > size else None
