"""One corpus, many queries: on either database the index finds what reading every passage finds, in the same order.

The suite runs on SQLite and on PostgreSQL; each is held to the same reference, written here without an index.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import search, services, shelving
from transcripts.models import Passage, Record, Speaker
from transcripts.search import _engine, _find
from transcripts.search._query import Term
from transcripts.shown.filters import Filters

pytestmark = pytest.mark.django_db

_TEXT = "ferry ferries last boat bridge mill lane the a of café naïve 東京 京都 大学 you know person people"
WORDS = _TEXT.split(" ")
QUERIES = [
    "ferry ", "ferr", "ferr* boat ", '"mill lane"', '"you know" -the ', "ferry OR boat ", "the -a -of ", "cafe ",
    "naive ",
    "東京", "京", "東", '"the ferry" OR "a boat" bridge ', "-the ", "person people ", "pe* ", "ferry speaker:maya ",
    "the after:2026-01-03 before:2026-01-05 ", "boat lang:en speaker:kwame ", "last the a ", "大学 ferry ", "zeppelin ",
]  # fmt: skip


@pytest.fixture
def corpus(alice: User, bob: User) -> User:
    """Forty records of two owners; some with a speaker, some with words that end where others begin."""
    rng = random.Random(7)
    for number in range(40):
        owner = alice if number % 4 else bob
        began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * (number // 2))
        record = making.dictation(owner, started_at=began)
        segments = [
            making.line(
                str(key),
                key * 1000,
                rng.choice([" ", " ", ", ", ""]).join(rng.choices(WORDS, k=rng.randint(1, 12))),
                speaker=rng.choice(["Maya", "Kwame", None]),
            )
            for key in range(rng.randint(1, 8))
        ]
        version = services.add_version(record_id=record.pk, kind="imported", model="", language="en", segments=segments)
        services.show_version(record_id=record.pk, number=version.number)
    return alice


def says(passage: Passage, term: Term) -> bool:
    words, count = passage.said.split(" "), len(term.parts)
    for i in range(len(words) - count + 1):
        *before, last = words[i : i + count]
        if before == list(term.parts[:-1]) and (
            last == term.parts[-1] or (term.begun and last.startswith(term.parts[-1]))
        ):
            return True
    return False


def expected(owner: User) -> Callable[[str], list[int]]:
    """What gives the ids of the segments that answer, newest first, by reading every passage."""
    rows = Passage.objects.filter(owner=owner).exclude(segment=None).order_by("-id")
    passages = [(row, str(row.segment.speaker or "").lower(), row.record.started_at.date()) for row in rows
                .select_related("segment__speaker", "record")]  # fmt: skip

    def answer(typed: str) -> list[int]:
        query = search.parse(typed)
        return [
            passage.segment_id
            for passage, speaker, day in passages
            if all(any(says(passage, term) for term in group) for group in query.every)
            and not any(says(passage, term) for term in query.without)
            and (not query.names or speaker in query.names)
            and (not query.since or day >= query.since)
            and (not query.until or day < query.until)
        ]

    return answer


@pytest.fixture(params=["as it is", "read on", "by index"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL chooses by how common the matches are: here each way is taken for all of them."""
    if request.param == "as it is":
        return
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one way.")
    from transcripts.search import _postgres

    monkeypatch.setattr(_postgres, "_is_common", lambda match, limit: request.param == "read on")


@pytest.mark.usefixtures("way")
def test_the_index_finds_what_reading_everything_finds_in_the_same_order(corpus: User) -> None:
    engine, answered, reference = _engine.engine(), 0, expected(corpus)
    for typed in QUERIES:
        wanted = reference(typed)
        match = _find._match(search.parse(typed), corpus.pk, None)
        assert [hit.segment_id for hit in engine.hits(match, limit=9999)] == wanted, typed
        assert [hit.segment_id for hit in engine.hits(match, limit=3)] == wanted[:3], typed
        assert [hit.segment_id for hit in engine.hits(match, limit=9999, oldest_first=True)] == wanted[::-1], typed
        assert engine.count(match, most=9999) == len(wanted), typed
        assert engine.count(match, most=2) == min(len(wanted), 2), typed
        answered += bool(wanted)
    assert answered >= len(QUERIES) - 2


# Each named in one record: a tag, a voice, a title. Any of the spellings finds it, and none of the others'.
NAMES = {
    "Übung": ["Übung", "übung", "ÜBUNG", "ubung"],
    "École d'été": ["école d'été", "ÉCOLE D'ÉTÉ", "ecole d'ete"],
    "Ωμέγα": ["ωμέγα", "ΩΜΈΓΑ"],
    "Чайка": ["чайка", "ЧАЙКА"],
    "Straße": ["straße", "STRASSE"],
    "東京": ["東京"],
    "Radio": ["radio", "RADIO"],
    "🎉": ["🎉"],
    "🚲": ["🚲"],
}


@pytest.mark.parametrize("kind", ["tag", "speaker", "title"])
def test_a_filter_finds_the_same_name_however_it_is_written(alice: User, bob: User, kind: str) -> None:
    records = {}
    for owner in (alice, bob):
        for name in NAMES:
            record = making.dictation(owner, "words", title=name if kind == "title" else "")
            if kind == "tag":
                shelving.tag(owner_id=owner.pk, ids=[record.pk], name=name)
            Speaker.objects.create(record=record, label="A", name=name if kind == "speaker" else "")
            records[owner.pk, name] = record.pk
    for name, spellings in NAMES.items():
        if kind == "title" and not search.name_terms(name):
            continue  # a sign alone is no word of the index
        for written in spellings:
            query = search.parse(f'{kind}:"{written}"')
            found = search.restrict(query, Record.objects.visible_to(alice), owner_id=alice.pk)
            assert list(found.values_list("pk", flat=True)) == [records[alice.pk, name]], written
            if kind == "tag":
                assert search.records_of(query, Record.objects.visible_to(alice), owner_id=alice.pk) == [
                    records[alice.pk, name]
                ]


def test_a_tag_is_the_same_in_any_case(alice: User) -> None:
    record = making.dictation(alice, "words")
    for name in ("Übung", "übung", "ubung"):
        shelving.tag(owner_id=alice.pk, ids=[record.pk], name=name)
    assert sorted(tag.name for tag in record.tags.all()) == ["ubung", "Übung"]
    assert shelving.untag(owner_id=alice.pk, ids=[record.pk], name="ÜBUNG") == 1
    assert [tag.name for tag in record.tags.all()] == ["ubung"]
    found = search.restrict(Filters(tag="Übung").query(), Record.objects.visible_to(alice), owner_id=alice.pk)
    assert [row.pk for row in found] == [record.pk]
