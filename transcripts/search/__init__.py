"""Search: every word that is shown, a second after it was said.

    search.index_segments(segment_ids=...)   in the transaction that wrote them; what is not shown leaves the index
    search.index_record(record_id=...)       after another version is shown, out of the bin, after a new title
    search.forget_record(record_id=...)      into the bin

    found = search.find(search.parse("ferry speaker:maya"), owner_id=..., after=None)
    pieces = search.highlight(text, query.wanted)

One door for both databases. Terms are made here (_words), so both find the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from transcripts.search._engine import TooBroad, engine
from transcripts.search._find import Found, Group, count, find, moments, titled, window
from transcripts.search._index import all_rows, segment_rows, title_rows
from transcripts.search._marks import SNIPPET, highlight
from transcripts.search._query import LONGEST, Query, Term, name_terms, parse
from transcripts.search._records import records_of, restrict

__all__ = [
    "LONGEST",
    "SNIPPET",
    "Found",
    "Group",
    "Query",
    "Term",
    "TooBroad",
    "count",
    "find",
    "forget_record",
    "highlight",
    "index_record",
    "index_segments",
    "index_title",
    "moments",
    "name_terms",
    "parse",
    "rebuild",
    "records_of",
    "restrict",
    "titled",
    "window",
]


@transaction.atomic
def index_segments(*, segment_ids: Iterable[int]) -> None:
    """Bring the index in step with these segments: new, changed, taken back or put back. Twice is once."""
    from transcripts.models import Passage, Segment

    wanted = list(segment_ids)
    rows = list(segment_rows(Segment.objects.filter(pk__in=wanted)))
    gone = set(wanted) - {row.segment_id for row in rows}
    if gone:
        Passage.objects.filter(segment_id__in=gone).delete()
    engine().write(rows)


@transaction.atomic
def index_record(*, record_id: uuid.UUID) -> None:
    """Bring the index in step with a record: its title, and the version that is shown."""
    from transcripts.models import Record, Segment

    forget_record(record_id=record_id)
    engine().write(title_rows(Record.objects.filter(pk=record_id)))
    engine().write(segment_rows(Segment.objects.filter(version__record_id=record_id)))


@transaction.atomic
def index_title(*, record_id: uuid.UUID) -> None:
    """Bring the index in step with a record's title alone."""
    from transcripts.models import Passage, Record

    Passage.objects.filter(record_id=record_id, segment=None).delete()
    engine().write(title_rows(Record.objects.filter(pk=record_id)))


def forget_record(*, record_id: uuid.UUID) -> None:
    """Take a record out of the index."""
    from transcripts.models import Passage

    Passage.objects.filter(record_id=record_id).delete()


@transaction.atomic
def rebuild(*, records: Any = None, segments: Any = None) -> None:
    """Make the index anew. A migration gives the models, in the shape they had then."""
    from transcripts import models

    engine().fill(all_rows(records or models.Record, segments or models.Segment))
