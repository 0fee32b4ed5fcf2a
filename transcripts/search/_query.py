"""What a person typed, as a query. Pure, and nothing that can be typed is an error.

    ferry timetable      both words         "last ferry"     these words in this order
    tim*                 beginning so       ferry OR boat    one or the other
    -bridge              without it         speaker:maya title:"mill lane" tag:radio lang:en source:file
                                            after:2026-11-03 (from then on) before:2026 (until then)

The word at the very end is still being typed: it finds what begins so, until a space follows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from memweb.speech.text import clean
from transcripts.search._words import is_unspaced, terms

LONGEST = 500
MOST_TERMS = 24
MOST_FILTERS = 4
NAMES = ("speaker", "title", "tag", "lang", "source", "before", "after")
_ITEM = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)("?)|([^\s"]+))', re.IGNORECASE)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Term:
    """One or more terms of the index, one right after the other; the last may be only begun."""

    parts: tuple[str, ...]
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """All of `every` (one of each tuple), none of `without`, and what the filters ask."""

    every: tuple[tuple[Term, ...], ...] = ()
    without: tuple[Term, ...] = ()
    speakers: tuple[tuple[Term, ...], ...] = ()
    names: tuple[str, ...] = ()
    """The speakers, as typed."""
    titles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: date | None = None
    """From this day on."""
    until: date | None = None
    """Before this day."""

    @property
    def has_words(self) -> bool:
        """Whether moments are asked for, not only records."""
        return bool(self.every or self.without)

    @property
    def wanted(self) -> list[Term]:
        """Everything a hit may hold, to be marked."""
        return [term for group in self.every for term in group]

    @property
    def has_phrase(self) -> bool:
        return any(len(term.parts) > 1 for term in self.wanted)


@dataclass
class _Reading:
    every: list[tuple[Term, ...]] = field(default_factory=list)
    without: list[Term] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    alternative: bool = False
    count: int = 0

    def add(self, found: Term, *, excluded: bool) -> None:
        self.count += len(found.parts)
        if self.count > MOST_TERMS:
            return
        if excluded:
            self.without.append(found)
        elif self.alternative and self.every:
            self.every[-1] = (*self.every[-1], found)
        else:
            self.every.append((found,))
        self.alternative = False


def parse(typed: str) -> Query:
    """The query in what was typed."""
    text = clean(typed)[:LONGEST]
    reading = _Reading()
    for item in _ITEM.finditer(text):
        _read(item, reading, at_end=item.end() == len(text))
    filters = reading.filters
    return Query(
        every=tuple(reading.every),
        without=tuple(reading.without),
        speakers=tuple(speaker for name in filters.get("speaker", ()) if (speaker := name_terms(name))),
        names=tuple(filters.get("speaker", ()))[:MOST_FILTERS],
        titles=tuple(filters.get("title", ()))[:MOST_FILTERS],
        tags=tuple(name.lstrip("#") for name in filters.get("tag", ()))[:MOST_FILTERS],
        languages=tuple(code.lower() for code in filters.get("lang", ()))[:MOST_FILTERS],
        sources=tuple(name.lower() for name in filters.get("source", ()))[:MOST_FILTERS],
        since=max((day for text in filters.get("after", ()) if (day := _day(text))), default=None),
        until=min((day for text in filters.get("before", ()) if (day := _day(text))), default=None),
    )


def _read(item: re.Match[str], reading: _Reading, *, at_end: bool) -> None:
    minus, name, quoted, _, bare = item.groups()
    value = bare if quoted is None else quoted
    if name and name.lower() in NAMES and not minus:
        if value.strip():
            reading.filters.setdefault(name.lower(), []).append(value.strip())
        return
    if bare == "OR" and not name and not minus:
        reading.alternative = bool(reading.every)
        return
    typed = f"{name}:{value}" if name else value
    found = term(typed, begun=quoted is None and (typed.endswith("*") or at_end))
    if found:
        reading.add(found, excluded=bool(minus))


def term(text: str, *, begun: bool = False) -> Term | None:
    """The terms of a piece of text as one, or None where nothing in it can be found."""
    parts = tuple(terms(text))
    if not parts:
        return None
    if is_unspaced(parts[-1]):
        return _unspaced(parts)
    # One letter begins too much: it is a word.
    return Term(parts, begun and len(parts[-1]) > 1)


def _unspaced(parts: tuple[str, ...]) -> Term:
    """The last pair of a run is one letter alone: it follows from the pair before, or it begins pairs."""
    if len(parts) > 1 and is_unspaced(parts[-2]) and parts[-2][1:] == parts[-1]:
        return Term(parts[:-1])
    return Term(parts, begun=True)


def name_terms(name: str) -> tuple[Term, ...]:
    """The words of a name, all of which a speaker's must hold."""
    return tuple(found for word in name.split() if (found := term(word)))[:MOST_TERMS]


def _day(text: str) -> date | None:
    """The first day of the day, month or year that is named. None where there is no such day."""
    named = _DAY.fullmatch(text)
    if named is None:
        return None
    year, month, day = (int(part) if part else 1 for part in named.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None
