"""What a person asks of an export and how it is remembered; many records as one zip; what providers said, unchanged."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import tracemalloc
import uuid
import zipfile
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpResponseBase
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from memweb.accounts import services as accounts
from memweb.accounts.models import User
from memweb.streamed import gathered
from tests.transcripts import making, posting
from transcripts import services
from transcripts.callbacks.inbox import Callback
from transcripts.editor import marking
from transcripts.models import Job, Record, Recording, Segment, Version
from transcripts.taken_away import bundles, exports
from transcripts.taken_away.exports import Wanted

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
HOSTILE_TITLE = '../../<b>x</b>\u202e"q"\x00:*?|\\ CON \n' + "\U0001f600" * 200


@pytest.fixture
def client(alice: User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


@pytest.fixture
def talk(alice: User) -> Record:
    """Two voices, one named; four segments in three paragraphs."""
    record = making.dictation(alice, title="A talk")
    said = [("A", "First we speak."), ("A", "And speak on, about many a thing."), ("B", "Then we hear."), ("A", "Yes.")]
    for i, (label, text) in enumerate(said):
        services.save_final(record_id=record.pk, segment=making.line(f"1-{i}", i * 2200, text, speaker=label))
    record.speakers.filter(label="A").update(name="Anna")
    Record.objects.filter(pk=record.pk).update(status="ready", duration_ms=12_000)
    record.refresh_from_db()
    return record


def body(response: HttpResponseBase) -> bytes:
    """What is sent, whole or as it is made."""
    if not response.streaming:
        return response.content  # type: ignore[attr-defined, no-any-return]

    async def collected() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])  # type: ignore[attr-defined]

    return async_to_sync(collected)()


def taken(client: Client, record: Record, extension: str, query: str = "") -> bytes:
    response = client.get(reverse("record-export", args=[record.pk, extension]) + query)
    assert response.status_code == 200
    return body(response)


# --- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?with=", "First we speak. And speak on, about many a thing.\n\nThen we hear.\n\nYes.\n"),
        ("?with=title", "A talk\n\nFirst we speak. And speak on, about many a thing.\n\nThen we hear.\n\nYes.\n"),
        (
            "?with=speakers&with=times&with=paragraphs",
            "[0:00] Anna: First we speak. And speak on, about many a thing.\n\n[0:04] B: Then we hear.\n\n"
            "[0:06] Anna: Yes.\n",
        ),
        (
            "?with=times",
            "[0:00] First we speak.\n\n[0:02] And speak on, about many a thing.\n\n[0:04] Then we hear.\n\n"
            "[0:06] Yes.\n",
        ),
    ],
)
def test_a_text_has_what_is_asked_for(query: str, expected: str, talk: Record, client: Client) -> None:
    if query in ("?with=", "?with=title"):
        query += "&with=paragraphs"
    assert taken(client, talk, "txt", query).decode() == expected


def test_captions_keep_to_their_rules_and_words_have_their_times(talk: Record, client: Client) -> None:
    srt = taken(client, talk, "srt", "?columns=16&lines=1&with=").decode()
    said = [line for block in srt.split("\n\n") for line in block.strip().split("\n")[2:]]
    assert max(map(len, said)) <= 16
    assert all(len(block.strip().split("\n")) == 3 for block in srt.split("\n\n"))
    assert "Anna" not in srt
    assert "Anna" in taken(client, talk, "srt", "?with=speakers").decode()
    slow, quick = (taken(client, talk, "srt", f"?with=&speed={speed}").decode() for speed in (5, 60))
    assert slow.index("-->") == quick.index("-->")
    assert slow != quick
    assert "<00:00:00.300>we" in taken(client, talk, "vtt", "?with=words").decode()
    rows = list(csv.DictReader(io.StringIO(taken(client, talk, "csv", "?with=words").decode("utf-8-sig"))))
    assert rows[1] == {"start": "00:00:00.300", "end": "00:00:00.580", "word": "we"}


def test_every_format_is_there(talk: Record, client: Client) -> None:
    for extension in exports.NAMES:
        response = client.get(reverse("record-export", args=[talk.pk, extension]))
        assert response.status_code == 200
        assert response.headers["Content-Disposition"].endswith(f'A talk.{extension}"')
        assert len(body(response)) > 50


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "with=music",
            "There is no “music” to put into a file. There are title, speakers, times, words, paragraphs, marks.",
        ),
        ("columns=5", "Letters a line: a whole number from 16 to 100."),
        ("columns=", "Letters a line: a whole number from 16 to 100."),
        ("columns=٤٢", "Letters a line: a whole number from 16 to 100."),
        ("lines=1.5", "Lines: a whole number from 1 to 3."),
        ("speed=" + "9" * 5000, "Letters a second: a whole number from 5 to 60."),
        ("speed=-5", "Letters a second: a whole number from 5 to 60."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(query: str, sentence: str, talk: Record, client: Client) -> None:
    response = client.get(f"{reverse('record-export', args=[talk.pk, 'srt'])}?{query}")
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode() == sentence
    address = reverse("record-export-form", args=[talk.pk])
    page = client.post(address, {"format": "srt", **dict([query.split("=")])})
    assert page.status_code == 400
    assert html.escape(sentence) in page.content.decode()
    assert 'value="srt" checked' in page.content.decode()  # nothing else that was chosen is lost
    assert accounts.preferences_of(User.objects.get(username="alice")).export_options == {}


# --- the form ------------------------------------------------------------------------------------------------


def test_the_choices_are_remembered_and_lead_to_the_file(talk: Record, client: Client, alice: User) -> None:
    address = reverse("record-export-form", args=[talk.pk])
    chosen = {"format": "vtt", "with": ["", "speakers", "words"], "columns": "30", "lines": "1", "speed": "15"}
    answer = client.post(f"{address}?version=1", chosen)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("record-export", args=[talk.pk, "vtt"]) + "?")
    assert body(client.get(answer.headers["Location"])) == taken(
        client, talk, "vtt", "?with=speakers&with=words&columns=30&lines=1&speed=15"
    )
    kept = exports.remembered(User.objects.get(pk=alice.pk))
    assert kept == Wanted("vtt", False, True, False, True, False, 30, 1, 15, marks=False)
    page = client.get(address).content.decode()
    assert 'value="vtt" checked' in page
    assert 'name="columns" value="30"' in page
    assert re.search(r'value="words" checked', page)
    assert not re.search(r'value="times" checked', page)
    # and a link that says nothing gives the file as it was last
    assert taken(client, talk, "vtt") == taken(client, talk, "vtt", "?with=speakers&with=words&columns=30&lines=1")


@pytest.mark.parametrize(
    "kept", [None, 5, [], {"format": "exe", "columns": 10**9, "times": "yes", "lines": True, "speed": None, "x": 1}]
)
def test_what_makes_no_sense_in_a_memory_is_left_at_its_default(kept: object) -> None:
    wanted = Wanted.read(kept)
    assert wanted == Wanted() or (kept and wanted == Wanted(lines=1))


@pytest.mark.parametrize("extension", exports.NAMES)
def test_the_form_shows_how_the_very_file_begins(extension: str, talk: Record, client: Client) -> None:
    address = reverse("record-export-form", args=[talk.pk])
    look = client.get(
        address, {"format": extension, "with": ["", "speakers"]}, headers={**HTMX, "HX-Target": "export-look"}
    ).content.decode()
    found = re.search(r"<pre[^>]*>(.*?)</pre>", look, re.DOTALL)
    assert found
    shown = html.unescape(found[1])
    of = "txt" if extension in ("docx", "pdf", "html") else extension
    file = taken(client, talk, of, "?with=speakers").decode("utf-8-sig").replace("\r\n", "\n")
    assert shown.removesuffix("\n…")
    assert file.startswith(shown.replace("\r\n", "\n").removesuffix("\n…"))
    assert ("without its looks" in look) == (extension in ("docx", "pdf", "html"))
    assert f"Save {exports.NAMES[extension][0]}" in look
    assert 'id="export-foot" hx-swap-oob="true"' in look
    assert ("data-copy" in look) == (extension not in ("docx", "pdf"))


def test_a_bad_number_is_told_where_the_beginning_would_be(talk: Record, client: Client) -> None:
    look = client.get(
        reverse("record-export-form", args=[talk.pk]),
        {"format": "srt", "columns": "5"},
        headers={**HTMX, "HX-Target": "export-look"},
    )
    assert look.status_code == 200  # htmx shows nothing of a refusal
    assert "Letters a line: a whole number from 16 to 100." in look.content.decode()
    assert "<pre" not in look.content.decode()


def test_the_dialog_is_a_form_that_works_by_itself(talk: Record, client: Client) -> None:
    address = reverse("record-export-form", args=[talk.pk])
    page = client.get(address).content.decode()
    assert "<h1" in page
    assert page.count('type="radio" name="format"') == len(exports.NAMES)
    assert '<noscript><button class="btn" name="show" value="1">' in page
    shown = client.post(address, {"format": "srt", "with": "", "show": "1"})
    assert shown.status_code == 200
    assert "00:00:00,000 --&gt; " in shown.content.decode()
    assert accounts.preferences_of(User.objects.get(username="alice")).export_options == {}
    part = client.get(address, headers={**HTMX, "HX-Target": "export"}).content.decode()
    assert "<h2" in part
    assert "<html" not in part
    assert f'href="{address}?version=1" hx-get=' in client.get(reverse("record", args=[talk.pk])).content.decode()


def test_another_version_is_exported_as_it_is(talk: Record, client: Client) -> None:
    services.add_version(
        record_id=talk.pk, kind=Version.Kind.SECOND_PASS, model="m", language="en",
        segments=[making.line("0", 0, "Other words.")],
    )  # fmt: skip
    address = reverse("record-export-form", args=[talk.pk])
    page = client.get(address, {"version": "2"}).content.decode()
    assert "Other words." in page
    answer = client.post(f"{address}?version=2", {"format": "txt", "with": ""})
    assert body(client.get(answer.headers["Location"])) == b"Other words.\n"
    assert client.get(address, {"version": "9"}).status_code == 404


def test_a_record_without_words_has_an_empty_beginning(alice: User, client: Client) -> None:
    record = making.dictation(alice)
    assert (
        "No words yet."
        in client.get(reverse("record-export-form", args=[record.pk]), {"format": "txt", "with": ""}).content.decode()
    )
    for extension in exports.NAMES:
        taken(client, record, extension, "?with=")
    record.versions.all().delete()
    for name, rest in (("record-export-form", []), ("record-export", ["txt"])):
        assert client.get(reverse(name, args=[record.pk, *rest])).status_code == 404
    assert "record-export" not in client.get(reverse("record", args=[record.pk])).content.decode()


def test_hostile_words_are_text_in_the_form(alice: User, client: Client) -> None:
    record = making.dictation(alice, "</pre><script>alert(1)</script> --> \u202e" + "w" * 10_000, title="<img src=x>")
    for extension in exports.NAMES:
        page = client.get(reverse("record-export-form", args=[record.pk]), {"format": extension}).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "w" * 200 not in page


# --- marks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(talk: Record) -> Record:
    """The talk heard by a provider that tells chapters, with a chapter, a note and a mark of one's own."""
    segments = [making.line(str(at), at * 2200, said) for at, said in enumerate(["First we speak.", "Then we hear."])]
    services.add_version(
        record_id=talk.pk, kind=Version.Kind.TRANSCRIBED, model="best", language="en", segments=segments
    )
    services.show_version(record_id=talk.pk, number=2)
    told = [{"headline": "=Speaking <b>", "gist": "", "summary": "", "start": 0, "end": 2000}]
    raw = json.dumps({"status": "completed", "text": "x", "words": [], "chapters": told}).encode()
    services.keep_result(record_id=talk.pk, dialect="assemblyai", raw=raw)
    marking.add(record_id=talk.pk, at_ms=2100, note="Hearing", is_chapter=True)
    marking.add(record_id=talk.pk, at_ms=1000, note="--> ask \u202eher")
    marking.add(record_id=talk.pk, at_ms=3000)
    talk.refresh_from_db()
    return talk


