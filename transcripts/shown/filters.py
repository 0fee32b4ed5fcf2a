"""What the library's chips ask for, as it stands in a URL; with words of the same meaning typed into the search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from memweb.speech.text import line
from transcripts.models import Record
from transcripts.queries import RecordQuerySet
from transcripts.search import LONGEST, Query, Term, name_terms, parse
from transcripts.shown import wording

DATES = {"today": "Today", "week": "Last 7 days", "month": "Last 30 days", "year": "Last 365 days"}
STATES = {"live": "Live", "finishing": "In work", "ready": "Ready", "failed": "Failed"}
LENGTHS = {"short": "Under 5 minutes", "medium": "5 to 30 minutes", "long": "30 to 60 minutes", "hours": "Over an hour"}
SOURCES = {str(value): str(label) for value, label in Record.Source.choices}
SORTS = {"newest": "Newest first", "oldest": "Oldest first", "longest": "Longest first"}
ORDERS = {"best": "Best first", "date": "Newest first"}
_DAYS = {"today": 0, "week": 6, "month": 29, "year": 364}
_MINUTES = {"short": (0, 5), "medium": (5, 30), "long": (30, 60), "hours": (60, 10**7)}
CHIPS = {
    "date": "Any date",
    "language": "Language",
    "speaker": "Speaker",
    "source": "Source",
    "state": "Status",
    "tag": "Tags",
    "length": "Length",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty is any. `q` keeps the space at its end: it says that the last word is whole."""

    q: str = ""
    date: str = ""
    language: str = ""
    speaker: str = ""
    source: str = ""
    state: str = ""
    tag: str = ""
    length: str = ""
    sort: str = ""
    shelf: str = ""

    @classmethod
    def of(cls, asked: QueryDict) -> Self:
        """What is not known is left out: an old link still opens."""
        typed = line(asked.get("q", "")) + (" " if asked.get("q", "").endswith(" ") else "")
        given = {name: line(asked.get(name, ""))[:200] for name in CHIPS} | {
            "sort": asked.get("sort", ""),
            "shelf": asked.get("shelf", ""),
        }
        known = {
            "date": DATES, "source": SOURCES, "state": STATES, "length": LENGTHS,
            "sort": SORTS | ORDERS, "shelf": {"archive": "Archive"},
        }  # fmt: skip
        kept = {name: value for name, value in given.items() if name not in known or value in known[name]}
        return cls(q="" if typed.isspace() else typed[:LONGEST], **kept)

    @property
    def any_chip(self) -> bool:
        return any(getattr(self, name) for name in CHIPS)

    def url(self, **changed: str) -> str:
        """The query of these, with some changed or added: "?q=ferry&language=en", or "?"."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changed
        return "?" + urlencode({name: value for name, value in values.items() if value}, errors="replace")

    def label(self, name: str) -> str:
        """What a chip that is set says."""
        value = str(getattr(self, name))
        known = {"date": DATES, "source": SOURCES, "state": STATES, "length": LENGTHS}.get(name, {})
        return wording.language(value) if name == "language" else known.get(value, value)

    def query(self) -> Query:
        """What is typed and what the chips ask, as one."""
        query = parse(self.q)
        since = timezone.localdate() - timedelta(days=_DAYS[self.date]) if self.date else None
        return replace(
            query,
            languages=query.languages + ((self.language.lower(),) if self.language else ()),
            sources=query.sources + ((self.source,) if self.source else ()),
            names=query.names + ((self.speaker,) if self.speaker else ()),
            speakers=query.speakers + ((named,) if (named := name_terms(self.speaker)) else ()),
            tags=query.tags + ((self.tag,) if self.tag else ()),
            since=_later(since, query.since),
        )

    def apply(self, records: RecordQuerySet) -> RecordQuerySet:
        """Those of these records that pass the chips a query has no word for."""
        if self.state:
            records = records.filter(status=self.state)
        if self.length:
            low, high = _MINUTES[self.length]
            records = records.filter(duration_ms__gte=low * 60_000, duration_ms__lt=high * 60_000)
        return records


def easier(query: Query, chosen: Filters) -> Iterator[tuple[str, str, Query]]:
    """Searches that ask for less, the nearest first: in words, their address, and the query."""
    words = " ".join(" ".join(found.parts) for found in query.wanted)
    if query.names:
        typed = chosen.q if chosen.speaker else " ".join(_without(chosen.q, "speaker:"))
        yield f"Anyone saying “{words}”", chosen.url(speaker="", q=typed), replace(query, speakers=(), names=())
    if query.languages:
        typed = chosen.q if chosen.language else " ".join(_without(chosen.q, "lang:"))
        yield "In every language", chosen.url(language="", q=typed), replace(query, languages=())
    if chosen.any_chip:
        bare = replace(chosen, **dict.fromkeys(CHIPS, ""))
        yield "Without any filter", bare.url(), parse(chosen.q)
    singles = query.wanted if len(query.wanted) > 1 else []
    if singles:
        yield (
            f"Any of these words: {', '.join(map(_said, singles))}",
            chosen.url(q=" OR ".join(map(_typed, singles))),
            replace(query, every=(tuple(singles),)),
        )
    for found in singles:
        yield f"Only {_said(found)}", chosen.url(q=_typed(found)), replace(query, every=((found,),))


def _typed(found: Term) -> str:
    """As it is asked for."""
    return _said(found) + ("*" if found.begun else "")


def _said(found: Term) -> str:
    """As it is shown: without the sign for a word that may go on."""
    words = " ".join(found.parts)
    return f'"{words}"' if " " in words else words


def _without(typed: str, name: str) -> list[str]:
    return [word for word in typed.split() if not word.lower().startswith(name)]


def _later(one: date | None, other: date | None) -> date | None:
    return max(one, other) if one and other else one or other
