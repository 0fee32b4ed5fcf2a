"""Two versions side by side: what differs, what found no place on either side, and one paragraph for another."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client

from memweb.accounts.models import User
from tests.transcripts import making
from transcripts import services
from transcripts.editor import editing
from transcripts.models import Record, Version

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(alice: User) -> Record:
    """A live text of two paragraphs, shown, and a second pass of it."""
    made = making.dictation(alice, "it was the best of tines", "it was the worst of times")
    heard = [making.line("0", 0, "It was the best of times."), making.line("1", 5_000, "It was the worst of times.")]
    services.add_version(record_id=made.pk, kind=Version.Kind.SECOND_PASS, model="other", language="en", segments=heard)
    return made


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def versions(record: Record) -> tuple[Version, Version]:
    first, second = record.versions.order_by("number")
    return first, second


def compared(client: Client, record: Record, left: int, right: int) -> str:
    return html.unescape(client.get(f"/transcripts/{record.pk}/comparison/{left}/{right}/").content.decode())


def form_of(page: str, row: int) -> dict[str, object]:
    """What the button of this row sends."""
    part = page.split(f'id="row-{row}"')[1].split("</section>")[0]
    sent: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(from|to|row)" value="([^"]*)">', part):
        sent.setdefault(name, []).append(value)
    return dict(sent)


def test_what_found_no_place_is_listed_whichever_side_it_is_on(as_alice: Client, record: Record) -> None:
    live, second = versions(record)
    for version, word in ((second, "lifted"), (live, "carried")):
        Version.objects.filter(pk=version.pk).update(unplaced=[[5_000, 6_000, "buried", word]])
    for left, right in ((1, 2), (2, 1)):
        page = compared(as_alice, record, left, right)
        assert re.search(r"1 of your corrections found no place in “Second pass”.*lifted", page, re.DOTALL)
        assert re.search(r"1 of your corrections found no place in “Live text”.*carried", page, re.DOTALL)
    Version.objects.update(unplaced=[])
    assert "found no place" not in compared(as_alice, record, 1, 2)


def test_a_paragraph_is_taken_over_and_the_page_stays_at_its_row(as_alice: Client, record: Record) -> None:
    address = f"/transcripts/{record.pk}/comparison/2/1/"
    answer = as_alice.post(address, form_of(compared(as_alice, record, 2, 1), 1))
    assert (answer.status_code, answer["Location"]) == (302, f"{address}#row-1")
    assert 'id="row-1"' in compared(as_alice, record, 2, 1)
    assert next(row.text for row in versions(record)[0].segments.shown()) == "It was the best of times."


def test_a_page_that_is_older_than_anothers_words_takes_nothing_over_them(
    as_alice: Client, record: Record, bob: User
) -> None:
    live, _ = versions(record)
    sent = form_of(compared(as_alice, record, 2, 1), 1)
    editing.rewrite(version=live, keys=["1-0"], revisions=[0], text="it was the best of all", user_id=bob.pk)
    answer = as_alice.post(f"/transcripts/{record.pk}/comparison/2/1/", sent, follow=True)
    assert editing.OVERTAKEN in html.unescape(answer.content.decode())
    assert next(row.text for row in live.segments.shown()) == "it was the best of all"


def test_a_page_that_is_older_than_anothers_voice_is_told_so(as_alice: Client, record: Record, bob: User) -> None:
    live, _ = versions(record)
    editing.assign(version=live, keys=["1-0"], revisions=[0], name="Maya", user_id=bob.pk)
    answer = as_alice.post(
        f"/transcripts/{record.pk}/speaker/?version=1",
        {"segment": "1-0:0", "name": "Kwame", "reach": "onward"},
        headers={"Accept": "text/x-paragraphs"},
    )
    assert answer.status_code == 409
    assert editing.OVERTAKEN in html.unescape(answer.content.decode())
    assert "Maya" in answer.content.decode()
