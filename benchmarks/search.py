"""Search in a million segments: `python -m benchmarks.search [--segments N] [--rounds N]`, on the database in use.

Against naive FTS5 (ranked over everybody's rows, the owner by join) and against tantivy, where it is installed
(`python -m pip install tantivy==0.27.0`: for this benchmark only, so memweb does not depend on it),
on the same made-up talk, in the same run. One owner has all but 5,000 of the segments, another has those. Times are
milliseconds of the engine, warm; a page adds reading its records and its template. The CPU is of this process, and of
PostgreSQL's where that runs on the same machine. On PostgreSQL it works in a schema of its own, which is dropped again.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
FOLDER = Path(tempfile.mkdtemp(prefix="memweb-search-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
os.environ["MEMWEB_DATA_DIR"] = str(FOLDER)

import django
from django.conf import settings

django.setup()

from django.core.management import call_command
from django.db import connection, transaction

from transcripts.search import TooBroad, _find, parse
from transcripts.search._engine import Row, engine
from transcripts.search._words import terms
from transcripts.seeding import Speech

GREAT, SMALL, FEW = 1, 2, 5000
KINDS = {
    "1 common": ["the ", "you ", "and ", "know "],
    "2 common": ["the you ", "know people ", "you and "],
    "phrase": ['"you know"', '"of the"'],
    "prefix": ["kar", "peo", "th"],
}


def talk(count: int) -> Iterator[tuple[int, str, int]]:
    speech = Speech(3)
    for number in range(count):
        yield number + 1, speech.sentence(), SMALL if number % (count // FEW) == 1 else GREAT


def rows(said: list[tuple[int, str, int]]) -> Iterator[Row]:
    for number, text, owner in said:
        record = uuid.UUID(int=number // 200 * 10 + owner)
        place = (number // 200 * 360_000 << 24) + number
        yield Row(place, number, record, owner, f"u{owner} r{record.hex} sdictation len", " ".join(terms(text)))


def timed(ask: Callable[[str], object], queries: list[str], rounds: int) -> str:
    """p50 / p99 over all of them, warm, and in brackets the same of its CPU time, in which others do not show."""
    spent, busy = [], []
    for typed in queries:
        ask(typed)
        for _ in range(rounds):
            before, began = cpu(), time.perf_counter()
            ask(typed)
            spent.append((time.perf_counter() - began) * 1000)
            busy.append((cpu() - before) * 1000)
    return f"{_percentiles(spent)} ({_percentiles(busy)})"


def _percentiles(values: list[float]) -> str:
    values.sort()
    return f"{values[len(values) // 2]:.2f} / {values[int(len(values) * 0.99)]:.1f}"


def cpu() -> float:
    """Seconds of it, ours and that of the database's process behind our connection."""
    if connection.vendor == "sqlite":
        return time.process_time()
    pid = connection.connection.info.backend_pid
    stats = Path(f"/proc/{pid}/schedstat")
    return time.process_time() + (int(stats.read_text().split()[0]) / 1e9 if stats.exists() else 0)


def by_date(owner: int) -> Callable[[str], object]:
    def ask(typed: str) -> object:
        with engine().limited():
            return engine().hits(_find._match(parse(typed), owner, None), limit=20)

    return ask


def ranked(owner: int) -> Callable[[str], object]:
    """With its count, and within the time a question may take; too broad counts as the time it took."""

    def ask(typed: str) -> object:
        try:
            with engine().limited():
                return _find._best(_find._match(parse(typed), owner, None), parse(typed))
        except TooBroad:
            return None

    return ask


