"""Search on the database of the run: what is found, by whom and when; nothing that can be typed is an error."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import search, services
from transcripts.models import Passage, Record, Segment, Version
from transcripts.search import _engine, _find, _rank
from transcripts.search._words import fold, spans, terms
from transcripts.shown import filters

pytestmark = pytest.mark.django_db


def texts(found: search.Found) -> list[str]:
    return [Segment.objects.get(pk=segment_id).text for group in found.groups for segment_id in group.segment_ids]


def said(user: User, typed: str, **how: object) -> list[str]:
    """What is found, sorted. A space at the end: nothing is still being typed."""
    return sorted(texts(search.find(search.parse(typed), owner_id=user.pk, **how)))  # type: ignore[arg-type]


# --- the language of queries --------------------------------------------------------------------------------


@pytest.fixture
def spoken(alice: User) -> User:
    making.dictation(alice, "The last ferry had gone.", "Ferries ran late; the ferry last.", title="Trip")
    making.dictation(alice, "A boat and a bridge.", "The bridge was closed to every ferry.", title="Mill Lane")
    return alice


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("ferry ", 3),
        ("FERRY ", 3),
        ("ferr", 3),
        ("ferr ", 0),
        ("ferr* ", 3),
        ("ferri* ", 1),
        ("last ferry ", 2),
        ('"last ferry"', 1),
        ('"last ferry', 1),
        ("ferry -bridge ", 2),
        ('ferry -"ferry last" -bridge', 1),
        ("boat OR gone ", 2),
        ("ferry boat OR gone ", 1),
        ("OR ferry OR ", 3),
        ("ferry or ", 0),
        ("f", 0),
        ("nothing:like ferry", 0),
        ("title:mill bridge ", 2),
        ('title:"mill lane" ferry ', 1),
        ("title:elsewhere ferry ", 0),
        ("-ferry ", 1),
    ],
)
def test_words_phrases_beginnings_or_and_minus_mean_what_they_say(spoken: User, typed: str, count: int) -> None:
    query = search.parse(typed)
    records = search.records_of(query, Record.objects.visible_to(spoken), owner_id=spoken.pk)
    assert len(said(spoken, typed, records=records)) == count


@pytest.mark.parametrize("typed", ["cafe", "CAFÉ", "cafe\u0301 ", "nao", "NÃO ", "strasse", "Straße ", "lodz", "Łódź "])
def test_case_and_accents_do_not_matter(alice: User, typed: str) -> None:
    making.dictation(alice, "O café não fica na Straße de Łódź.")
    assert len(said(alice, typed)) == 1


@pytest.mark.parametrize(
    ("text", "typed", "marked"),
    [
        ("昨日東京都で会議がありました", "東京", "東京"),
        ("昨日東京都で会議がありました", "京都で", "京都で"),
        ("昨日東京都で会議がありました", "議", "議"),
        ("我们在北京大学学习中文", "北京大学", "北京大学"),
        ("ฉันรักภาษาไทยมาก", "ภาษาไทย", "ภาษาไทย"),
        ("버스를 타고 서울에 갔다", "서울", "서울에"),
        ("मैं हिन्दी बोलता हूँ", "हिन्दी", "हिन्दी"),
    ],
)
def test_languages_without_spaces_are_found_by_any_part_and_marked_exactly(
    alice: User, text: str, typed: str, marked: str
) -> None:
    making.dictation(alice, text, "something else 東 京")
    assert said(alice, typed) == [text]
    pieces = search.highlight(text, search.parse(typed).wanted)
    assert [piece for piece, hit in pieces if hit] == [marked]
    assert "".join(piece for piece, _ in pieces) == text


def test_filters_by_speaker_language_source_and_day(alice: User) -> None:
    record = making.dictation(alice, "one word", started_at=datetime(2026, 3, 4, 12, tzinfo=UTC))
    services.save_final(record_id=record.pk, segment=making.line("2-0", 9000, "two word", speaker="Maya Lin"))
    Record.objects.filter(pk=record.pk).update(source="file")
    search.index_record(record_id=record.pk)
    for typed, count in {
        "word speaker:maya": 1, 'word speaker:"maya lin"': 1, "word speaker:kwame": 0,
        "word speaker:kwame speaker:lin": 1, "word lang:en": 2, "word lang:EN-gb": 2, "word lang:de": 0,
        "word lang:de lang:en": 2, "word source:file": 2, "word source:stream": 0,
        "word after:2026": 2, "word after:2026-03-04": 2, "word after:2026-03-05": 0, "word before:2026-03-04": 0,
        "word before:2026-04": 2, "word after:2026-02-30": 2, "word before:never": 2,
    }.items():  # fmt: skip
        assert len(said(alice, typed)) == count, typed
    Record.objects.filter(pk=record.pk).update(started_at=datetime(2026, 3, 4, tzinfo=UTC))  # the day's first moment
    mine = Record.objects.visible_to(alice)
    kept = [
        search.restrict(search.parse(f"{side}:2026-03-04"), mine, owner_id=alice.pk).count()
        for side in ("before", "after")
    ]
    assert kept == [0, 1]


# --- who and when -------------------------------------------------------------------------------------------


def test_nobody_finds_what_is_not_theirs(alice: User, bob: User) -> None:
    mine = making.dictation(alice, "a private word", title="private title")
    for typed in ("private ", "-nothing ", "priv*", f"u{alice.pk}", f"private OR u{alice.pk}", '") OR about : ("u1'):
        query = search.parse(typed)
        assert search.find(query, owner_id=bob.pk).groups == []
        assert search.find(query, owner_id=bob.pk, by_date=True).groups == []
        assert search.find(query, owner_id=bob.pk, records=[mine.pk]).groups == []
        assert search.titled(query.every, owner_id=bob.pk, most=9) == []
        assert search.moments(query, owner_id=bob.pk, record_id=mine.pk, most=9) == []
    assert search.titled(search.parse("private").every, owner_id=alice.pk, most=9) == [mine.pk]


def test_a_final_is_found_with_its_commit_and_its_correction_instead_of_it(alice: User) -> None:
    record = making.dictation(alice, finished=False)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "the zeppelin landed"))
    assert said(alice, "zeppelin") == ["the zeppelin landed"]
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "the balloon landed"))
    assert said(alice, "zeppelin") == []
    assert said(alice, "balloon") == ["the balloon landed"]


def test_only_what_is_shown_is_found(alice: User) -> None:
    record = making.dictation(alice, "live words", "more of them")
    services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert said(alice, "live") == []
    services.put_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert said(alice, "live") == ["live words"]
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="", language="en",
        segments=[making.line("0", 0, "better words")],
    )  # fmt: skip
    assert said(alice, "words ") == ["live words"]
    services.show_version(record_id=record.pk, number=version.number)
    assert said(alice, "words ") == ["better words"]
    services.bin_record(record_id=record.pk)
    assert said(alice, "words ") == []
    services.restore_record(record_id=record.pk)
    assert said(alice, "words ") == ["better words"]
    services.reopen(record_id=record.pk)
    assert said(alice, "words ") == ["live words"]
    services.revise_speaker(record_id=record.pk, key="1-0", speaker="Maya")
    assert said(alice, "speaker:maya words ") == ["live words"]
    services.rename(record_id=record.pk, title="Another name", user_id=alice.pk)
    assert search.titled(search.parse("another").every, owner_id=alice.pk, most=9) == [record.pk]


def test_a_row_that_goes_takes_its_place_in_the_index_along(alice: User) -> None:
    record = making.dictation(alice, "some words", title="T")
    assert Passage.objects.count() == 2
    record.delete()
    assert Passage.objects.count() == 0
    assert said(alice, "words") == []


def test_a_text_beyond_all_measure_is_kept_and_its_beginning_found(alice: User) -> None:
    text = " ".join(f"{number:05}{chr(0x430 + number % 32) * 58}" for number in range(16_500))
    making.dictation(alice, text)
    assert said(alice, text.split(" ")[3]) == [text]


def test_reindex_makes_the_same_index_anew(alice: User) -> None:
    making.dictation(alice, "kept words", "東京都", title="A title")
    before = list(Passage.objects.order_by("id").values())
    Passage.objects.all().delete()
    assert said(alice, "kept") == []
    call_command("reindex", verbosity=0)
    assert list(Passage.objects.order_by("id").values()) == before
    assert said(alice, "kept") == ["kept words"]
    assert said(alice, "京都") == ["東京都"]


# --- order, pages, size -------------------------------------------------------------------------------------


def pages(user: User, typed: str) -> list[list[uuid.UUID]]:
    seen, after = [], None
    while True:
        found = search.find(search.parse(typed), owner_id=user.pk, by_date=True, after=after)
        seen.append([group.record_id for group in found.groups])
        if found.following is None:
            return seen
        after = found.following


def many(user: User, count: int, *, each: int = 1, apart: timedelta = timedelta(hours=1)) -> list[uuid.UUID]:
    begin = timezone.now() - timedelta(days=30)
    return [making.dictation(user, *["a common word"] * each, started_at=begin + i * apart).pk for i in range(count)][
        ::-1
    ]


def test_pages_by_date_follow_without_a_gap_or_a_repeat_though_more_is_said_meanwhile(alice: User) -> None:
    expected = many(alice, 25)
    query = search.parse("common ")
    first = search.find(query, owner_id=alice.pk, by_date=True)
    late = making.dictation(alice, "a common word, later")
    seen = [group.record_id for group in first.groups]
    after = first.following
    while after is not None:
        found = search.find(query, owner_id=alice.pk, by_date=True, after=after)
        seen += [group.record_id for group in found.groups]
        after = found.following
    assert seen == expected
    assert late.pk not in seen
    assert first.count == 25


def test_records_that_began_together_are_all_found(alice: User) -> None:
    expected = set(many(alice, 24, each=2, apart=timedelta(0)))
    older = making.dictation(alice, "a common word", started_at=timezone.now() - timedelta(days=99)).pk
    seen = [record_id for page in pages(alice, "common ") for record_id in page]
    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == expected | {older}


def test_a_long_record_is_one_group_however_many_moments_it_has(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_find, "_PAGE", 5)
    record = making.dictation(alice, *[f"word {i}" for i in range(12)])
    older = making.dictation(alice, "word", started_at=timezone.now() - timedelta(days=1))
    found = search.find(search.parse("word "), owner_id=alice.pk, by_date=True)
    assert [(group.record_id, group.count) for group in found.groups] == [(record.pk, 12)]
    assert texts(found) == ["word 0", "word 1", "word 2"]
    assert pages(alice, "word ") == [[record.pk], [older.pk]]
    assert len(search.moments(search.parse("word "), owner_id=alice.pk, record_id=record.pk, most=99)) == 12


def test_the_best_come_first(alice: User) -> None:
    making.dictation(alice, "a ferry among a great many other words that say nothing much about boats or the sea")
    making.dictation(alice, "ferry, ferry, ferry", started_at=timezone.now() - timedelta(days=9))
    found = search.find(search.parse("ferry "), owner_id=alice.pk)
    assert texts(found)[0] == "ferry, ferry, ferry"
    assert (found.count, found.records) == (2, 2)


def test_of_a_common_word_the_newest_are_ranked_and_the_count_is_capped(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_find, "WINDOW", 4)
    many(alice, 9)
    found = search.find(search.parse("common "), owner_id=alice.pk)
    assert (found.count, found.most, found.records, len(found.groups)) == (5, 4, None, 4)


def test_what_takes_too_long_is_stopped(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    many(alice, 3)
    monkeypatch.setattr(_engine, "LIMIT_MS", 1)
    module = type(_engine.engine()).__module__
    monkeypatch.setattr(f"{module}.LIMIT_MS", 1)
    slow = (
        "SELECT pg_sleep(2)"
        if connection.vendor == "postgresql"
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 90000000) SELECT max(i) FROM n"
    )

    def ask() -> None:
        with _engine.engine().limited(), connection.cursor() as cursor:
            cursor.execute(slow)
            cursor.fetchall()

    with pytest.raises(search.TooBroad):
        ask()
    monkeypatch.undo()
    assert search.find(search.parse("common "), owner_id=alice.pk).count == 3


# --- whatever is typed --------------------------------------------------------------------------------------

HOSTILE = [
    "", " ", '"', '""', "*", "-", "--", "OR", "OR OR", "NEAR(a b)", "a AND", "NOT a", "about : u1", "said:a", "{a b}:c",
    "a^b", "(", ")", "a:b:c", "'", "\\", "\x00", "\ud800", "a\x00b", "%", "_", "&|!<->", "a:*", "before:", "after:x",
    "speaker:", 'speaker:""', 'title:"', "before:0000-00-00", "after:9999-12-31", "before:0001", "tag:#", "a" * 10_000,
    "a " * 5000, '"a' * 3000, "-a " * 3000, "a OR " * 2000, "東" * 9000, "e\u0301" * 5000, "\u202e\u200b\u00ad",
    "speaker:a " * 900, "title:a " * 900, "lang:x " * 900, "source:y " * 900, "²½㍿ﷺ", "\u0301", "𝔉𝔢𝔯𝔯𝔶", "ﬁ",
]  # fmt: skip


def everything(user: User, typed: str) -> None:
    query = search.parse(typed)
    records = search.records_of(query, Record.objects.visible_to(user), owner_id=user.pk)
    for by_date in (False, True):
        search.find(query, owner_id=user.pk, records=records, by_date=by_date)
    search.titled(query.every, owner_id=user.pk, most=5)
    for _, _, easier in filters.easier(query, filters.Filters(q=typed, language="en")):
        search.count(easier, owner_id=user.pk)
    search.highlight("some text of 東京 ferry", query.wanted)


@pytest.mark.parametrize("typed", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_nothing_hostile_is_an_error(spoken: User, typed: str) -> None:
    everything(spoken, typed)


PIECES = st.sampled_from(['"', "*", "-", " ", ":", "OR", "speaker:", "before:", "ferry", "東京", "(", ")", "é", "\x00"])


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30).map("".join))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_typed_is_an_error(spoken: User, typed: str) -> None:
    everything(spoken, typed)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_terms_are_letters_and_digits_folded_once_and_lie_where_they_say(text: str) -> None:
    found = list(spans(text))
    assert terms(text) == [term for term, _, _ in found]
    for term, start, end in found:
        assert 0 <= start < end <= len(text)
        assert not set(term) & set(" '\"*:()&|!<>-\\\x00")
        assert fold(term) == term


@given(st.text(max_size=60), st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_marking_keeps_every_character(text: str, typed: str) -> None:
    pieces = search.highlight(text, search.parse(typed).wanted)
    assert "".join(piece for piece, _ in pieces) == text


def test_a_long_text_is_cut_around_its_hit() -> None:
    text = "start " * 100 + "needle " + "end " * 100
    pieces = search.highlight(text, search.parse("Needle ").wanted)
    shown = "".join(piece for piece, _ in pieces)
    assert shown.startswith("…start")
    assert shown.endswith("…")
    assert len(shown) < 260
    assert ("needle", True) in pieces


def test_ranking_prefers_more_of_the_words_in_less_text() -> None:
    hits = [
        _engine.Hit(i, uuid.uuid4().hex, i, said)
        for i, said in enumerate(["ferry", "a ferry or two ferry", "boat " * 40 + "ferry", "ferry boat"])
    ]
    query = search.parse("ferry OR boat ")
    assert _rank.best(hits, query.wanted, count=9)[0].id == 3
    assert len(_rank.best(hits, query.wanted, count=2)) == 2
