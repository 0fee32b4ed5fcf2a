"""The index on PostgreSQL: the terms of a passage under GIN, with the owner as one more.

What a match is, its text tells (`_where`): reading that is cheap, and a row is small, for there is no tsvector in it.
GIN only says which rows are worth looking at. It reads all matches before it gives the first, and the planner's guess
which way is quicker is sometimes wrong by a thousand times. So the way is chosen here: the newest passages of the owner
tell how common the matches are. Common ones are found by reading on, rare ones by GIN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import OperationalError, connection, transaction

from transcripts.search._engine import LIMIT_MS, Hit, Match, Row, TooBroad
from transcripts.search._query import Term

# Its cost keeps the planner from making the terms of row after row instead of asking the index. A tsvector holds a
# megabyte: of a text beyond all measure the beginning.
SCHEMA = [
    """
CREATE OR REPLACE FUNCTION transcripts_terms(about text, said text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN array_to_tsvector(string_to_array(
        rtrim('@' || replace(about, ' ', ' @') || ' ' || left(said, 250000)), ' '));
END $$
""",
    "CREATE INDEX transcripts_passage_terms ON transcripts_passage USING gin (transcripts_terms(about, said))"
    " WITH (fastupdate = off)",
    "CREATE INDEX transcripts_passage_owner ON transcripts_passage (owner_id, id)",
]
UNDO = [
    "DROP INDEX transcripts_passage_terms",
    "DROP INDEX transcripts_passage_owner",
    "DROP FUNCTION IF EXISTS transcripts_terms(text, text)",
]

PEEK = 1000
LOOK = 10
"""So many passages are read on in the time in which one is looked at that GIN names. Measured: 0.4 us and 4 us."""
_BATCH = 5000
_COLUMNS = "id, segment_id, record_id, owner_id, about, said"
_READ = "id, record_id::text, segment_id, said"
_REPLACE = f"INSERT INTO transcripts_passage ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET about = excluded.about, said = excluded.said"  # noqa: E501, S608
_NEWEST = (
    "SELECT * FROM transcripts_passage WHERE owner_id = %s AND id >= %s AND id < %s ORDER BY owner_id DESC, id DESC"
)
_ROWS = "SELECT reltuples FROM pg_class WHERE oid = 'transcripts_passage'::regclass"
# More time goes into compiling a question, or into helpers, than they save; and GIN's matches must fit into memory.
_QUICK = {"jit": "off", "max_parallel_workers_per_gather": "0", "work_mem": "'16MB'"}


class Gin:
    """See Engine."""

    def write(self, rows: Iterable[Row]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(_REPLACE, list(rows))

    def fill(self, rows: Iterable[Row]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX transcripts_passage_terms")
            cursor.execute("TRUNCATE transcripts_passage")
            rows = iter(rows)
            # By batches: while a COPY runs, this connection can read no more rows.
            while batch := list(islice(rows, _BATCH)):
                with cursor.copy(f"COPY transcripts_passage ({_COLUMNS}) FROM STDIN") as sink:
                    for row in batch:
                        sink.write_row(row)
            cursor.execute(SCHEMA[1])
            cursor.execute("ANALYZE transcripts_passage")

    def hits(self, match: Match, *, limit: int, oldest_first: bool = False) -> list[Hit]:
        # "+ 0": sorted after they are found; the planner may not walk the primary key instead.
        order = f"ORDER BY id + 0 {'ASC' if oldest_first else 'DESC'}"
        with connection.cursor() as cursor:
            if not oldest_first and _is_common(match, limit):
                found, values = _newest(match)
            else:
                found, values = _indexed(match)
                found = f"{found} {order}"
            cursor.execute(f"SELECT {_READ} FROM {found} LIMIT %s", [*values, limit])  # noqa: S608
            return list(map(Hit._make, cursor.fetchall()))

    def count(self, match: Match, *, most: int) -> int:
        found, values = _newest(match) if _is_common(match, most) else _indexed(match)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {found} LIMIT %s) found", [*values, most])  # noqa: S608
            return int(cursor.fetchone()[0])

    @contextmanager
    def limited(self) -> Iterator[None]:
        try:
            with transaction.atomic():
                _set({"statement_timeout": str(LIMIT_MS), **_QUICK})
                yield
                _set(dict.fromkeys(["statement_timeout", *_QUICK], "DEFAULT"))
        except OperationalError as error:
            if "statement timeout" in str(error):
                raise TooBroad from error
            raise


def _set(limits: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} TO {value}" for name, value in limits.items()))


def _is_common(match: Match, limit: int) -> bool:
    """Whether reading on from the newest passage finds so many matches sooner than GIN does, or all there are."""
    if _is_one_record(match):
        return False
    where, values = _where(match)
    named, more = _where(match, named=True)
    shares = f"count(*), count(*) FILTER (WHERE {where}), count(*) FILTER (WHERE {named}), ({_ROWS})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {shares} FROM ({_NEWEST} LIMIT {PEEK}) newest",  # noqa: S608
            [*values, *more, match.owner_id, match.low, match.high],
        )
        read, matching, looked_at, known = cursor.fetchone()
    if read < PEEK:
        return True
    rows = max(known, read)  # -1: never counted
    to_read = min(limit * read / matching, rows) if matching else rows
    return bool(to_read <= LOOK * rows * looked_at / read)


def _is_one_record(match: Match) -> bool:
    return match.records is not None and len(match.records) == 1


def _newest(match: Match) -> tuple[str, list[Any]]:
    """The matches from the newest on, as the reading of the owner's passages comes to them."""
    where, values = _where(match)
    # OFFSET 0: read in this order, whatever the planner thinks of `where`.
    return f"({_NEWEST} OFFSET 0) newest WHERE {where}", [match.owner_id, match.low, match.high, *values]


def _indexed(match: Match) -> tuple[str, list[Any]]:
    """The matches in no order, by GIN; those of one record by reading that alone."""
    where, values = _where(match)
    if _is_one_record(match):
        return f"transcripts_passage WHERE {where}", values
    terms = "transcripts_terms(about, said) @@ %s::tsquery"
    return f"transcripts_passage WHERE {terms} AND {where}", [_expression(match), *values]


def _where(match: Match, *, named: bool = False) -> tuple[str, list[Any]]:
    """What a match is, by the text of its terms. What was said comes first: it rules out the most.

    `named`: by what GIN knows, as `_expression` asks it.
    """
    where: list[str] = []
    values: list[Any] = []
    groups = [("said", group, "") for group in match.every]
    groups += [("said", (term,), "NOT ") for term in match.without if not named]
    for column, group, negation in [*groups, *(("about", group, "") for group in match.about)]:
        either = []
        for term in group:
            # A name's words may stand anywhere; a phrase's stand together.
            sought = [" ".join(term.parts)] if column == "said" and not named else list(term.parts)
            values += [f" {text}{'' if term.begun and text == sought[-1] else ' '}" for text in sought]
            either.append(" AND ".join(f"strpos(' ' || {column} || ' ', %s) > 0" for _ in sought))
        where.append(f"{negation}({' OR '.join(either)})")
    where += ["owner_id = %s", "id >= %s", "id < %s"]
    values += [match.owner_id, match.low, match.high]
    if match.records is not None:
        where.append("record_id = ANY(%s)")
        values.append(list(match.records))
    return " AND ".join(where), values


def _expression(match: Match) -> str:
    """What every match holds, wherever it stands. Never empty: the owner is always in it."""
    groups = [("@", group) for group in match.about] + [("", group) for group in match.every]
    return " & ".join(f"({' | '.join(_all_of(term, mark) for term in group)})" for mark, group in groups)


def _all_of(term: Term, mark: str) -> str:
    """Terms are letters and digits alone: nothing in them can leave the quotes."""
    parts = " & ".join(f"'{mark}{part}'" for part in term.parts)
    return f"({parts}{':*' if term.begun else ''})"


ENGINE = Gin()