def test_chapters_and_marks_are_in_what_is_taken_away(marked: Record, client: Client) -> None:
    assert taken(client, marked, "txt", "?with=marks").decode() == (
        "== =Speaking <b> ==\n\nFirst we speak.\n\n== Hearing ==\n\nThen we hear.\n\n== Marks and notes ==\n\n"
        "[0:01] --> ask \ufffdher\n[0:03] Marked\n"
    )
    assert "Speaking" not in taken(client, marked, "txt", "?with=").decode()
    for extension in ("srt", "vtt", "csv"):
        with_and_without = [taken(client, marked, extension, query) for query in ("?with=marks", "?with=")]
        assert with_and_without[0] == with_and_without[1]
        assert b"Hearing" not in with_and_without[0]
    content = json.loads(taken(client, marked, "json", "?with="))
    assert content["chapters"] == [{"at_ms": 0, "title": "=Speaking <b>"}, {"at_ms": 2100, "title": "Hearing"}]
    assert content["marks"] == [{"at_ms": 1000, "note": "--> ask \u202eher"}, {"at_ms": 3000, "note": ""}]
    # the chapters of a provider belong to what it heard
    first = taken(client, marked, "txt", "?version=1&with=marks&with=paragraphs").decode()
    assert "Speaking" not in first
    assert "== Hearing ==" in first


