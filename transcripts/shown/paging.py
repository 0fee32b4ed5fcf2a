"""Places to go on from: keyset cursors as they stand in a URL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from django.db.models import Q

from transcripts.models import Record
from transcripts.queries import RecordQuerySet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Section(NamedTuple):
    """One part of a list: which records, by which column, and whether its values rise."""

    records: Callable[[RecordQuerySet], RecordQuerySet]
    column: str
    rises: bool = False


_SECTIONS = {
    "n": _Section(lambda records: records.now().newest_first(), "started_at"),
    "p": _Section(lambda records: records.pinned().newest_first(), "started_at"),
    "s": _Section(lambda records: records.settled().newest_first(), "started_at"),
    "o": _Section(lambda records: records.oldest_first(), "started_at", rises=True),
    "l": _Section(lambda records: records.longest_first(), "duration_ms"),
}
# What is going on comes first, then what was pinned, then the rest. Other orders are plain.
ORDERS = {"newest": "nps", "oldest": "o", "longest": "l"}


@dataclass(frozen=True, slots=True)
class Place:
    """The last record of a page."""

    section: str
    value: int
    """Microseconds since 1970, or a length in milliseconds: the column its section goes by."""
    record_id: uuid.UUID

    @classmethod
    def of(cls, record: Record, section: str) -> Self:
        value = getattr(record, _SECTIONS[section].column)
        if isinstance(value, datetime):
            value = (value - _EPOCH) // timedelta(microseconds=1)
        return cls(section, value, record.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        section, value, record_id = text.split(".")
        if section not in _SECTIONS or len(value) > 18:
            raise ValueError(text)
        place = cls(section, int(value), uuid.UUID(record_id))
        try:
            place.moment  # noqa: B018 - a place whose moment is outside of the calendar is none
        except OverflowError as error:
            raise ValueError(text) from error
        return place

    @property
    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.value)

    def following(self, records: RecordQuerySet) -> RecordQuerySet:
        """What comes after it in its section, however many have come in meanwhile."""
        _, column, rises = _SECTIONS[self.section]
        value = self.moment if column == "started_at" else self.value
        past = "gt" if rises else "lt"
        return records.filter(Q(**{f"{column}__{past}": value}) | Q(**{column: value, f"id__{past}": self.record_id}))

    def __str__(self) -> str:
        return f"{self.section}.{self.value}.{self.record_id}"


def page(
    records: RecordQuerySet, *, after: Place | None, size: int, order: str = "newest", empty: Container[str] = ()
) -> tuple[list[Record], Place | None]:
    """The records that follow a place, and the place to go on from, or None at the end. `empty`: sections without any
    record, which are not asked for.
    """
    sections = ORDERS[order]
    if after is not None and after.section in sections:
        sections = sections[sections.index(after.section) :]
    found: list[tuple[Record, str]] = []
    for section in (section for section in sections if section not in empty):
        part = _SECTIONS[section].records(records)
        if after is not None and after.section == section:
            part = after.following(part)
        found += [(record, section) for record in part[: size + 1 - len(found)]]
        if len(found) > size:
            break
    following = Place.of(*found[size - 1]) if len(found) > size else None
    return [record for record, _ in found[:size]], following
