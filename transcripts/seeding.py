"""Records by the ten thousand, written in bulk: for a look at a library of years, and for benchmarks."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate, islice

from django.db import transaction
from django.utils import timezone

from transcripts import search
from transcripts.models import Record, Segment, Version

SEGMENT_MS = 5000
_BATCH = 500
_SYLLABLES, _COMMON = (
    text.split(" ")
    for text in (
        "ka to mi re lu san der vo ni pel gra shu ten bo ri mal que fo zi",
        "the you and of a to it that know people we in so was is but like they have not",
    )
)


class Speech:
    """Made-up talk: few words often, most of 40,000 hardly ever, as people's is."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - for show
        made = random.Random(0)  # noqa: S311 - the same words for every seed
        rare = {"".join(made.choices(_SYLLABLES, k=made.randint(2, 5))) for _ in range(60_000)}
        self._words = [*_COMMON, *sorted(rare)[:40_000]]
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(len(self._words))))

    def sentence(self, words: int = 20) -> str:
        said = self._random.choices(self._words, cum_weights=self._weights, k=words)
        return " ".join(said).capitalize() + "."


def many(*, owner_id: int, records: int, each: int, seed: int = 1, index: bool = True) -> None:
    """So many finished records of one person, an hour apart, of `each` segments; `index`: then the index."""
    speech = Speech(seed)
    numbers = iter(range(records))
    while batch := list(islice(numbers, max(_BATCH // each, 1) if each > 1 else _BATCH)):
        _write(owner_id, batch, each, speech)
    if index:
        search.rebuild()


@transaction.atomic
def _write(owner_id: int, numbers: list[int], each: int, speech: Speech) -> None:
    begin = timezone.now() - timedelta(days=5)
    made = Record.objects.bulk_create(
        Record(
            id=uuid.uuid4(), owner_id=owner_id, title=f"Note {number + 1}", status=Record.Status.READY, language="en",
            started_at=begin - timedelta(hours=number), duration_ms=each * SEGMENT_MS,
        )
        for number in numbers
    )  # fmt: skip
    versions = Version.objects.bulk_create(Version(record=record, number=1, kind=Version.Kind.LIVE) for record in made)
    for record, version in zip(made, versions, strict=True):
        record.current_version = version
    Record.objects.bulk_update(made, ["current_version"])
    Segment.objects.bulk_create(_segments(versions, numbers, each, speech), batch_size=5000)


def _segments(versions: list[Version], numbers: list[int], each: int, speech: Speech) -> Iterator[Segment]:
    for version, number in zip(versions, numbers, strict=True):
        for order in range(each):
            text = f"This is note number {number + 1}." if each == 1 else speech.sentence()
            start = order * SEGMENT_MS
            yield Segment(
                version=version, key=f"1-{order}", order=order, start_ms=start, end_ms=start + 4800, text=text
            )
