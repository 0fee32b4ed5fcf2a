"""The list: newest first, what goes on above, pages by place, states in words, hits and their absence."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import jobs, search, services
from transcripts.errors import StillLive
from transcripts.files import sample
from transcripts.models import Edit, Job, Record, Speaker
from transcripts.shown import cards, wording
from transcripts.shown.paging import Place, page
from transcripts.shown.paragraphs import Voice

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def listed(client: Client, **query: str) -> str:
    return client.get(reverse("library"), query).content.decode()


def titles(html: str) -> list[str]:
    return re.findall(r'<h3><a [^>]*dir="auto">([^<]*)<', html)


def some(alice: User, count: int) -> list[Record]:
    now = timezone.now()
    return [
        making.dictation(alice, f"words {i}", title=f"T{i:03}", started_at=now - timedelta(minutes=i))
        for i in range(count)
    ]


def test_newest_first_and_what_goes_on_above(alice: User, client: Client) -> None:
    some(alice, 3)
    old = making.dictation(
        alice, "x", title="Old, unfinished", started_at=timezone.now() - timedelta(days=9), finished=False
    )
    assert titles(listed(client)) == ["Old, unfinished", "T000", "T001", "T002"]
    Record.objects.filter(pk=old.pk).update(status=Record.Status.READY)
    assert titles(listed(client))[-1] == "Old, unfinished"


def test_what_failed_stands_under_its_day(alice: User, client: Client) -> None:
    some(alice, 2)
    old = making.dictation(alice, "x", title="Failed", started_at=timezone.now() - timedelta(days=1))
    Record.objects.filter(pk=old.pk).update(status=Record.Status.FAILED)
    html = listed(client)
    assert titles(html) == ["T000", "T001", "Failed"]
    assert "Now</h2>" not in html
    Record.objects.filter(pk=old.pk).update(pinned_at=timezone.now())
    assert titles(listed(client)) == ["Failed", "T000", "T001"]


def test_the_sample_is_offered_where_it_is_installed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Try the sample" in listed(client)
    monkeypatch.setattr(sample, "_FILE", "not-there.wav")
    assert "Try the sample" not in listed(client)
    assert client.post(reverse("upload-sample")).status_code == 404


def test_pages_follow_without_a_gap_or_a_repeat_though_records_come_in_meanwhile(alice: User, client: Client) -> None:
    some(alice, 65)
    making.dictation(alice, "x", title="Live", finished=False)
    html, seen = listed(client), []
    seen += titles(html)
    making.dictation(alice, "late", title="Came in later")
    while more := re.search(r'hx-get="[^"]*after=([^"&]+)"', html):
        response = client.get(reverse("library"), {"after": more[1]}, headers={"HX-Request": "true"})
        html = response.content.decode()
        assert "<html" not in html
        seen += titles(html)
    assert seen == ["Live", *[f"T{i:03}" for i in range(65)]]


def test_the_pages_meet_where_what_goes_on_ends(alice: User) -> None:
    some(alice, 4)
    for i in range(3):
        making.dictation(alice, "x", title=f"L{i}", finished=False, started_at=timezone.now() - timedelta(hours=i))
    for size in range(1, 9):
        place: Place | None = None
        seen: list[str] = []
        while True:
            found, place = page(Record.objects.visible_to(alice), after=place and Place.parse(str(place)), size=size)
            seen += [record.title for record in found]
            if place is None:
                break
        assert seen == ["L0", "L1", "L2", "T000", "T001", "T002", "T003"]


@pytest.mark.parametrize(
    "place", ["x", "n.1", "s.1.2", "q.1.0", "n." + "9" * 40 + ".0", "s.999999999999999999." + "0" * 32]
)
def test_a_place_that_never_was_is_not_found(place: str, alice: User, client: Client) -> None:
    assert client.get(reverse("library"), {"after": place}).status_code == 404


def test_more_works_without_a_script(alice: User, client: Client) -> None:
    some(alice, 31)
    html = listed(client)
    address = re.search(r'<a class="btn" href="([^"]*after=[^"]*)"', html)
    assert address is not None
    assert titles(client.get(address[1]).content.decode()) == ["T030"]


def test_a_page_costs_the_same_few_queries_however_long(
    alice: User, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    some(alice, 30)
    with django_assert_max_num_queries(7):
        assert len(titles(listed(client))) == 30


def test_a_voice_with_a_label_in_each_version_is_told_once(alice: User, client: Client) -> None:
    record = making.dictation(alice, "The ferry left.")
    for label, name in {"A": "Maya", "B": "", "SPEAKER_00": "maya", "SPEAKER_01": "Kwame"}.items():
        Speaker.objects.create(record=record, label=label, name=name)
    record.versions.get().segments.update(speaker=Speaker.objects.get(label="SPEAKER_00"))
    by = '<b class="c1" dir="auto">Maya</b>, <b class="c2" dir="auto">B</b> and 1 more'
    assert by in listed(client)
    (hit,) = cards.hits([search.Group(record.pk, [record.versions.get().segments.get().pk], 1)], search.parse("ferry"))
    assert hit.moments[0].voice == Voice("Maya", "c1")


def test_an_empty_library_says_how_to_begin(client: Client) -> None:
    html = listed(client)
    assert "Nothing here yet" in html
    assert 'href="/">Dictate</a>' in html
    assert html.count('type="search"') == 1  # the one in the bar


def found(html: str) -> list[str]:
    """The records that were found, without the marks in their titles."""
    headings = re.findall(r"<h3><a [^>]*>(.*?)</a></h3>", html)
    return [re.sub("</?mark>", "", heading) for heading in headings]


def test_a_search_finds_titles_and_shown_words_and_marks_them(alice: User, client: Client) -> None:
    trip = making.dictation(alice, "We took the ferry home.", title="Trip")
    making.dictation(alice, "Nothing of it.", title="Ferry times")
    making.dictation(alice, "Something else.", title="Other")
    html = listed(client, q="  FERRY ")
    assert sorted(found(html)) == ["Ferry times", "Trip"]
    assert "We took the <mark>ferry</mark> home." in html
    assert "<mark>Ferry</mark> times" in html
    assert "1 moment in 1 record, best first" in html
    assert f'href="{reverse("record", args=[trip.pk])}?at=0&amp;q=FERRY%20"' in html


def test_a_search_finds_no_words_that_were_taken_back(alice: User, client: Client) -> None:
    record = making.dictation(alice, "a secret", "a word", title="T")
    services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert found(listed(client, q="secret")) == []
    assert found(listed(client, q="word")) == ["T"]


def test_no_hit_says_so_and_offers_everything(alice: User, client: Client) -> None:
    making.dictation(alice, "words")
    html = listed(client, q="zeppelin")
    assert "Nothing recorded here says “<bdi>zeppelin</bdi>”." in html
    assert "1 record" in html


def test_a_search_answers_htmx_with_the_shelf_alone(alice: User, client: Client) -> None:
    making.dictation(alice, "words", title="T")
    response = client.get(reverse("library"), {"q": "wor"}, headers={"HX-Request": "true", "HX-Target": "shelf"})
    assert "<html" not in response.content.decode()
    assert found(response.content.decode()) == ["T"]


@pytest.mark.parametrize("words", ["%", "_", "\\", "'", '"', "\x00", "\ud800", "(", "[", "*", "a" * 5000, "%00"])
def test_no_search_is_an_error(words: str, alice: User, client: Client) -> None:
    making.dictation(alice, "plain words")
    response = client.get(reverse("library"), {"q": words.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200
    assert titles(response.content.decode()) in ([], ["Dictation, " + wording.moment(timezone.now())])


# --- states -------------------------------------------------------------------------------------------------


def state(record: Record) -> wording.State:
    record.refresh_from_db()
    edited = Edit.objects.filter(record=record).exclude(kind="title").exists()
    return wording.state_of(record, record.jobs.order_by("id"), edited=edited, now=timezone.now())


def test_a_record_says_how_it_stands_in_words(alice: User) -> None:
    record = making.dictation(alice, "x", finished=False)
    services.attend({record.pk: 1000})
    assert (state(record).words, state(record).look, state(record).changes) == ("Live", "live", True)
    Record.objects.filter(pk=record.pk).update(last_heard_at=timezone.now() - timedelta(minutes=2))
    assert (state(record).words, state(record).can_continue) == ("Not finished", True)
    services.finish(record_id=record.pk)
    assert (state(record).words, state(record).changes) == ("Finishing", True)
    Job.objects.filter(record=record).update(status="done")
    Record.objects.filter(pk=record.pk).update(status="ready")
    assert (state(record).words, state(record).changes) == ("Ready", False)
    job = jobs.enqueue(record_id=record.pk, kind=Job.Kind.SECOND_PASS)
    assert (state(record).words, state(record).changes) == ("Waiting for the second pass", True)
    jobs.take(job_id=job.pk, holder="a")
    jobs.renew(job_id=job.pk, holder="a", progress=41)
    assert (state(record).words, state(record).percent) == ("Second pass 41 %", 41)
    jobs.fail(job_id=job.pk, holder="a", reason="No engine.", final=True)
    assert (state(record).words, state(record).reason, state(record).can_retry) == (
        "Ready",
        "No second pass. No engine.",
        True,
    )
    services.take_back(record_id=record.pk, key="1-0", user_id=alice.pk)
    assert state(record).words == "Ready, edited"


def test_a_row_asks_again_only_while_it_changes(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", title="T")
    assert "every 3s" not in listed(client)
    jobs.enqueue(record_id=record.pk, kind=Job.Kind.SECOND_PASS)
    html = listed(client)
    assert f'hx-get="{reverse("record-state", args=[record.pk])}?as=card"' in html
    row = client.get(reverse("record-state", args=[record.pk]), {"as": "card"}).content.decode()
    assert "Waiting for the second pass" in row
    assert row.strip().startswith("<li")
    Job.objects.update(status="done")
    assert "every 3s" not in client.get(reverse("record-state", args=[record.pk]), {"as": "card"}).content.decode()


def test_retry_from_the_row_starts_over(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", finished=False)
    services.finish(record_id=record.pk)
    job = Job.objects.get(record=record)
    jobs.take(job_id=job.pk, holder="a")
    jobs.fail(job_id=job.pk, holder="a", reason="The disk is full.", final=True)
    html = listed(client)
    assert "Failed while saving" in html
    assert "The disk is full." in html
    response = client.post(reverse("record-retry", args=[record.pk]), {"as": "card"}, headers={"HX-Request": "true"})
    assert "Finishing" in response.content.decode()


# --- what can be done from a row -----------------------------------------------------------------------------


def test_a_record_is_renamed_in_its_row_and_the_journal_keeps_the_former_title(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", title="Before")
    response = client.post(
        reverse("record-title", args=[record.pk]),
        {"title": "  After \n all ", "as": "card"},
        headers={"HX-Request": "true"},
    )
    assert titles(response.content.decode()) == ["After all"]
    edit = Edit.objects.get(record=record)
    assert (edit.before, edit.after, edit.user) == ({"title": "Before"}, {"title": "After all"}, alice)


def test_the_bin_gives_back_what_it_got(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", title="Gone & back")
    response = client.post(reverse("record-bin", args=[record.pk]), {"as": "card"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "“Gone &amp; back” is in the bin." in html
    restoration = reverse("record-restoration", args=[record.pk])
    assert f'<form method="post" action="{restoration}">' in html
    assert titles(listed(client)) == []
    assert client.post(restoration, headers={"HX-Request": "true"}).headers["HX-Redirect"] == reverse("library")
    assert titles(listed(client)) == ["Gone &amp; back"]
    assert record.versions.count() == 1


def test_from_its_page_a_record_goes_to_the_bin_and_the_library_offers_the_way_back(
    alice: User, client: Client
) -> None:
    record = making.dictation(alice, "x", title="Gone")
    html = client.post(reverse("record-bin", args=[record.pk]), follow=True).content.decode()
    assert "“Gone” is in the bin." in html
    assert f'action="{reverse("record-restoration", args=[record.pk])}"' in html


def test_the_address_of_a_record_in_the_bin_offers_the_way_back(alice: User, bob: User, client: Client) -> None:
    record = making.dictation(alice, "x", title="Gone & back")
    services.bin_record(record_id=record.pk)
    client.force_login(alice)
    page = client.get(reverse("record", args=[record.pk]))
    assert page.status_code == 404
    assert "<bdi>Gone &amp; back</bdi> is in the bin" in page.content.decode()
    client.force_login(bob)
    others = client.get(reverse("record", args=[record.pk]))
    assert others.status_code == 404
    assert "Gone" not in others.content.decode(), "what others threw away is nobody's to know"
    client.force_login(alice)
    back = client.post(reverse("record-restoration", args=[record.pk]), {"back": ""}, follow=True)
    assert back.redirect_chain == [(reverse("record", args=[record.pk]), 302)]
    assert back.status_code == 200


def test_what_is_being_spoken_does_not_go_to_the_bin(alice: User, client: Client) -> None:
    record = making.dictation(alice, "x", finished=False)
    with pytest.raises(StillLive):
        services.bin_record(record_id=record.pk)
    response = client.post(reverse("record-bin", args=[record.pk]), follow=True)
    assert "Finish it first" in response.content.decode()
    record.refresh_from_db()
    assert record.deleted_at is None


# --- small words ---------------------------------------------------------------------------------------------


def test_lengths_are_written_as_people_write_them() -> None:
    assert [wording.clock(ms) for ms in (0, 7_999, 797_000, 3_735_000, -5)] == [
        "0:00",
        "0:07",
        "13:17",
        "1:02:15",
        "0:00",
    ]
    assert [wording.spell(ms) for ms in (0, 1000, 59_999, 3_600_000, 345_600_000)] == [
        "0 seconds", "1 second", "59 seconds", "1 hour", "96 hours",
    ]  # fmt: skip


def test_sizes_are_written_as_people_write_them() -> None:
    sizes = (0, 31_000, 512_000, 999_499, 999_500, 3_400_000, 99_900_000, 412_300_000, 999_500_000, 1_200_000_000)
    assert [wording.megabytes(size) for size in sizes] == [
        "1 kB", "31 kB", "512 kB", "999 kB", "1 MB", "3.4 MB", "99.9 MB", "412 MB", "1 GB", "1.2 GB",
    ]  # fmt: skip


def test_a_language_has_its_name_or_keeps_its_code() -> None:
    assert [wording.language(code) for code in ("en", "de", "pt-BR", "en-AU", "xx", "")] == [
        "English", "German", "Brazilian Portuguese", "Australian English", "xx", "",
    ]  # fmt: skip
