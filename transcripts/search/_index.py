"""From the library's rows to the index's. Only what is shown is in it: the current version, without what was
taken back or binned.

A row's id is when its record began (10 ms, 39 bits) and the end of its segment's id (23 bits): the order of ids is the
order of time, those of a record lie together, and a page of hits goes on from an id. A record's title has a row of its
own, told apart by the bit between, under an owner's term of its own: it is no moment.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import F, Q, QuerySet

from transcripts.search._engine import HIGHEST, Row
from transcripts.search._words import terms

if TYPE_CHECKING:
    from transcripts.models import Record, Segment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WITHIN = 24
_TITLE = 1 << 23
_LATEST = 2**39 - 1
_FIELDS = (
    "id",
    "text",
    "language",
    "speaker__name",
    "speaker__label",
    "version__record_id",
    "version__record__owner_id",
    "version__record__started_at",
    "version__record__source",
    "version__record__language",
)


class _About(NamedTuple):
    """What the passages of a record have in common."""

    record_id: uuid.UUID
    owner_id: int
    started_at: datetime
    source: str
    language: str


def first_id(moment: datetime) -> int:
    """The lowest id a passage of a record that began then can have."""
    ticks = (moment - _EPOCH) // timedelta(milliseconds=10)
    return min(max(ticks, 0), _LATEST) << _WITHIN


def record_bounds(passage_id: int) -> tuple[int, int]:
    """From which id to below which the records that began together with this passage's lie."""
    first = passage_id >> _WITHIN << _WITHIN
    return first, min(first + (1 << _WITHIN), HIGHEST)


def said_by(owner_id: int) -> str:
    """The term of an owner's moments."""
    return f"u{owner_id}"


def named_by(owner_id: int) -> str:
    """The term of an owner's titles."""
    return f"t{owner_id}"


def base_language(code: str) -> str:
    """pt for pt-BR, as a term."""
    return "".join(terms(code)[:1])


def segment_rows(segments: QuerySet[Segment]) -> Iterator[Row]:
    """The rows of those segments that are shown."""
    shown = segments.filter(
        Q(version_id=F("version__record__current_version_id")), removed=False, version__record__deleted_at=None
    ).exclude(text="")
    for id, text, language, name, label, *about in shown.order_by().values_list(*_FIELDS).iterator(2000):
        yield _segment_row(id, text, language, name or label or "", _About(*about))


def _segment_row(id: int, text: str, language: str, speaker: str, about: _About) -> Row:
    return Row(
        first_id(about.started_at) + id % _TITLE,
        id,
        about.record_id,
        about.owner_id,
        _about(about, language, speaker),
        " ".join(terms(text)),
    )


@lru_cache(maxsize=4096)
def _about(about: _About, language: str, speaker: str) -> str:
    words = [said_by(about.owner_id), f"r{about.record_id.hex}", f"s{about.source}"]
    words += [f"l{code}" for code in (base_language(language or about.language),) if code]
    words += [f"p{word}" for word in terms(speaker)]
    return " ".join(words)


def title_rows(records: QuerySet[Record]) -> Iterator[Row]:
    """The titles of those records that are not in the bin."""
    fields = ("pk", "owner_id", "started_at", "title")
    for pk, owner_id, started_at, title in records.filter(deleted_at=None).exclude(title="").values_list(*fields):
        row_id = first_id(started_at) + _TITLE + pk.int % _TITLE
        yield Row(row_id, None, pk, owner_id, f"{named_by(owner_id)} r{pk.hex}", " ".join(terms(title)))


def all_rows(records: Any, segments: Any) -> Iterable[Row]:
    """Everything, for an index made anew."""
    yield from title_rows(records.objects.order_by())
    yield from segment_rows(segments.objects.order_by())