def naive() -> Callable[[str], object] | None:
    """Plain FTS5 with bm25 over everybody's rows, the owner looked up by join."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE VIRTUAL TABLE naive USING fts5(said, content='transcripts_passage', content_rowid='id',"
            " tokenize='unicode61 remove_diacritics 2')"
        )
        cursor.execute("INSERT INTO naive(naive) VALUES ('rebuild')")

    def ask(typed: str) -> object:
        text = typed.strip()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT p.id FROM naive JOIN transcripts_passage p ON p.id = naive.rowid"
                " WHERE naive MATCH %s AND p.owner_id = %s ORDER BY naive.rank LIMIT 20",
                [text if typed.endswith((" ", '"')) else f"{text}*", GREAT],
            )
            return cursor.fetchall()

    return ask


def tantivy(said: list[tuple[int, str, int]]) -> tuple[Callable[[str], object], Callable[[str], object], float]:
    """Its answers by date and by rank, and the CPU seconds it took to build."""
    import tantivy as peer

    schema = peer.SchemaBuilder()
    schema.add_text_field("said", stored=True)
    schema.add_text_field("owner", tokenizer_name="raw")
    schema.add_integer_field("place", fast=True, stored=True)
    (FOLDER / "tantivy").mkdir()
    index = peer.Index(schema.build(), path=str(FOLDER / "tantivy"))
    began = time.process_time()
    writer = index.writer(heap_size=200_000_000, num_threads=1)
    for number, text, owner in said:
        writer.add_document(peer.Document(said=text, owner=f"u{owner}", place=number))
    writer.commit()
    writer.wait_merging_threads()
    spent = time.process_time() - began
    index.reload()
    searcher: Any = index.searcher()

    def asked(typed: str) -> Any:
        return index.parse_query(f"+owner:u{GREAT} " + " ".join(f"+{word}" for word in _words(typed)), ["said"])

    def date(typed: str) -> object:
        found = searcher.search(asked(typed), limit=20, order_by_field="place")
        return [searcher.doc(address) for _, address in found.hits]

    def rank(typed: str) -> object:
        return [searcher.doc(address) for _, address in searcher.search(asked(typed), limit=20).hits]

    return date, rank, spent


def _words(typed: str) -> list[str]:
    return [typed] if typed.startswith('"') else typed.split()


def size() -> str:
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_indexes_size('transcripts_passage'), pg_table_size('transcripts_passage')")
            index, table = cursor.fetchone()
        return f"indexes {index / 1e6:.0f} MB, table {table / 1e6:.0f} MB"
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(length(block)) FROM transcripts_passage_index_data")
        index = cursor.fetchone()[0]
        cursor.execute("SELECT sum(length(said) + length(about)) FROM transcripts_passage")
        table = cursor.fetchone()[0]
    return f"index {index / 1e6:.0f} MB, terms beside it {table / 1e6:.0f} MB"


def measure(count: int, rounds: int) -> None:
    call_command("migrate", verbosity=0)
    said = list(talk(count))
    gc.freeze()  # a million made-up sentences, which only this benchmark holds, are not to be gone through as it runs
    print(f"{connection.vendor}, {count:,} segments, load {os.getloadavg()[0]:.1f}", flush=True)
    began = time.process_time()
    with transaction.atomic():
        engine().fill(rows(said))
    spent = time.process_time() - began
    print(f"index: {spent:.0f} CPU s here, {count / spent:,.0f} segments a second; {size()}", flush=True)
    arms = {
        "by date, one owner of all": by_date(GREAT),
        "ranked, one owner of all": ranked(GREAT),
        "by date, small owner": by_date(SMALL),
        "ranked, small owner": ranked(SMALL),
    }
    plain = naive()
    if plain is not None:
        arms["naive FTS5, ranked"] = plain
    try:
        arms["tantivy by date"], arms["tantivy ranked"], built = tantivy(said)
        print(f"tantivy built in {built:.0f} CPU s", flush=True)
    except ImportError:
        print("tantivy is not installed: that arm is left out", flush=True)
    print(f"p50 / p99 (CPU) ms: {' | '.join(KINDS)}")
    for name, ask in arms.items():
        kinds = {kind: queries for kind, queries in KINDS.items() if not (kind == "prefix" and "tantivy" in name)}
        few = max(rounds // 5, 3) if "naive" in name else rounds
        print(f"{name:28} {' | '.join(timed(ask, queries, few) for queries in kinds.values())}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    schema = f"memweb_search_{os.getpid()}"
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        settings.DATABASES["default"].setdefault("OPTIONS", {})["options"] = f"-c search_path={schema}"
        connection.settings_dict["OPTIONS"] = settings.DATABASES["default"]["OPTIONS"]
        connection.close()
    try:
        measure(asked.segments, asked.rounds)
    finally:
        if connection.vendor != "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"DROP SCHEMA {schema} CASCADE")
        connection.close()
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
