"""A query's filters on whole records: what the index of moments cannot tell, or what a list without words asks."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from transcripts.queries import RecordQuerySet
from transcripts.search._find import MOST_TITLES, titled
from transcripts.search._query import Query, term
from transcripts.search._words import fold_name


def records_of(query: Query, records: RecordQuerySet, *, owner_id: int) -> list[uuid.UUID] | None:
    """The records to look in for moments; None for all: it names neither title nor tag. Raises TooBroad."""
    if not query.titles and not query.tags:
        return None
    return list(_named(query, records, owner_id).order_by().values_list("pk", flat=True))


def restrict(query: Query, records: RecordQuerySet, *, owner_id: int) -> RecordQuerySet:
    """Those of the owner's records that pass all filters of a query. Raises TooBroad."""
    records = _named(query, records, owner_id)
    if query.languages:
        asked = Q()
        for code in query.languages:
            asked |= Q(language__istartswith=code.split("-")[0])
        records = records.filter(asked)
    if query.sources:
        records = records.filter(source__in=query.sources)
    if query.since:
        records = records.filter(started_at__gte=_begins(query.since))
    if query.until:
        records = records.filter(started_at__lt=_begins(query.until))
    return _spoken_by(query, records, owner_id) if query.names else records


def _named(query: Query, records: RecordQuerySet, owner_id: int) -> RecordQuerySet:
    for title in query.titles:
        words = [(found,) for word in title.split() if (found := term(word))]
        records = records.filter(pk__in=titled(words, owner_id=owner_id, most=MOST_TITLES))
    return _tagged(query, records, owner_id) if query.tags else records


def _tagged(query: Query, records: RecordQuerySet, owner_id: int) -> RecordQuerySet:
    from transcripts.models import Record, Tag

    known = [(pk, fold_name(name)) for pk, name in Tag.objects.filter(owner_id=owner_id).values_list("pk", "name")]
    for asked in map(fold_name, query.tags):
        tagged = Record.objects.filter(tags__in=[pk for pk, name in known if name == asked])
        records = records.filter(pk__in=tagged.order_by().values("pk"))
    return records


def _spoken_by(query: Query, records: RecordQuerySet, owner_id: int) -> RecordQuerySet:
    """With a voice whose name holds one of those asked for. The few names there are in all are compared here."""
    from transcripts.models import Speaker

    asked = [fold_name(name) for name in query.names]
    known = Speaker.objects.filter(record__owner_id=owner_id).order_by().values_list("name", "label").distinct()
    found = [pair for pair in known if any(name in fold_name(pair[0] or pair[1]) for name in asked)]
    named, unnamed = {name for name, _ in found if name}, {label for name, label in found if not name}
    voices = Speaker.objects.filter(Q(name__in=named) | Q(name="", label__in=unnamed), record_id=OuterRef("pk"))
    return records.filter(Exists(voices))


def _begins(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
