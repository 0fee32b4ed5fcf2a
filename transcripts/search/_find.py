"""From a query to moments, those of a record together: the best, or the newest page by page."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import islice, product

from django.utils import timezone

from transcripts.search import _rank
from transcripts.search._engine import HIGHEST, Hit, Match, engine
from transcripts.search._index import base_language, first_id, named_by, record_bounds, said_by
from transcripts.search._query import MOST_FILTERS, Query, Term
from transcripts.search._words import terms

WINDOW = 1000
"""The newest so many matches are ranked, and counted: of a common word all would be, for nobody to read."""
PHRASES = 500
"""So many where a phrase is asked for: each place of its words is looked at."""
MOST_TITLES = 10_000
MOST_OF_RECORD = 10_000
BEST = 60
GROUPS = 10
SHOWN = 3
_PAGE = 200
_ONE_BEGINNING = 2000


@dataclass(frozen=True, slots=True)
class Group:
    """A record with the first of its moments, in order, and how many it has."""

    record_id: uuid.UUID
    segment_ids: list[int]
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    groups: list[Group]
    count: int
    """Of all moments, at most `most` + 1."""
    records: int | None
    """How many records they are in; None where that is not known."""
    following: int | None
    """Where the next page goes on, if there is one."""
    most: int


def find(
    query: Query,
    *,
    owner_id: int,
    records: Iterable[uuid.UUID] | None = None,
    by_date: bool = False,
    after: int | None = None,
) -> Found:
    """The moments of an owner that answer: only in `records`, if given. Raises TooBroad."""
    match = _match(query, owner_id, records)
    with engine().limited():
        if not by_date:
            return _best(match, query)
        most = window(query)
        count = engine().count(match, most=most + 1) if after is None else 0
        return _newest(replace(match, high=min(after or HIGHEST, match.high)), count, most)


def count(query: Query, *, owner_id: int, records: Iterable[uuid.UUID] | None = None) -> int:
    """How many moments answer, counted up to one more than `window`. Raises TooBroad."""
    with engine().limited():
        return engine().count(_match(query, owner_id, records), most=window(query) + 1)


def window(query: Query) -> int:
    """So many of the newest moments are ranked, and counted."""
    return PHRASES if query.has_phrase else WINDOW


def moments(query: Query, *, owner_id: int, record_id: uuid.UUID, most: int) -> list[int]:
    """The segments of one record that answer, in order. Raises TooBroad."""
    with engine().limited():
        hits = engine().hits(_match(query, owner_id, [record_id]), limit=most, oldest_first=True)
    return [hit.segment_id for hit in hits if hit.segment_id is not None]


def titled(every: Iterable[tuple[Term, ...]], *, owner_id: int, most: int) -> list[uuid.UUID]:
    """The newest records whose title holds all of this. Raises TooBroad."""
    about = ((Term((named_by(owner_id),)),),)
    match = Match(owner_id, about, tuple(every))
    with engine().limited():
        return [hit.record_id for hit in engine().hits(match, limit=most)]


def _match(query: Query, owner_id: int, records: Iterable[uuid.UUID] | None) -> Match:
    about: list[tuple[Term, ...]] = [(Term((said_by(owner_id),)),)]
    languages = tuple(Term((f"l{base_language(code)}",)) for code in query.languages)
    sources = tuple(Term((f"s{''.join(terms(name))}",)) for name in query.sources)
    about += [group for group in (languages, sources) if group]
    about += [tuple(_spoken(term) for term in group) for group in _any_name(query.speakers)]
    return Match(
        owner_id,
        tuple(about),
        query.every,
        query.without,
        None if records is None else tuple(records),
        low=_begins(query.since) if query.since else 0,
        high=_begins(query.until) if query.until else HIGHEST,
    )


def _any_name(names: tuple[tuple[Term, ...], ...]) -> Iterable[tuple[Term, ...]]:
    """(a and b) or (c and d), as all of: a or c, a or d, b or c, b or d."""
    return product(*(name[:3] for name in names[:MOST_FILTERS])) if names else ()


def _spoken(term: Term) -> Term:
    return Term(tuple(f"p{part}" for part in term.parts), term.begun)


def _begins(day: date) -> int:
    return first_id(timezone.make_aware(datetime.combine(day, time.min)))


def _best(match: Match, query: Query) -> Found:
    most = window(query)
    found = engine().hits(match, limit=most + 1)
    ranked = found[:most]
    counts = Counter(hit.record for hit in ranked)
    together: dict[str, list[Hit]] = {}
    for hit in _rank.best(ranked, query.wanted, count=BEST):
        together.setdefault(hit.record, []).append(hit)
    groups = [
        Group(hits[0].record_id, _segments(sorted(hits[:SHOWN])), counts[record])
        for record, hits in islice(together.items(), GROUPS * 2)
    ]
    return Found(groups, len(found), len(counts) if len(found) <= most else None, None, most)


def _newest(match: Match, total: int, most: int) -> Found:
    page = engine().hits(match, limit=_PAGE)
    order = list(dict.fromkeys(hit.record_id for hit in page))
    if len(page) < _PAGE and len(order) <= GROUPS:
        return Found([_group(match, record_id) for record_id in order], total, None, None, most)
    shown = order[:GROUPS]
    last = next(hit for hit in reversed(page) if hit.record_id == shown[-1])
    low, high = record_bounds(last.id)
    # The next page goes on below whatever began with the last record: all of that belongs to this one.
    together = engine().hits(replace(match, low=max(low, match.low), high=min(high, match.high)), limit=_ONE_BEGINNING)
    shown = list(dict.fromkeys([*shown, *(hit.record_id for hit in together)]))
    return Found([_group(match, record_id) for record_id in shown], total, None, low, most)


def _group(match: Match, record_id: uuid.UUID) -> Group:
    one = replace(match, records=(record_id,))
    first = engine().hits(one, limit=SHOWN + 1, oldest_first=True)
    found = engine().count(one, most=MOST_OF_RECORD) if len(first) > SHOWN else len(first)
    return Group(record_id, _segments(first[:SHOWN]), found)


def _segments(hits: Iterable[Hit]) -> list[int]:
    return [hit.segment_id for hit in hits if hit.segment_id is not None]
