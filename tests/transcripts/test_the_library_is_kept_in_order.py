"""Filters, orders, tags, pins, the archive and the bin: one record or many, by plain forms, and only one's own."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import recordings, seeding, services
from transcripts.models import Passage, Record, Segment, Tag
from transcripts.shown.filters import Filters
from transcripts.shown.paging import ORDERS, Place, page
from transcripts.views import library, selection

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def listed(client: Client, **query: str) -> list[str]:
    html = client.get(reverse("library"), query).content.decode()
    return re.findall(r'<h3><a [^>]*dir="auto">([^<]*)<', html)


def do(client: Client, deed: str, *records: Record, **more: str) -> str:
    """What the page says after it."""
    ids = [str(record.pk) for record in records]
    response = client.post(reverse("selection"), {"deed": deed, "id": ids, **more}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def three(alice: User) -> list[Record]:
    now = timezone.now()
    return [
        making.dictation(alice, f"words {name}", title=name, started_at=now - timedelta(hours=i))
        for i, name in enumerate("ABC")
    ]


# --- deeds --------------------------------------------------------------------------------------------------


def test_what_is_pinned_stands_above_the_rest(alice: User, client: Client) -> None:
    *_, last = three(alice)
    assert "1 record pinned." in do(client, "pin", last)
    assert listed(client) == ["C", "A", "B"]
    do(client, "unpin", last)
    assert listed(client) == ["A", "B", "C"]


def test_what_is_archived_leaves_the_list_and_is_still_found(alice: User, client: Client) -> None:
    a, b, _ = three(alice)
    assert "2 records in the archive" in do(client, "archive", a, b)
    assert listed(client) == ["C"]
    assert sorted(listed(client, q="words ")) == ["A", "B", "C"]
    assert listed(client, shelf="archive") == ["A", "B"]
    assert listed(client, shelf="archive", q="words ") != listed(client, q="words ")
    do(client, "unarchive", a, b)
    assert listed(client) == ["A", "B", "C"]


def test_tags_are_given_shown_filtered_by_and_taken_off(alice: User, client: Client) -> None:
    a, b, _ = three(alice)
    do(client, "tag", a, b, tag=" #Radio ")
    do(client, "tag", a, tag="radio")
    assert [tag.name for tag in Tag.objects.all()] == ["Radio"]
    assert listed(client, tag="radio") == listed(client, q="tag:RADIO") == ["A", "B"]
    assert sorted(listed(client, q="words tag:radio ")) == ["A", "B"]
    assert ">Radio</a>" in client.get(reverse("library")).content.decode()
    do(client, "untag", a, b, tag="radio")
    assert listed(client, tag="radio") == []
    assert not Tag.objects.exists()
    assert "0 records tagged." in do(client, "tag", a, tag=" # ")


def test_the_bin_gives_many_back(alice: User, client: Client) -> None:
    a, b, _ = three(alice)
    live = making.dictation(alice, "live", title="Live", finished=False)
    said = do(client, "bin", a, b, live)
    assert "2 records in the bin." in said
    assert "finish first" in said
    assert listed(client) == ["Live", "C"]
    assert listed(client, q="words ") == ["C"]
    html = client.get(reverse("bin")).content.decode()
    assert ">A</b>" in html
    do(client, "restore", a, b)
    assert sorted(listed(client, q="words ")) == ["A", "B", "C"]


@pytest.mark.parametrize("deed", ["pin", "archive", "tag"])
def test_what_lies_in_the_bin_is_left_as_it_is(deed: str, alice: User, client: Client) -> None:
    """Its page may be open in another tab; out of the bin it comes as it went in."""
    one, other, _ = three(alice)
    services.bin_record(record_id=one.pk)
    assert "1 record " in do(client, deed, one, other, tag="radio")
    one.refresh_from_db()
    assert (one.pinned_at, one.archived_at, one.tags.count()) == (None, None, 0)


def test_deleting_for_good_asks_first_and_takes_the_recording_along(
    alice: User, client: Client, django_capture_on_commit_callbacks: object
) -> None:
    a, b, _ = three(alice)
    spool = making.spool(a, making.sound(0.2))
    assert recordings.spool_path(a.pk) == spool
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert "0 records deleted for good." in do(client, "erase", a)  # it is not in the bin
    do(client, "bin", a)
    html = client.post(reverse("bin-farewell"), {"id": str(a.pk)}).content.decode()
    assert "Delete 1 record for good?" in html
    assert "Nobody can bring them back" in html
    assert Record.objects.filter(pk=a.pk).exists()
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert "1 record deleted for good." in do(client, "erase", a, b)
    assert not Record.objects.filter(pk=a.pk).exists()
    assert not Segment.objects.filter(version__record_id=a.pk).exists()
    assert not Passage.objects.filter(record_id=a.pk).exists()
    assert not Path(spool).exists()
    assert Record.objects.filter(pk=b.pk).exists()


def test_a_list_whose_records_are_all_archived_leads_to_them(alice: User, client: Client) -> None:
    do(client, "archive", *three(alice))
    page = client.get(reverse("library")).content.decode()
    assert "Nothing here yet" not in page
    assert "3 records lie in the" in page
    assert "?shelf=archive" in page
    assert "<h1>Library</h1>" in page
    assert 'type="search" name="q"' in page.split("<main")[1]
    archive = client.get(reverse("library"), {"shelf": "archive"}).content.decode()
    assert ("<title>Library" in page, "<title>Archive" in archive) == (True, True)


@pytest.mark.parametrize("deed", ["pin", "archive", "tag", "bin", "restore", "erase"])
def test_nobody_does_anything_to_what_is_not_theirs(deed: str, alice: User, bob: User, client: Client) -> None:
    theirs = making.dictation(bob, "words", title="Theirs")
    gone = making.dictation(bob, "words", title="Gone")
    services.bin_record(record_id=gone.pk)
    before = list(Record.objects.order_by("pk").values())
    do(client, deed, theirs, gone, tag="x")
    assert list(Record.objects.order_by("pk").values()) == before
    assert not theirs.tags.exists()


def test_all_that_the_filters_keep_can_be_chosen_at_once(alice: User, client: Client) -> None:
    a, *_ = three(alice)
    do(client, "tag", a, tag="one")
    do(client, "archive", every="?tag=one")
    assert listed(client) == ["B", "C"]
    do(client, "archive", every="?")
    assert listed(client) == []


def test_what_a_search_keeps_is_chosen_by_the_list_it_brings(alice: User, client: Client) -> None:
    """A search swaps the list alone: its filters must come along, or "Select all" is what the first list kept."""
    a, *_ = three(alice)
    do(client, "tag", a, tag="one")
    page_, typed = reverse("library"), {"q": "tag:one "}
    part = client.get(page_, typed, headers={"HX-Request": "true", "HX-Target": "shelf"}).content.decode()
    assert "<html" not in part
    for html in (part, client.get(page_, typed).content.decode()):
        inputs = re.findall(r'<input type="hidden" name="(back|every)" value="([^"]*)" form="selection"', html)
        assert dict(inputs) == {"back": "/transcripts/?q=tag%3Aone+", "every": "?q=tag%3Aone+"}
        assert len(re.findall(r'name="(?:back|every)"', html)) == 2
    do(client, "archive", every=dict(inputs)["every"])
    assert listed(client) == ["B", "C"]


@pytest.mark.parametrize(
    ("form", "status"), [({"deed": "x"}, 400), ({"deed": "pin", "id": "x"}, 400), ({"deed": "pin"}, 302)]
)
def test_a_form_that_makes_no_sense_changes_nothing(form: dict[str, str], status: int, client: Client) -> None:
    assert client.post(reverse("selection"), form).status_code == status


@pytest.mark.parametrize("back", ["https://elsewhere.example/transcripts/", "//elsewhere.example", "/settings/", "x"])
def test_after_a_deed_nobody_is_led_elsewhere(back: str, alice: User, client: Client) -> None:
    (record, *_) = three(alice)
    response = client.post(reverse("selection"), {"deed": "pin", "id": str(record.pk), "back": back})
    assert response.headers["Location"] == reverse("library")


# --- filters and orders -------------------------------------------------------------------------------------


def test_each_chip_keeps_what_it_says(alice: User, client: Client) -> None:
    a, b, c = three(alice)
    Record.objects.filter(pk=a.pk).update(source="file", duration_ms=7_200_000)
    Record.objects.filter(pk=b.pk).update(language="pt", started_at=timezone.now() - timedelta(days=40))
    services.save_final(record_id=c.pk, segment=making.line("9-9", 99_000, "said", speaker="Maya"))
    Record.objects.filter(pk=c.pk).update(status="failed", duration_ms=9000)
    for chosen, names in {
        "source=file": ["A"], "language=pt": ["B"], "speaker=maya": ["C"], "state=failed": ["C"], "length=hours": ["A"],
        "length=short": ["C", "B"], "date=month": ["A", "C"], "date=year": ["A", "C", "B"],
        "sort=oldest": ["B", "C", "A"],
        "sort=longest": ["A", "C", "B"], "q=lang:en": ["A", "C"], "q=source:file": ["A"], "q=speaker:maya": ["C"],
        "source=nonsense": ["A", "C", "B"], "q=title:a": ["A"], "q=after:2999": [],
    }.items():  # fmt: skip
        assert listed(client, **QueryDict(chosen).dict()) == names, chosen  # type: ignore[arg-type]


def test_the_choices_of_a_chip_come_from_what_there_is(alice: User, bob: User, client: Client) -> None:
    a, *_ = three(alice)
    services.save_final(record_id=a.pk, segment=making.line("9-9", 99_000, "said", speaker="S1"))
    a.speakers.update(name="Maya Lin")
    do(client, "tag", a, tag="radio")
    making.dictation(bob, "x").speakers.create(label="S", name="Bob's friend")
    for name, label in {"speaker": "Maya Lin", "tag": "#radio", "language": "English"}.items():
        html = client.get(reverse("library-choices", args=[name]) + "?source=file").content.decode()
        assert f">{label}</a>" in html
        assert "Bob" not in html
        assert "source=file" in html
        part = client.get(reverse("library-choices", args=[name]), headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in part
    assert client.get(reverse("library-choices", args=["x"])).status_code == 404


@pytest.mark.parametrize("order", ORDERS)
def test_in_every_order_the_pages_meet(order: str, alice: User) -> None:
    records = three(alice) + three(alice)
    Record.objects.filter(pk=records[1].pk).update(pinned_at=timezone.now(), duration_ms=9)
    Record.objects.filter(pk=records[2].pk).update(status="failed", duration_ms=9)
    whole, none = page(Record.objects.visible_to(alice), after=None, size=50, order=order)
    assert none is None
    for size in (1, 2, 4):
        seen: list[Record] = []
        place: Place | None = None
        while True:
            found, place = page(
                Record.objects.visible_to(alice), after=place and Place.parse(str(place)), size=size, order=order
            )
            seen += found
            if place is None:
                break
        assert seen == whole


def test_no_hits_offer_the_nearest_search_that_finds_something(alice: User, client: Client) -> None:
    record = making.dictation(alice, "the ferry", "a timetable")
    services.save_final(record_id=record.pk, segment=making.line("9-9", 99_000, "nothing", speaker="Maya"))
    html = client.get(reverse("library"), {"q": "ferry timetable "}).content.decode()
    assert "Nothing recorded here says" in html
    offered = dict(re.findall(r'<li><span>([^<]*)</span><a class="link num" href="([^"]*)">', html))
    assert list(offered) == ["Any of these words: ferry, timetable", "Only ferry", "Only timetable"]
    assert "2 moments" in client.get(offered["Any of these words: ferry, timetable"]).content.decode()
    html = client.get(reverse("library"), {"q": "ferry timetable"}).content.decode()  # the last word may go on
    assert ["<span>Only timetable</span>" in html, "Any of these words: ferry, timetable<" in html] == [True, True]
    assert "q=timetable*" in html.replace("%2A", "*")
    html = client.get(reverse("library"), {"q": "ferry ", "speaker": "Maya"}).content.decode()
    assert "<bdi>Maya</bdi> has not said" in html
    assert "Anyone saying “ferry”" in html


def test_a_url_of_filters_reads_back_as_it_was() -> None:
    chosen = Filters(q='a "b c" ', date="week", language="pt", speaker="Maya & Co", tag="#x", sort="date")
    assert Filters.of(QueryDict(chosen.url().lstrip("?"))) == chosen
    assert Filters().url() == "?"


def test_a_record_opens_at_the_moment_and_knows_the_others(alice: User, client: Client) -> None:
    record = making.dictation(alice, "the ferry", "no", "a ferry")
    html = client.get(reverse("record", args=[record.pk]), {"at": "10000", "q": "ferry "}).content.decode()
    assert 'data-at="10000" data-moments="0 10000 "' in html
    for at in ("x", "-1", "9" * 30):
        assert "mem-moments" not in client.get(reverse("record", args=[record.pk]), {"at": at}).content.decode()


def test_many_records_are_seeded_and_found(alice: User, client: Client) -> None:
    seeding.many(owner_id=alice.pk, records=40, each=3)
    assert Record.objects.count() == 40
    assert Segment.objects.count() == 120
    html = client.get(reverse("library"), {"q": "the ", "sort": "date"}).content.decode()
    assert "moments, newest first" in html
    assert len(listed(client)) == 30


def test_the_bin_has_as_many_pages_as_it_takes(alice: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BINNED", 2)
    do(client, "bin", *three(alice))
    first = client.get(reverse("bin")).content.decode()
    assert "3 records, 1 to 2" in first
    assert 'href="?page=2">Older' in first
    second = client.get(reverse("bin"), {"page": "2"}).content.decode()
    names = [re.findall(r'<b dir="auto">(\w)</b>', page) for page in (first, second)]
    assert sorted(names[0] + names[1]) == ["A", "B", "C"]
    assert ("Older" in second, 'href="?page=1">Newer' in second) == (False, True)
    back = re.search(r'name="back" value="([^"]+)"', second)
    assert back is not None
    kept = Record.objects.get(title=names[1][0])
    assert "1 record back in the library" in do(client, "restore", kept, back=back[1])
    assert client.get(reverse("bin"), {"page": "nonsense"}).status_code == 200


def test_a_full_list_of_choices_says_how_the_rest_is_typed(
    alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "CHOICES", 2)
    a, b, c = three(alice)
    url = reverse("library-choices", args=["tag"])
    for record, tag in ((a, "one"), (b, "two")):
        do(client, "tag", record, tag=tag)
    assert "There are more" not in client.get(url).content.decode()
    do(client, "tag", c, tag="zwei")
    page = client.get(url).content.decode()
    assert "There are more. Type one into the search, as tag:radio" in page
    assert "#zwei" not in page


def test_more_in_one_record_is_a_page_of_its_own(alice: User, client: Client) -> None:
    record = making.dictation(alice, *["the ferry"] * 5, title="Crossing")
    url = reverse("record-moments", args=[record.pk])
    page = client.get(url, {"q": "ferry"}).content.decode()
    assert "<h1>Found in one record</h1>" in page
    assert page.count("<mark>ferry</mark>") == 5
    assert "/transcripts/?q=ferry" in page
    part = client.get(url, {"q": "ferry"}, headers={"HX-Request": "true"})
    assert "<h1>" not in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]