def test_the_choice_is_there_where_there_is_something_and_is_kept_where_there_is_not(
    marked: Record, alice: User, client: Client
) -> None:
    bare = making.dictation(alice, "Nothing is marked here.")
    with_marks, without = (client.get(reverse("record-export-form", args=[one.pk])).content for one in (marked, bare))
    assert b'value="marks" checked>Chapters, marks and notes' in with_marks
    assert b"Chapters, marks and notes" not in without
    assert b'<input type="hidden" name="with" value="marks">' in without
    client.post(reverse("record-export-form", args=[marked.pk]), {"format": "txt", "with": ["", "title"]})
    with_marks, without = (client.get(reverse("record-export-form", args=[one.pk])).content for one in (marked, bare))
    assert b'value="marks">Chapters, marks and notes' in with_marks
    assert b'value="marks"' not in without


@pytest.mark.parametrize("extension", ["txt", "md", "docx", "json"])
def test_the_form_shows_what_is_marked(extension: str, marked: Record, client: Client) -> None:
    def shown(*chosen: str) -> str:
        look = client.get(
            reverse("record-export-form", args=[marked.pk]), {"format": extension, "with": ["", *chosen]},
            headers={**HTMX, "HX-Target": "export-look"},
        )  # fmt: skip
        found = re.search(r"<pre[^>]*>(.*?)</pre>", look.content.decode(), re.DOTALL)
        assert found
        return html.unescape(found[1])

    assert "Speaking" in shown("marks")
    if extension == "json":
        assert "Speaking" in shown(), "it has everything, whatever is chosen"
        return
    assert "Speaking" not in shown()
    beginning, _, listed = shown("marks").partition("Marks and notes")
    assert "First we speak." in beginning
    assert "ask \ufffdher" in listed


