"""The record page, its text by chunks, its versions and its exports."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from memweb.accounts.models import User
from memweb.speech.transcript import Segment as Value
from memweb.speech.transcript import Word
from tests.transcripts import making
from transcripts import jobs, queries, recordings, services
from transcripts.editor import editing
from transcripts.models import Edit, Job, Record, Segment, Speaker, Version
from transcripts.shown.paragraphs import packed, turns, voices_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def shown(client: Client, record: Record, **query: str) -> str:
    return client.get(reverse("record", args=[record.pk]), query).content.decode()


def long(alice: User, count: int, words: int = 20) -> Record:
    record = making.dictation(alice, title="Long")
    segments = [making.line(str(i), i * 7000, " ".join(f"word{i}x{j}" for j in range(words))) for i in range(count)]
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="m", language="en", segments=segments
    )
    services.show_version(record_id=record.pk, number=version.number)
    Record.objects.filter(pk=record.pk).update(duration_ms=count * 7000)
    return record


def keys(html: str) -> list[str]:
    return re.findall(r'class="s" id="s-([^"]+)"', html)


def test_the_page_holds_the_text_with_its_times(alice: User, client: Client) -> None:
    record = making.dictation(alice, "One thing.", "Another thing.", title="Things")
    html = shown(client, record)
    assert '<h1 id="title" tabindex="-1" dir="auto">Things</h1>' in html
    assert '<span class="s" id="s-1-1" data-start="5000" data-end="5580">Another thing.</span>' in html
    assert 'data-seek="5000" aria-label="Play from 0:05">0:05</button>' in html
    assert "mem-player" not in html


def test_marked_moments_are_listed_once_in_order(alice: User, client: Client) -> None:
    record = making.dictation(alice, "One thing.")
    for at_ms in (65_000, 5_000, 65_000):
        services.add_mark(record_id=record.pk, at_ms=at_ms)
    assert re.findall(r'data-go="([^"]+)"><span dir="auto">Marked', shown(client, record)) == ["5000", "65000"]


def test_words_have_places_only_where_their_times_are_real() -> None:
    real = making.line("0", 1000, "Hello, dear world.")
    assert packed(real, real.text) == "0.6.0 1.4.300 1.6.600"
    guessed = making.line("0", 1000, "Hello, dear world.", timed=False)
    assert packed(guessed, guessed.text) == ""
    unsure = Value("0", 0, 900, "a 🛶 b", (Word("a", 0, 1, 0.2), Word("🛶", 300, 400, 0.9), Word("b", 600, 700, None)))
    assert packed(unsure, unsure.text) == "0.1.0? 1.1.300 1.1.600"
    strange = Value("0", 0, 900, "not these", (Word("other", 0, 1), Word("these", 300, 400)))
    assert packed(strange, strange.text) == "4.5.300"


def test_paragraphs_read_as_an_export_does() -> None:
    lines = [
        Value("0", 0, 900, "We went", (Word("We", 0, 100), Word("went", 200, 300)), "A", None, "en"),
        Value("1", 1000, 1900, "And home.", (Word("And", 1000, 1100), Word("home.", 1200, 1300)), "A", None, "en"),
        Value("2", 9000, 9900, "Yes.", (), "B", None, "en"),
    ]
    found = turns(lines, voices=voices_of([("A", "Anna"), ("B", "B")]))
    assert [(turn.voice.name, turn.voice.colour, len(turn.lines)) for turn in found] == [
        ("Anna", "c1", 2),
        ("B", "c2", 1),
    ]
    assert [(line.glue, line.text, line.words) for line in found[0].lines] == [
        ("", "We went", "0.2.0 1.4.200"),
        (" ", "and home.", "0.3.0 1.5.200"),
    ]
    unspaced = [
        Value(str(i), i, i + 1, text, (), None, None, "ja") for i, text in enumerate(("こんにちは。", "元気？"))
    ]
    assert [line.glue for line in turns(unspaced, voices={})[0].lines] == ["", ""]


def test_a_long_record_comes_in_parts_without_a_gap_or_a_repeat(alice: User, client: Client) -> None:
    record = long(alice, 250)
    html, seen, loads = shown(client, record), [], 0
    seen += keys(html)
    assert len(seen) == 40
    while more := re.search(r'hx-get="([^"]*segments[^"]*)"', html):
        html = client.get(more[1].replace("&amp;", "&")).content.decode()
        seen += keys(html)
        loads += 1
    assert (seen, loads) == ([str(i) for i in range(250)], 3)


def test_the_text_of_a_live_record_grows_on_its_page_until_it_is_finished(alice: User, client: Client) -> None:
    record = making.dictation(alice, finished=False)
    html = shown(client, record)
    assert "No words yet." in html
    seen = []
    for i in range(3):
        services.save_final(record_id=record.pk, segment=making.line(f"1-{i}", i * 5000, f"Phrase {i}."))
        more = re.search(r'hx-get="([^"]*segments[^"]*)" hx-trigger="every 3s"', html)
        assert more is not None
        html = client.get(more[1].replace("&amp;", "&")).content.decode()
        seen += keys(html)
        if i == 0:
            services.begin_finishing(record_id=record.pk)  # the last words come after this
    assert seen == ["1-0", "1-1", "1-2"]
    services.finish(record_id=record.pk)
    for status in (Record.Status.FINISHING, Record.Status.FAILED, Record.Status.READY):
        Record.objects.filter(pk=record.pk).update(status=status)
        assert "every 3s" not in client.get(reverse("record-segments", args=[record.pk])).content.decode()


def test_a_record_in_which_nobody_spoke_says_so(alice: User, client: Client) -> None:
    assert "Nothing was heard." in shown(client, making.dictation(alice))


def test_what_was_not_finished_can_be_finished_or_continued_from_both_pages(alice: User, client: Client) -> None:
    record = making.dictation(alice, "hello", finished=False)
    Record.objects.filter(pk=record.pk).update(last_heard_at=record.started_at - timedelta(minutes=5))
    for html in (shown(client, record), client.get(reverse("library")).content.decode()):
        assert f'action="{reverse("dictation-finish", args=[record.pk])}"' in html
        assert f'href="/?session={record.pk}"' in html


@pytest.mark.parametrize("source", Record.Source.values)
def test_only_a_dictation_can_be_gone_on_with(source: str, alice: User, client: Client) -> None:
    record = making.dictation(alice, "hello")
    Record.objects.filter(pk=record.pk).update(source=source)
    goes_on = f"/?session={record.pk}"
    assert (f'href="{goes_on}"' in shown(client, record)) == (client.get(goes_on).status_code == 200)


@pytest.mark.parametrize("place", ["x", "1", "1.x", "-1.0", "1." + "9" * 60])
def test_a_place_that_is_none_is_not_found(place: str, alice: User, client: Client) -> None:
    record = long(alice, 3)
    assert client.get(reverse("record-segments", args=[record.pk]), {"after": place}).status_code == 404


def test_a_three_hour_record_opens_light(
    alice: User, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    record = long(alice, 1500)
    shown(client, record)
    with django_assert_max_num_queries(12):
        html = shown(client, record)
    assert len(gzip.compress(html.encode(), 6)) < 15_000
    assert html.count("data-words") == 40
    chunk = client.get(reverse("record-segments", args=[record.pk]), {"after": "280000.0"}).content
    assert len(gzip.compress(chunk, 6)) < 15_000
    assert chunk.count(b"data-words") == 100
    assert 'class="w"' not in html


def test_who_speaks_is_told_in_order_with_how_long_and_where_they_are_heard_best(alice: User) -> None:
    record = making.dictation(alice)
    said = [("A", 0, 900), (None, 900, 90_000), ("B", 5000, 9000), ("A", 9000, 12_000), ("A", 20_000, 23_000)]
    segments = [
        Value(str(i), start, end, "Hello.", (), speaker, language="en") for i, (speaker, start, end) in enumerate(said)
    ]
    endless = Value("9", 30_000, 10**15, "Hello.", (), "C", language="en")
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.IMPORTED, model="", language="en", segments=[*segments, endless]
    )
    talk = [(one.speaker.label, one.spoken_ms, one.sample_ms) for one in queries.talk_time(version.pk)]
    assert talk == [("A", 6900, 9000), ("B", 4000, 5000), ("C", 10**15 - 30_000, 30_000)]
    version.segments.filter(speaker__label="A", start_ms=9000).update(removed=True)
    assert queries.talk_time(version.pk)[0][1:] == (3900, 20_000)


def test_who_speaks_is_added_up_from_an_index_alone(alice: User) -> None:
    version = long(alice, 200).versions.latest("number")
    with CaptureQueriesContext(connection) as asked:
        queries.talk_time(version.pk)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # so few rows would be read one after another
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {asked[0]['sql']}")
        plan = str(cursor.fetchall())
    assert "Index Only Scan" in plan or "USING COVERING INDEX" in plan, plan


def test_another_version_is_shown_when_asked_and_kept_when_chosen(alice: User, client: Client) -> None:
    record = long(alice, 2)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "live words", timed=False))
    assert "live words" not in shown(client, record)
    html = shown(client, record, version="1")
    assert "live words" in html
    assert "Always show this version" in html
    response = client.post(reverse("record-version", args=[record.pk]), {"number": "1"})
    assert response.headers["Location"] == reverse("record", args=[record.pk])
    assert "live words" in shown(client, record)
    assert Version.objects.filter(record=record).count() == 2


@pytest.mark.parametrize("number", ["9", "x", "", "-1", "1" * 50])
def test_a_version_that_is_none_is_not_found(number: str, alice: User, client: Client) -> None:
    record = long(alice, 1)
    assert client.post(reverse("record-version", args=[record.pk]), {"number": number}).status_code == 404
    if number:
        assert client.get(reverse("record", args=[record.pk]), {"version": number}).status_code == 404


def test_the_player_comes_by_itself_when_the_recording_is_sealed(alice: User, client: Client) -> None:
    record = making.dictation(alice, "hello", finished=False)
    making.spool(record, making.sound(2))
    services.finish(record_id=record.pk)
    html = shown(client, record)
    assert "Finishing" in html
    asked = re.search(r'hx-get="([^"]*state/[^"]*)"', html)
    assert asked is not None
    address = asked[1].replace("&amp;", "&")
    assert "mem-player" not in client.get(address).content.decode()
    jobs.run(job_id=Job.objects.get(record=record).pk, work=recordings.seal)
    answer = client.get(address).content.decode()
    assert 'id="dock" hx-swap-oob="true"' in answer
    assert "<mem-player" in answer
    again = re.search(r'hx-get="([^"]*state/[^"]*)"', answer)
    assert again is not None
    assert "<mem-player" not in client.get(again[1].replace("&amp;", "&")).content.decode()


def test_a_better_version_is_offered_and_does_not_change_the_text_being_read(alice: User, client: Client) -> None:
    record = making.dictation(alice, "live words", title="T")
    address = reverse("record-state", args=[record.pk]) + "?version=1&player=1"
    assert "Show second pass" not in client.get(address).content.decode()
    version = services.add_version(
        record_id=record.pk,
        kind=Version.Kind.SECOND_PASS,
        model="m",
        language="en",
        segments=[making.line("0", 0, "Live words.")],
    )
    services.show_version(record_id=record.pk, number=version.number)
    assert "Show second pass" in client.get(address).content.decode()


# --- exports -------------------------------------------------------------------------------------------------


def exported(client: Client, record: Record, extension: str, query: str = "") -> bytes:
    response = client.get(reverse("record-export", args=[record.pk, extension]) + query)
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment; filename")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    return response.content


def test_every_format_holds_the_words_under_the_names_people_gave(alice: User, client: Client) -> None:
    record = making.dictation(alice, title="A talk")
    for i, (label, text) in enumerate([("A", "First we speak."), ("B", "Then we listen.")]):
        services.save_final(record_id=record.pk, segment=making.line(f"1-{i}", i * 5000, text, speaker=label))
    record.speakers.filter(label="A").update(name="Anna")
    files = {
        extension: exported(client, record, extension).decode() for extension in ("txt", "md", "srt", "vtt", "csv")
    }
    for text in files.values():
        assert "First we speak." in text
        assert "Anna" in text
    assert files["txt"].startswith("A talk\n")
    assert files["md"].startswith("# A talk")
    assert files["vtt"].startswith("WEBVTT")
    assert "00:00:00,000 --> " in files["srt"]
    data = json.loads(exported(client, record, "json"))
    assert [segment["text"] for segment in data["segments"]] == ["First we speak.", "Then we listen."]


def test_a_copy_is_the_words_without_the_title(alice: User, client: Client) -> None:
    record = making.dictation(alice, "Only this.", title="A talk")
    assert exported(client, record, "txt", "?with=speakers") == b"Only this.\n"


def test_what_was_taken_back_is_in_no_export(alice: User, client: Client) -> None:
    record = making.dictation(alice, "A slip.", "A word.")
    services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    for extension in ("txt", "md", "srt", "vtt", "json", "csv"):
        assert b"slip" not in exported(client, record, extension)
    assert Edit.objects.get(record=record).before["text"] == "A slip."
    assert Segment.objects.get(version__record=record, key="1-0").text == "A slip."


def test_the_version_asked_for_is_the_one_exported(alice: User, client: Client) -> None:
    record = long(alice, 1)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "live words"))
    assert b"live words" in exported(client, record, "txt", "?version=1")
    assert b"live words" not in exported(client, record, "txt")


def test_an_unknown_format_is_not_found(alice: User, client: Client) -> None:
    record = long(alice, 1)
    for extension in ("exe", "docs", "__init__", "errors"):
        assert client.get(reverse("record-export", args=[record.pk, extension])).status_code == 404


# --- hostile text --------------------------------------------------------------------------------------------

HTMX = {"HX-Request": "true"}
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)' x=\"",
    "{{ settings.SECRET_KEY }}{% debug %}",
    "\u202eesrever\u202c \u2066isolate",
    "zero\u200bwidth\ufeff\u00ad",
    "nul\x00byte and half \ud83d pair",
    "--> 00:00:01.000 --> 00:00:02.000",
    '=HYPERLINK("http://x")',
    "w" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text_everywhere(text: str, alice: User, client: Client) -> None:
    record = making.dictation(alice, text, title=text)
    services.save_final(record_id=record.pk, segment=making.line("1-9", 60_000, text, speaker=text))
    services.rename(record_id=record.pk, title=text, user_id=alice.pk)
    pages = [
        shown(client, record),
        client.get(reverse("library")).content.decode(),
        client.get(reverse("library"), {"q": text[:20].encode("utf-8", "surrogatepass")}).content.decode(),
        client.get(reverse("record-state", args=[record.pk]), {"as": "card"}).content.decode(),
        client.post(
            reverse("record-bin", args=[record.pk]), {"as": "card"}, headers={"HX-Request": "1"}
        ).content.decode(),
    ]
    services.restore_record(record_id=record.pk)
    for html in pages:
        assert "<script>alert" not in html
        assert "<img" not in html
        assert " onmouseover='alert(1)'" not in html
        assert "SECRET_KEY" not in html or "{{ settings.SECRET_KEY }}" in html
        assert "\x00" not in html
    for extension in ("txt", "md", "srt", "vtt", "json", "csv"):
        exported(client, record, extension)


def test_a_title_cannot_leave_its_header(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", title='a"; filename="b.exe\r\nSet-Cookie: x=1')
    response = client.get(reverse("record-export", args=[record.pk, "txt"]))
    assert "Set-Cookie" not in response.headers
    day = record.started_at.date().isoformat()
    assert (
        response.headers["Content-Disposition"]
        == f'attachment; filename="{day} a ; filename= b.exe Set-Cookie x=1.txt"'
    )


# --- services ------------------------------------------------------------------------------------------------


def test_a_final_that_comes_again_replaces_itself_and_leaves_an_edit_alone(alice: User) -> None:
    record = making.dictation(alice, "first hearing")
    services.save_final(record_id=record.pk, segment=making.line("1-0", 10, "second hearing"))
    row = Segment.objects.get(version__record=record)
    assert (row.text, row.start_ms, row.order) == ("second hearing", 10, 0)
    editing.rewrite(version=row.version, keys=["1-0"], revisions=[0], text="second hearing!", user_id=alice.pk)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 10, "third hearing"))
    row.refresh_from_db()
    assert row.text == "second hearing!"


def test_finals_of_many_records_are_saved_together_as_each_would_be_alone(alice: User) -> None:
    one, two = making.dictation(alice, "one"), making.dictation(alice, "two")
    finals = [
        services.FinalRow(one.pk, making.line("1-1", 900, "more")),
        services.FinalRow(two.pk, making.line("1-1", 900, "else", speaker="A")),
        services.FinalRow(one.pk, making.line("1-1", 900, "more, revised")),
        services.FinalRow(one.pk, making.line("1-0", 5, "one, revised")),
    ]
    rows = services.save_finals(finals)
    assert [row.text for row in rows] == ["more, revised", "else", "more, revised", "one, revised"]
    for record, texts in ((one, ["one, revised", "more, revised"]), (two, ["two", "else"])):
        kept = Segment.objects.filter(version__record=record).order_by("order")
        assert [(row.order, row.text) for row in kept] == list(enumerate(texts))
    assert Segment.objects.get(text="else").speaker is not None


def test_finals_need_as_many_statements_for_ten_records_as_for_one(
    alice: User, django_assert_max_num_queries: Any
) -> None:
    records = [making.dictation(alice, "first") for _ in range(10)]
    with django_assert_max_num_queries(12):
        services.save_finals([services.FinalRow(record.pk, making.line("1-1", 900, "more")) for record in records])


def test_segments_are_found_at_their_places_and_no_others(alice: User) -> None:
    texts = making.line("1-1", 900, "more"), making.line("1-2", 1900, "and more")
    versions = []
    for record in (making.dictation(alice, "one"), making.dictation(alice, "two")):
        services.save_finals([services.FinalRow(record.pk, text) for text in texts])
        versions.append(Version.objects.live_of(record.pk).get().pk)
    wanted = [(versions[0], "1-1"), (versions[1], "1-2"), (versions[1], "none")]
    with transaction.atomic():
        found = Segment.objects.locked_at(wanted)
    assert {place: (row.version_id, row.key) for place, row in found.items()} == {p: p for p in wanted[:2]}


def test_finals_of_a_record_that_is_gone_are_refused(alice: User) -> None:
    record = making.dictation(alice, "here")
    finals = [
        services.FinalRow(uuid.uuid4(), making.line("1-1", 0, "x")),
        services.FinalRow(record.pk, making.line("1-1", 0, "y")),
    ]
    with pytest.raises(Version.DoesNotExist):
        services.save_finals(finals)
    assert Segment.objects.filter(version__record=record).count() == 1


def test_two_labels_that_are_one_voice_become_one_and_a_given_name_stays(alice: User) -> None:
    record = making.dictation(alice)
    for place, label in enumerate("AB"):
        services.save_final(record_id=record.pk, segment=making.line(f"1-{place}", place, "hello", speaker=label))
    Speaker.objects.filter(record=record, label="B").update(name="Maya")
    services.merge_labels(record_id=record.pk, gone="B", kept="A")
    services.merge_labels(record_id=record.pk, gone="never heard", kept="A")
    assert {str(row.speaker) for row in Segment.objects.filter(version__record=record)} == {"Maya"}
    services.save_final(record_id=record.pk, segment=making.line("1-2", 2, "hello", speaker="C"))
    Speaker.objects.filter(record=record, label="C").update(name="Not Maya")
    services.merge_labels(record_id=record.pk, gone="C", kept="A")
    assert {str(row.speaker) for row in Segment.objects.filter(version__record=record)} == {"Maya"}


def test_a_phrase_taken_back_can_be_put_back_and_both_are_in_the_journal(alice: User) -> None:
    record = making.dictation(alice, "a slip")
    assert services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert not services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert services.put_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert list(Edit.objects.filter(record=record).values_list("kind", flat=True)) == ["removed", "restored"]
    services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    services.save_final(record_id=record.pk, segment=making.line("1-0", 0, "a slip, revised"))
    assert Segment.objects.get(version__record=record).removed


def test_a_message_is_kept_byte_for_byte_and_once(alice: User) -> None:
    record = making.dictation(alice)
    first = services.MessageRow(
        record_id=record.pk,
        connection=1,
        sequence=0,
        offset_ms=0,
        dialect="assemblyai",
        arrived_at=record.started_at,
        raw='{"a":"\\u0000"}',
    )
    services.save_messages([first])
    services.save_messages([first._replace(raw="again")])
    services.save_messages([first._replace(sequence=1, raw=b"\x00\xff")])
    assert [bytes(message.raw) for message in record.messages.all()] == [b'{"a":"\\u0000"}', b"\x00\xff"]
