"""The index on SQLite: FTS5 over the table of passages.

The owner stands inside the index, as a term of `about`: a filter by join would read every match of everybody.
Rows and index cannot part: triggers keep them together, whoever deletes a row.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import OperationalError, connection

from transcripts.search._engine import FEW_RECORDS, LIMIT_MS, Hit, Match, Row, TooBroad
from transcripts.search._query import Term

# The terms are made by _words: the index only has to part them at the spaces. Prefixes of two and three letters have
# an index of their own, or the first keys of a search would read whole ranges of words. The lengths of passages
# (columnsize) only its own way of ranking asks for.
TABLE = """
CREATE VIRTUAL TABLE transcripts_passage_index USING fts5(
    about, said, content='transcripts_passage', content_rowid='id', tokenize='ascii', prefix='2 3', columnsize=0)
"""
_OLD = "INSERT INTO transcripts_passage_index(transcripts_passage_index, rowid, about, said) VALUES ('delete', old.id, old.about, old.said)"  # noqa: E501
_NEW = "INSERT INTO transcripts_passage_index(rowid, about, said) VALUES (new.id, new.about, new.said)"
TRIGGERS = {
    "transcripts_passage_added": f"AFTER INSERT ON transcripts_passage BEGIN {_NEW}; END",
    "transcripts_passage_gone": f"AFTER DELETE ON transcripts_passage BEGIN {_OLD}; END",
    "transcripts_passage_changed": (f"AFTER UPDATE OF about, said ON transcripts_passage BEGIN {_OLD}; {_NEW}; END"),
}
SCHEMA = [TABLE, *(f"CREATE TRIGGER {name} {what}" for name, what in TRIGGERS.items())]
UNDO = [*(f"DROP TRIGGER {name}" for name in TRIGGERS), "DROP TABLE transcripts_passage_index"]

_INSERT = (
    "INSERT INTO transcripts_passage (id, segment_id, record_id, owner_id, about, said) VALUES (%s, %s, %s, %s, %s, %s)"
)
_REPLACE = f"{_INSERT} ON CONFLICT (id) DO UPDATE SET about = excluded.about, said = excluded.said"
_FOUND = "SELECT p.id, p.record_id, p.segment_id, p.said FROM transcripts_passage_index i JOIN transcripts_passage p ON p.id = i.rowid WHERE "  # noqa: E501
_BATCH = 5000
_USUAL, _MANY = 2**20, 2**24
"""Bytes of terms FTS5 holds before it writes them out as one more piece, to be merged later. Its own, and for all."""
_STEPS = 20_000
"""Of SQLite's machine between two looks at the clock: less than a millisecond."""


class Fts5:
    """See Engine."""

    def write(self, rows: Iterable[Row]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(_REPLACE, _values(rows))

    def fill(self, rows: Iterable[Row]) -> None:
        with connection.cursor() as cursor:
            for name in TRIGGERS:
                cursor.execute(f"DROP TRIGGER {name}")
            cursor.execute("DELETE FROM transcripts_passage")
            rows = iter(rows)
            while batch := list(islice(rows, _BATCH)):
                cursor.executemany(f"{_INSERT} ON CONFLICT (id) DO NOTHING", _values(batch))
            _hold(cursor, _MANY)
            cursor.execute("INSERT INTO transcripts_passage_index(transcripts_passage_index) VALUES ('rebuild')")
            _hold(cursor, _USUAL)
            for name, what in TRIGGERS.items():
                cursor.execute(f"CREATE TRIGGER {name} {what}")

    def hits(self, match: Match, *, limit: int, oldest_first: bool = False) -> list[Hit]:
        where, values = _where(match)
        order = "ASC" if oldest_first else "DESC"
        with connection.cursor() as cursor:
            cursor.execute(f"{_FOUND}{where} ORDER BY i.rowid {order} LIMIT %s", [*values, limit])
            return list(map(Hit._make, cursor.fetchall()))

    def count(self, match: Match, *, most: int) -> int:
        where, values = _where(match)
        join = "JOIN transcripts_passage p ON p.id = i.rowid" if "p." in where else ""
        inner = f"SELECT 1 FROM transcripts_passage_index i {join} WHERE {where} LIMIT %s"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({inner})", [*values, most])  # noqa: S608
            return int(cursor.fetchone()[0])

    @contextmanager
    def limited(self) -> Iterator[None]:
        connection.ensure_connection()
        raw: Any = connection.connection
        deadline = time.monotonic() + LIMIT_MS / 1000
        raw.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
        try:
            yield
        except OperationalError as error:
            if "interrupted" in str(error):
                raise TooBroad from error
            raise
        finally:
            raw.set_progress_handler(None, 0)


def _hold(cursor: Any, size: int) -> None:
    cursor.execute(
        "INSERT INTO transcripts_passage_index(transcripts_passage_index, rank) VALUES ('hashsize', %s)", [size]
    )


def _values(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    return [(row.id, row.segment_id, row.record_id.hex, row.owner_id, row.about, row.said) for row in rows]


def _where(match: Match) -> tuple[str, list[Any]]:
    expression = _expression(match)
    where, values = "transcripts_passage_index MATCH %s AND i.rowid >= %s AND i.rowid < %s", [match.low, match.high]
    if match.records is not None and len(match.records) > FEW_RECORDS:
        where += " AND p.record_id IN (SELECT value FROM json_each(%s))"
        values.append(json.dumps([record.hex for record in match.records]))  # type: ignore[arg-type]
    return where.replace("transcripts_passage_index MATCH", "i.transcripts_passage_index MATCH"), [expression, *values]


def _expression(match: Match) -> str:
    about = [_any("about", group) for group in match.about]
    if match.records is not None and len(match.records) <= FEW_RECORDS:
        named = tuple(Term((f"r{record.hex}",)) for record in match.records) or (Term(("nothing",)),)
        about.append(_any("about", named))
    all_of = " AND ".join(about + [_any("said", group) for group in match.every])
    return all_of + "".join(f" NOT {_any('said', (term,))}" for term in match.without)


def _any(column: str, group: tuple[Term, ...]) -> str:
    return f"{column} : ({' OR '.join(_phrase(term) for term in group)})"


def _phrase(term: Term) -> str:
    """Terms are letters and digits alone: nothing in them can leave the quotes."""
    return f'"{" ".join(term.parts)}"{"*" if term.begun else ""}'


ENGINE = Fts5()