def test_a_long_list_or_text_leaves_room_in_what_is_shown_for_the_other(alice: User, client: Client) -> None:
    record, _ = long(alice, 60)
    for at in range(50):
        marking.add(record_id=record.pk, at_ms=at * 4000, note=f"note {at}")
    marking.add(record_id=record.pk, at_ms=55 * 4000 + 1, note="Far away", is_chapter=True)
    page = client.get(reverse("record-export-form", args=[record.pk]), {"format": "txt"}).content.decode()
    preview = page.partition("<pre")[2].partition("</pre")[0]
    assert "This is sentence 0" in preview
    assert "note 0" in preview
    assert "note 30" not in preview
    assert "Far away" not in preview


def test_a_zip_has_the_chapters_for_a_player_beside_the_captions(marked: Record, alice: User, client: Client) -> None:
    bare = making.dictation(alice, "Nothing is marked here.", title="Bare")
    archive = packed(client, id=[str(marked.pk), str(bare.pk)], format=["vtt", "txt"])
    [menu] = [name for name in archive.namelist() if name.endswith("A talk.chapters.vtt")]
    assert len(archive.namelist()) == 5
    assert archive.read(menu).decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.100\n=Speaking &lt;b&gt;\n\n00:00:02.100 --> 00:00:12.000\nHearing\n"
    )
    assert len(packed(client, id=[str(marked.pk)], format=["txt"]).namelist()) == 1
    accounts.save_preferences(user=alice, export_options=Wanted(marks=False).kept())
    assert len(packed(client, id=[str(marked.pk)], format=["vtt"]).namelist()) == 1


