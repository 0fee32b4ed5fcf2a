"""A transcript's segments into the rows of a version, by key: what a person has changed stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Max

from memweb.speech import transcript as speech
from memweb.speech.text import clean
from transcripts import search
from transcripts.models import Segment, Speaker, Version
from transcripts.values import word_row

_FIELDS = ("start_ms", "end_ms", "speaker_id", "channel", "language", "text", "words")
_BATCH = 500


@transaction.atomic
def write(*, version: Version, segments: Mapping[str, speech.Segment | None], whole: bool = False) -> int:
    """Make the rows say this, by key; None takes a row away. How many were written.

    With `whole` these are all: other rows go. No row that a person has changed is touched, whatever is said of it.
    Speakers a person assigned stay with that: assigning is a change too.
    """
    rows = _rows(version, segments, whole=whole)
    labels = _speakers(version, segments.values())
    order = version.segments.aggregate(last=Max("order"))["last"]
    new, other, gone = [], [], []
    for key, value in segments.items():
        row = rows.pop(key, None)
        if value is None:
            gone += [row] if row else []
        elif row is None:
            order = 0 if order is None else order + 1
            new.append(_filled(Segment(version=version, key=key, order=order), value, labels))
        elif row.revision == 0 and _said(row) != _said(_filled(row, value, labels)):
            other.append(row)
    gone += rows.values() if whole else []
    Segment.objects.bulk_create(new, batch_size=_BATCH)
    Segment.objects.bulk_update(other, [name.removesuffix("_id") for name in _FIELDS], batch_size=_BATCH)
    away = [row.pk for row in gone if row.revision == 0]
    Segment.objects.filter(pk__in=away).delete()
    written = [*(row.pk for row in new), *(row.pk for row in other), *away]
    search.index_segments(segment_ids=written)
    return len(written)


def _rows(version: Version, segments: Mapping[str, object], *, whole: bool) -> dict[str, Segment]:
    """The rows at stake, locked."""
    rows = version.segments.select_for_update(of=("self",))
    keys = list(segments)
    if whole or len(keys) > 5_000:
        found: Iterable[Segment] = rows.all()
    else:
        found = (row for at in range(0, len(keys), _BATCH) for row in rows.filter(key__in=keys[at : at + _BATCH]))
    return {row.key: row for row in found}


def _speakers(version: Version, values: Iterable[speech.Segment | None]) -> dict[str, int]:
    """Their rows' ids by label, made where they are new."""
    labels = sorted({clean(value.speaker)[:64] for value in values if value is not None and value.speaker})
    known = dict(Speaker.objects.filter(record_id=version.record_id).values_list("label", "id"))
    for label in labels:
        if label not in known:
            known[label] = Speaker.objects.get_or_create(record_id=version.record_id, label=label)[0].pk
    return known


def _filled(row: Segment, value: speech.Segment, labels: Mapping[str, int]) -> Segment:
    row.start_ms, row.end_ms = value.start_ms, value.end_ms
    row.speaker_id = labels[clean(value.speaker)[:64]] if value.speaker else None
    row.channel, row.language = value.channel, clean(value.language or "")[:16]
    row.text, row.words = clean(value.text), [word_row(word) for word in value.words]
    return row


def _said(row: Segment) -> Sequence[object]:
    return [getattr(row, name) for name in _FIELDS]
