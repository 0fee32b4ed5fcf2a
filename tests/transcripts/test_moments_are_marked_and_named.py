"""Marks, notes and chapters: set where the sound is, written on, taken off and put back; a provider's beside them."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from tests.house.test_hostile_text_is_shown_as_text import PAYLOADS, is_clean
from tests.transcripts import making, posting
from transcripts import services, streams
from transcripts.callbacks import applying
from transcripts.editor import marking
from transcripts.files import importing
from transcripts.models import Mark, Record, Recording, Version

pytestmark = pytest.mark.django_db
HX = {"HX-Request": "true"}


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def record(alice: User) -> Record:
    made = making.dictation(alice, *["Some words."] * 12, title="Hall")
    Recording.objects.create(record=made, path="x.flac", samples=5, size=5, pcm_sha256="0" * 64)
    return made


def at(record: Record, rest: str = "") -> str:
    return f"/transcripts/{record.pk}/marks/{rest}"


def shown(html: str) -> list[tuple[str, str]]:
    """(where, what) of each line, in order."""
    found = re.findall(r'data-go="(\d+)"><span dir="auto">(.*?)</span>', html)
    return [(where, what) for where, what in found]


def marks() -> list[tuple[int, str, bool]]:
    return list(Mark.objects.values_list("at_ms", "note", "is_chapter"))


def test_a_moment_is_marked_and_stands_beside_the_text(as_alice: Client, record: Record) -> None:
    html = as_alice.post(at(record), {"at_ms": "42000"}, headers=HX).content.decode()
    assert "Mark at 0:42." in html
    assert shown(html) == [("42000", "Marked")]
    assert shown(as_alice.get(f"/transcripts/{record.pk}/").content.decode()) == [("42000", "Marked")]
    assert 'href="#t=0:42"' in html


def test_without_scripts_each_is_a_plain_form(as_alice: Client, record: Record) -> None:
    assert as_alice.post(at(record), {"at_ms": "1000", "note": "One"})["Location"] == f"/transcripts/{record.pk}/"
    mark = Mark.objects.get()
    page = as_alice.get(at(record)).content.decode()
    assert "<html" in page
    assert f'href="/transcripts/{record.pk}/#t=0:01"' in page
    assert as_alice.post(at(record, f"{mark.pk}/"), {"note": "Two", "chapter": "on"}).status_code == 302
    assert marks() == [(1000, "Two", True)]
    assert as_alice.post(at(record, f"{mark.pk}/removal/")).status_code == 302
    assert marks() == []


def test_a_chapter_opens_for_its_title_and_the_outline_is_in_the_order_of_time(
    as_alice: Client, record: Record
) -> None:
    for where, note, chapter in ((30_000, "Late", "on"), (20_000, "A note", ""), (5000, "Early", "on")):
        html = as_alice.post(
            at(record), {"at_ms": where, "note": note, "chapter": chapter}, headers=HX
        ).content.decode()
    assert shown(html) == [("5000", "Early"), ("30000", "Late"), ("20000", "A note")]
    assert html.count('<details class="noting" open>') == 1
    assert "Chapter at 0:05." in html


def test_what_a_provider_calls_chapters_stands_among_ones_own_and_cannot_be_edited(
    alice: User, as_alice: Client, record: Record
) -> None:
    services.add_version(
        record_id=record.pk, kind=Version.Kind.TRANSCRIBED, model="best", language="en",
        segments=[making.line("0", 0, "Some words.")],
    )  # fmt: skip
    services.show_version(record_id=record.pk, number=2)
    chapters = [{"headline": "The <b>harbour</b>", "gist": "Harbour", "summary": "Of it.", "start": 9000, "end": 20000}]
    raw = json.dumps({"status": "completed", "text": "Some words.", "words": [], "chapters": chapters})
    services.keep_result(record_id=record.pk, dialect="assemblyai", raw=raw.encode())
    marking.add(record_id=record.pk, at_ms=30_000, note="Mine", is_chapter=True)
    page = as_alice.get(f"/transcripts/{record.pk}/").content.decode()
    assert f'hx-get="{at(record)}?version=2" hx-trigger="load"' in page, "it is read once the page is there"
    html = as_alice.get(at(record), headers=HX).content.decode()
    assert shown(html) == [("9000", "The &lt;b&gt;harbour&lt;/b&gt;"), ("30000", "Mine")]
    assert html.count('class="noting"') == 1
    assert "hx-trigger" not in html, "not asked for again"


def test_what_is_removed_comes_back_by_its_notice(as_alice: Client, record: Record) -> None:
    mark = marking.add(record_id=record.pk, at_ms=7000, note='A "<b>title</b>"', is_chapter=True)
    html = as_alice.post(at(record, f"{mark.pk}/removal/"), headers=HX).content.decode()
    assert "The chapter at 0:07 is removed." in html
    assert marks() == []
    notice = html[html.index("<mem-notice") :]
    fields = dict(re.findall(r'name="(at_ms|note|chapter)" value="(.*?)"', notice))
    assert fields["note"] == "A &quot;&lt;b&gt;title&lt;/b&gt;&quot;"
    assert f'action="{at(record)}"' in notice
    as_alice.post(at(record), {**fields, "note": 'A "<b>title</b>"'})
    assert marks() == [(7000, 'A "<b>title</b>"', True)]


def test_the_same_moment_twice_is_one_mark(record: Record) -> None:
    for _ in range(2):
        marking.add(record_id=record.pk, at_ms=1000)
    marking.add(record_id=record.pk, at_ms=1000, note="Named", is_chapter=True)
    marking.add(record_id=record.pk, at_ms=1000, note="Again")
    assert marks() == [(1000, "Named", True)]


def test_a_moment_lies_within_the_recording(record: Record) -> None:
    for where in (-5, 10**9):
        marking.add(record_id=record.pk, at_ms=where)
    assert [where for where, _, _ in marks()] == [0, record.duration_ms]


@pytest.mark.parametrize("where", ["", "-1", "x", "9" * 30, "1.5"])
def test_what_is_no_moment_is_refused_in_words(where: str, as_alice: Client, record: Record) -> None:
    assert "There is no such moment." in as_alice.post(at(record), {"at_ms": where}, headers=HX).content.decode()
    assert marks() == []


def test_there_can_be_too_many_and_that_is_said(
    as_alice: Client, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "MOST", 1)
    marking.add(record_id=record.pk, at_ms=1)
    html = as_alice.post(at(record), {"at_ms": "2"}, headers=HX).content.decode()
    assert marking.TOO_MANY in html
    assert len(marks()) == 1


def test_without_a_recording_what_has_times_is_marked_and_leads_to_its_words(as_alice: Client, record: Record) -> None:
    Recording.objects.all().delete()
    page = as_alice.get(f"/transcripts/{record.pk}/").content.decode()
    assert page.count('data-mark="') == 2, "both buttons"
    html = as_alice.post(at(record), {"at_ms": "42000", "chapter": "on"}, headers=HX).content.decode()
    assert shown(html) == [("42000", "Chapter")]
    assert 'data-mark="chapter"' in html
    [to] = re.findall(r'href="([^"]*)" data-go=', html)
    assert to == f"/transcripts/{record.pk}/?version=1&amp;at=42000"
    assert '<mem-moments class="sought"' in as_alice.get(to.replace("&amp;", "&")).content.decode()


@pytest.mark.parametrize("source", ["stream", "import"])
def test_streams_and_transcripts_from_elsewhere_can_be_marked(source: str, alice: User, as_alice: Client) -> None:
    if source == "stream":
        made = streams.begin(owner_id=alice.pk, title="Radio", provider="elevenlabs", task_id="t1")
        assert 'data-mark=""' not in as_alice.get(f"/transcripts/{made.pk}/").content.decode(), "nothing was said yet"
        posting.store(alice, posting.commit("t1", "The first words.", 1.0))
        applying.apply_waiting()
    else:
        captions = importing.read(name="a.srt", data=b"1\n00:00:01,000 --> 00:00:02,500\nThe first words.\n")
        made = importing.as_record(owner_id=alice.pk, name="a.srt", transcript=captions)
    assert 'data-mark=""' in as_alice.get(f"/transcripts/{made.pk}/").content.decode()
    as_alice.post(at(made), {"at_ms": "1000", "note": "Here"})
    assert marks() == [(1000, "Here", False)]


@pytest.mark.parametrize("text", [b"Only text.\n\nWithout times.", None])
def test_where_nothing_has_a_time_nothing_is_marked_anew(text: bytes | None, alice: User, as_alice: Client) -> None:
    if text is None:
        made = Record.objects.create(
            owner=alice, source="file", title="x", status="finishing", started_at=timezone.now()
        )
    else:
        made = importing.as_record(owner_id=alice.pk, name="a.txt", transcript=importing.read(name="a.txt", data=text))
    assert 'data-mark=""' not in as_alice.get(f"/transcripts/{made.pk}/").content.decode()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_notes_are_shown_as_text(payload: str, as_alice: Client, record: Record) -> None:
    sent = payload.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    for chapter in ("", "on"):
        html = as_alice.post(
            at(record), {"at_ms": 1000 + len(chapter), "note": sent, "chapter": chapter}, headers=HX
        ).content.decode()
        is_clean(html)
    is_clean(as_alice.get(f"/transcripts/{record.pk}/").content.decode())
    assert "mw-evil" in html
    html = as_alice.post(at(record, f"{Mark.objects.first().pk}/removal/"), headers=HX).content.decode()  # type: ignore[union-attr]
    is_clean(html)


def test_a_long_note_is_cut_not_refused(as_alice: Client, record: Record) -> None:
    as_alice.post(at(record), {"at_ms": "1", "note": "x" * 5000})
    assert len(marks()[0][1]) == 500


def test_nobody_else_sees_or_changes_them(bob: User, record: Record) -> None:
    mark = marking.add(record_id=record.pk, at_ms=1000, note="Private")
    client = Client()
    for rest in ("", f"{mark.pk}/", f"{mark.pk}/removal/"):
        assert client.post(at(record, rest), {"at_ms": "5"}).status_code == 302
    client.force_login(bob)
    assert client.get(at(record)).status_code == 404
    for rest in ("", f"{mark.pk}/", f"{mark.pk}/removal/"):
        assert client.post(at(record, rest), {"at_ms": "5"}).status_code == 404
    theirs = making.dictation(bob, "Mine.")
    assert client.post(at(theirs, f"{mark.pk}/"), {"note": "Bob was here"}).status_code == 404
    assert marks() == [(1000, "Private", False)]