# --- names ---------------------------------------------------------------------------------------------------


def test_a_hostile_title_makes_a_harmless_name(alice: User, client: Client) -> None:
    record = making.dictation(alice, "Hello.")
    Record.objects.filter(pk=record.pk).update(title=HOSTILE_TITLE[:300].replace("\x00", ""))
    record.refresh_from_db()
    name = exports.filename(record, "docx")
    assert len(name.encode()) < 230
    assert not re.search(r'[/\\:*?"<>|\x00-\x1f\u202e]', name)
    assert name.endswith(".docx")
    assert re.match(r"\d{4}-\d\d-\d\d \.\. \.\. b x b", name)
    header = client.get(reverse("record-export", args=[record.pk, "txt"])).headers["Content-Disposition"]
    assert "\n" not in header
    assert header.startswith("attachment; filename*=utf-8''")


def test_names_in_a_zip_differ_also_where_case_does_not_count() -> None:
    names: set[str] = set()
    given = ["a.txt", "A.txt", "a.txt", "Ａ.txt", "a.srt", "none", "none"]
    assert [exports.unique(names, name) for name in given] == [
        "a.txt", "A (2).txt", "a (3).txt", "Ａ (4).txt", "a.srt", "none", " (2)none",
    ]  # fmt: skip


# --- many at once --------------------------------------------------------------------------------------------


def packed(client: Client, **form: object) -> zipfile.ZipFile:
    response = client.post(reverse("library-export"), form)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(body(response)))
    assert archive.testzip() is None
    return archive


def with_sound(record: Record, data: bytes) -> None:
    Path(settings.AUDIO_DIR).mkdir(exist_ok=True)
    (Path(settings.AUDIO_DIR) / f"{record.pk}.flac").write_bytes(data)
    Recording.objects.create(
        record=record, path=f"{record.pk}.flac", samples=5, size=len(data), pcm_sha256="0" * 64, peaks=b""
    )


def test_chosen_records_come_as_one_zip_with_their_recordings(alice: User, bob: User, client: Client) -> None:
    one, two, three = (making.dictation(alice, f"Words {n}.", title="Same") for n in "123")
    others = making.dictation(bob, "Not yours.", title="Bob’s")
    with_sound(one, b"fLaC" + b"1" * 200_000)
    day = timezone.localtime(one.started_at).date().isoformat()
    archive = packed(
        client, id=[str(one.pk), str(others.pk), str(two.pk), str(three.pk), str(uuid.uuid4())],
        format=["txt", "docx", "txt"], audio="on",
    )  # fmt: skip
    same = [f"{day} Same", f"{day} Same (2)", f"{day} Same (3)"]
    assert archive.namelist() == [
        f"{same[0]}.txt", f"{same[0]}.docx", f"{same[0]}.flac", f"{same[1]}.txt", f"{same[1]}.docx",
        f"{same[2]}.txt", f"{same[2]}.docx", bundles.MISSING,
    ]  # fmt: skip
    assert archive.read(f"{same[1]}.txt") == taken(client, two, "txt")
    assert archive.read(f"{same[0]}.flac") == b"fLaC" + b"1" * 200_000
    with zipfile.ZipFile(io.BytesIO(archive.read(f"{same[2]}.docx"))) as document:
        assert b"Words 3." in document.read("word/document.xml")
    assert archive.read(bundles.MISSING).decode() == f"{day} Same: no recording\n" * 2
    assert all(entry.date_time[0] >= 2026 for entry in archive.infolist())


def test_a_zip_has_what_was_asked_for_last(talk: Record, client: Client, alice: User) -> None:
    accounts.save_preferences(user=alice, export_options=Wanted(speakers=False, title=False, times=True).kept())
    [name] = packed(client, id=[str(talk.pk)], format=["txt"]).namelist()
    assert packed(client, id=[str(talk.pk)], format=["txt"]).read(name).startswith(b"[0:00] First we speak.")


def test_every_record_that_the_filters_keep_can_be_taken(alice: User, client: Client) -> None:
    for number in range(3):
        making.dictation(alice, "Words.", title=f"Kept {number}")
    making.dictation(alice, "Words.", title="Other")
    assert len(packed(client, every="?q=title:kept", format=["md"]).namelist()) == 3


def test_records_without_words_or_recordings_are_named(alice: User, client: Client) -> None:
    empty = making.dictation(alice, title="Empty")
    empty.versions.all().delete()
    lost = making.dictation(alice, "Here.", title="Lost")
    with_sound(lost, b"fLaC")
    (Path(settings.AUDIO_DIR) / f"{lost.pk}.flac").unlink()
    archive = packed(client, id=[str(empty.pk), str(lost.pk)], format=["txt"], audio="on")
    said = archive.read(bundles.MISSING).decode()
    assert re.findall(r"(\w+): (.*)", said) == [
        ("Empty", "no words"), ("Empty", "no recording"), ("Lost", "no recording"),
    ]  # fmt: skip
    nothing = packed(client, id=[str(empty.pk)], format=["txt"])
    assert nothing.read(bundles.MISSING).decode() == bundles.NOTHING


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"format": ["txt"]}, "Nothing was chosen. Tick a record first."),
        ({"format": ["txt"], "id": ["no id"]}, "Nothing was chosen. Tick a record first."),
        ({}, "Choose a format, or the recording."),
    ],
)
def test_nothing_chosen_is_told(form: dict[str, list[str]], said: str, talk: Record, client: Client) -> None:
    form = {"id": [str(talk.pk)], **form} if "id" not in form and form != {"format": ["txt"]} else form
    assert said in client.post(reverse("library-export"), form, follow=True).content.decode()


def test_an_unknown_format_is_refused_in_a_sentence(talk: Record, client: Client) -> None:
    response = client.post(reverse("library-export"), {"id": [str(talk.pk)], "format": ["exe"]})
    assert response.status_code == 400
    assert response.content.decode().startswith("There is no format “exe”. There are docx, pdf,")


# --- what providers said -------------------------------------------------------------------------------------

SAID = [b'{"text": "\xc3\xa4"}', b"  [1]\n", b"\x00\xff\xfe not text", b"", b"x" * 100_000]


def test_what_providers_said_comes_byte_for_byte(talk: Record, client: Client, alice: User) -> None:
    now = timezone.now()
    services.save_messages(
        [services.MessageRow(talk.pk, 1 + n // 3, n, n * 10, "elevenlabs", now, raw) for n, raw in enumerate(SAID)]
    )
    until_a_page_is_full = range(50, 50 + payloads_page() - len(SAID))
    services.save_messages(
        [services.MessageRow(talk.pk, 8, n, 0, "assemblyai", now, str(n)) for n in until_a_page_is_full]
    )
    services.save_messages(
        [services.MessageRow(talk.pk, 9, n, 0, "assemblyai", now, str(n)) for n in range(payloads_page() + 5)]
    )
    posting.store(alice, b'{"task_id": "t"}', b"unreadable \xff")
    job = Job.objects.create(record=talk, kind=Job.Kind.STREAM, due_at=now)
    Callback.objects.update(job=job)
    response = client.get(reverse("record-payloads", args=[talk.pk]))
    archive = zipfile.ZipFile(io.BytesIO(body(response)))
    assert archive.testzip() is None
    told = [json.loads(line) for line in archive.read("index.jsonl").splitlines()]
    assert [row["file"] for row in told] == archive.namelist()[:-1]
    assert [archive.read(row["file"]) for row in told[: len(SAID)]] == SAID
    assert [row["sequence"] for row in told if row["file"].startswith("messages/009")] == list(
        range(payloads_page() + 5)
    )
    assert [archive.read(row["file"]) for row in told[-2:]] == [b'{"task_id": "t"}', b"unreadable \xff"]
    assert told[0] == {
        "file": "messages/001-000000.json", "arrived_at": now.isoformat(), "connection": 1, "sequence": 0,
        "offset_ms": 0, "dialect": "elevenlabs",
    }  # fmt: skip
    assert told[2]["file"].endswith(".bin")
    assert told[-1]["headers"] == {"content-type": "application/json"}
    assert response.headers["Content-Disposition"].endswith('as it came.zip"')


def payloads_page() -> int:
    from transcripts import queries

    return queries._PAYLOADS


def test_nothing_that_came_is_nothing_to_take(talk: Record, client: Client) -> None:
    address = reverse("record-payloads", args=[talk.pk])
    assert client.get(address).status_code == 404
    form = reverse("record-export-form", args=[talk.pk])
    assert address not in client.get(form).content.decode()
    services.keep_result(record_id=talk.pk, dialect="whisper-1", raw=b"{}")
    assert address in client.get(form).content.decode()


# --- length --------------------------------------------------------------------------------------------------


def long(alice: User, count: int) -> tuple[Record, Version]:
    record = making.dictation(alice, title="Long")
    segments = [making.line(str(i), i * 4000, f"This is sentence {i}, of ten words or so.") for i in range(count)]
    version = services.add_version(
        record_id=record.pk, kind=Version.Kind.SECOND_PASS, model="m", language="en", segments=segments
    )
    services.show_version(record_id=record.pk, number=version.number)
    record.refresh_from_db()
    return record, version


def peak(deed) -> int:  # type: ignore[no-untyped-def]
    """The most memory that Python held for this, in bytes."""
    tracemalloc.start()
    try:
        deed()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_long_captions_are_sent_while_they_are_made_in_flat_memory(alice: User, client: Client) -> None:
    record, version = long(alice, exports.LONG + 1)
    for extension in ("srt", "vtt"):
        response = client.get(reverse("record-export", args=[record.pk, extension]))
        assert response.streaming
        assert body(response) == exports.written(record, version, Wanted(extension))
        wanted = Wanted(extension)

        def drained(wanted: Wanted = wanted) -> None:
            for _ in exports.poured(record, version, wanted):
                pass

        whole = peak(lambda wanted=wanted: exports.written(record, version, wanted))
        assert peak(drained) < whole / 2
    assert not client.get(reverse("record-export", args=[record.pk, "txt"])).streaming


def test_a_segment_at_the_edge_of_a_page_comes_once(alice: User) -> None:
    from transcripts import queries

    _, version = long(alice, queries._PAGE + 3)
    Segment.objects.filter(version=version, order__gte=queries._PAGE - 3).update(start_ms=5_000_000)
    keys = [segment.key for segment in queries.in_pages(version)]
    assert keys == [segment.key for segment in version.segments.shown()]
    assert len(set(keys)) == queries._PAGE + 3


def test_a_zip_of_large_recordings_takes_little_memory(alice: User) -> None:
    records = [making.dictation(alice, "Words.") for _ in range(2)]
    for record in records:
        with_sound(record, b"\x00" * 30_000_000)

    def drained() -> None:
        digest = hashlib.sha256()
        for piece in bundles.of_records(records, ["srt"], Wanted(), audio=True):
            digest.update(piece)

    assert peak(drained) < 3_000_000


def test_pieces_are_gathered_and_nothing_is_lost() -> None:
    pieces = [b"a" * n for n in (1, 0, 5, 100, 3)]
    assert list(gathered(pieces, least=10)) == [b"a" * 106, b"aaa"]
    assert list(gathered([b""])) == []


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_early_ends_the_making(alice: User) -> None:
    from asgiref.sync import sync_to_async
    from django.db import connections

    records = [await sync_to_async(making.dictation)(alice, "Words.") for _ in range(3)]
    await sync_to_async(with_sound)(records[0], b"x" * 1_000_000)
    client = AsyncClient()
    await client.aforce_login(alice)
    response = await client.post(
        reverse("library-export"), {"id": [str(record.pk) for record in records], "format": ["txt"], "audio": "on"}
    )
    async for piece in response.streaming_content:  # type: ignore[attr-defined]
        assert piece
        break
    response.close()
    await sync_to_async(connections.close_all)()
