"""Captions and text of other tools, a watched folder, and recordings transcribed from the shell."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from memweb.accounts.models import User
from memweb.accounts.services import ensure_owner
from memweb.speech.formats import FORMATS, Options, Unreadable
from memweb.speech.transcript import Mark, Transcript
from tests import media_files
from tests.gateway_stand_in import StandIn
from tests.transcripts import making
from transcripts import jobs, search, services, shelving, uploads
from transcripts.editor import editing, marking
from transcripts.errors import Refused
from transcripts.files import importing, preparing, watching
from transcripts.management.commands import transcribe
from transcripts.models import Job, Record, Upload, Version
from transcripts.taken_away import exports

SRT = b"1\n00:00:01,000 --> 00:00:02,500\nThe ferry leaves.\n\n2\n00:00:04,000 --> 00:00:05,000\nAt noon.\n"


def file(name: str, data: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, data)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, record: Record, asked: str = "") -> str:
    return client.get(f"/transcripts/{record.pk}/{asked}").content.decode()


def shown(record: Record) -> list[tuple[int, int, str]]:
    assert record.current_version is not None
    return list(record.current_version.segments.shown().values_list("start_ms", "end_ms", "text"))


def test_captions_become_a_record_with_their_times(alice: User) -> None:
    answer = signed_in(alice).post("/transcripts/import/", {"files": file("Ferry talk.srt", SRT)})
    record = Record.objects.get(owner=alice)
    assert answer["Location"] == f"/transcripts/{record.pk}/"
    assert (record.title, record.source, record.status) == ("Ferry talk", "import", "ready")
    assert shown(record) == [(1000, 2500, "The ferry leaves."), (4000, 5000, "At noon.")]
    assert record.duration_ms == 5000
    assert search.find(search.parse("ferry"), owner_id=alice.pk, after=None).groups


def test_text_becomes_a_record_of_its_paragraphs(alice: User) -> None:
    signed_in(alice).post("/transcripts/import/", {"files": file("notes.txt", "One.\nStill one.\n\nTwo é.".encode())})
    assert [text for _, _, text in shown(Record.objects.get(owner=alice))] == ["One. Still one.", "Two é."]


@pytest.mark.parametrize("extension", ["srt", "vtt", "json", "txt"])
def test_what_memweb_writes_it_reads_again(alice: User, extension: str) -> None:
    told = Transcript((making.line("a", 0, "It was here."), making.line("b", 9_000, "And there.")), "en", 12_000)
    data = FORMATS[extension].write(told, Options())
    record = importing.as_record(
        owner_id=alice.pk, name=f"x.{extension}", transcript=importing.read(name=f"x.{extension}", data=data)
    )
    assert [text for _, _, text in shown(record)] == ["It was here.", "And there."]


def marks_of(record: Record) -> list[tuple[int, str, bool]]:
    return list(record.marks.values_list("at_ms", "note", "is_chapter"))


def test_marks_come_back_with_our_own_json(alice: User) -> None:
    record = making.dictation(alice, "One.", "Two.", title="Marked")
    for at_ms, note, is_chapter in ((0, "Beginning", True), (1200, "A <note>", False), (6000, "", False)):
        marking.add(record_id=record.pk, at_ms=at_ms, note=note, is_chapter=is_chapter)
    assert record.current_version is not None
    data = exports.written(record, record.current_version, exports.Wanted("json", marks=False))
    signed_in(alice).post("/transcripts/import/", {"files": file("again.json", data)})
    again = Record.objects.get(title="again")
    assert marks_of(again) == marks_of(record)
    assert again.status_reason == ""
    # as a version of the record it was taken from nothing is marked twice
    signed_in(alice).post(f"/transcripts/{record.pk}/versions/", {"file": file("a.json", data)})
    assert record.versions.count() == 2
    assert marks_of(record) == marks_of(again)


def test_paragraphs_that_a_person_made_come_back_with_our_own_json(alice: User) -> None:
    record = making.dictation(alice, "One.", "Two.", "Three.")
    assert record.current_version is not None
    for key, opens in (("1-1", True), ("1-2", False)):
        record.current_version.segments.filter(key=key).update(opens=opens)
    told = list(record.current_version.segments.values_list("opens", flat=True))
    assert {True, False} < set(told)
    data = exports.written(record, record.current_version, exports.Wanted("json"))
    again = importing.as_record(owner_id=alice.pk, name="a.json", transcript=importing.read(name="a.json", data=data))
    assert again.current_version is not None
    assert list(again.current_version.segments.values_list("opens", flat=True)) == told


def test_a_dropped_file_of_ours_brings_its_marks(alice: User) -> None:
    told = Transcript((making.line("a", 0, "It was here."),), "en", 12_000, (Mark(500, "Here", is_chapter=True),))
    data = FORMATS["json"].write(told, Options())
    made = uploads.begin(owner_id=alice.pk, name="ours.json", size=len(data))
    uploads.append(upload_id=made.pk, offset=0, pieces=[data])
    uploads.take(upload_id=made.pk)
    jobs.run(job_id=Job.objects.latest("pk").pk, work=preparing.prepare)
    assert marks_of(Record.objects.get(owner=alice)) == [(500, "Here", True)]


def test_two_marks_of_one_moment_stand_side_by_side_and_a_long_one_is_cut(alice: User) -> None:
    marks = (Mark(5, "A", is_chapter=True), Mark(5, "B"), Mark(5, "C\x00" + "x" * 600), Mark(7, "D"))
    told = Transcript((making.line("a", 0, "It was here."),), marks=marks)
    record = importing.as_record(owner_id=alice.pk, name="x.json", transcript=told)
    assert [(at, note[:2]) for at, note, _ in marks_of(record)] == [(5, "A"), (6, "B"), (7, "C\ufffd"), (8, "D")]
    assert max(len(note) for _, note, _ in marks_of(record)) == marking.LONGEST


def test_more_marks_than_there_may_be_are_told(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "MOST", 3)
    told = Transcript((making.line("a", 0, "Here."),), marks=tuple(Mark(at) for at in range(5)))
    record = importing.as_record(owner_id=alice.pk, name="x.json", transcript=told)
    assert [at for at, _, _ in marks_of(record)] == [0, 1, 2]
    assert record.status_reason == "2 marks of the file are left out: a record can have 3."
    assert record.status_reason in signed_in(alice).get(f"/transcripts/{record.pk}/").content.decode()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.srt", b"nothing of the kind", "not an SRT file"),
        ("a.vtt", b"no", "does not begin with WEBVTT"),
        ("a.json", b"{", "not a JSON file"),
        ("a.txt", b"\0\1\2", "not a text file"),
        ("a.txt", b" \n ", "no words"),
        ("a.pdf", b"%PDF", "memweb reads transcripts as"),
        ("a.txt", b"x" * (importing.LARGEST + 1), "20 MB"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(alice: User, name: str, data: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        importing.read(name=name, data=data)
    signed_in(alice).post("/transcripts/import/", {"files": file(name, data)})
    assert not Record.objects.exists()


def test_a_file_with_a_mark_of_its_encoding_is_text() -> None:
    assert FORMATS["txt"].read is not None
    assert FORMATS["txt"].read("é".encode("utf-16")).text == "é"
    with pytest.raises(Unreadable):
        FORMATS["txt"].read(b"a\0b")


def test_a_transcript_becomes_a_version_beside_the_recording_and_corrections_go_over(alice: User, bob: User) -> None:
    record = making.dictation(alice, "the fairy leaves")
    version = record.current_version
    assert version is not None
    row = version.segments.get()
    editing.rewrite(version=version, keys=[row.key], revisions=[0], text="the last fairy leaves", user_id=alice.pk)
    address = f"/transcripts/{record.pk}/versions/"
    assert signed_in(bob).post(address, {"file": file("a.srt", SRT)}).status_code == 404
    client = signed_in(alice)
    client.post(address, {"file": file("a.srt", SRT.replace(b"00:00:01", b"00:00:00"))})
    assert "“a.srt” is brought in as a version. Your corrected text stays" in page(client, record)
    made = record.versions.get(kind=Version.Kind.IMPORTED)
    record.refresh_from_db()
    assert record.current_version == version
    assert made.segments.shown()[0].text == "The last ferry leaves."
    assert record.versions.count() == 2
    assert "<span>Imported from</span>" in page(client, record, "?version=2")
    assert "<span>Imported from</span>" not in page(client, record)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "Choose a file first."),
        ({"file": ("<b>.srt", b"?")}, "&lt;b&gt;.srt: This is not an SRT file"),
    ],
)
def test_what_is_no_version_is_told_at_the_form_which_stays_open(
    alice: User, files: dict[str, tuple[str, bytes]], says: str
) -> None:
    record = making.dictation(alice, "the fairy leaves")
    client = signed_in(alice)
    given = {field: file(*one) for field, one in files.items()}
    answer = client.post(f"/transcripts/{record.pk}/versions/", given)
    assert answer["Location"] == f"/transcripts/{record.pk}/#bring"
    told = page(client, record)
    assert '<details class="bring" id="bring" open>' in told
    assert says in told.partition('id="bring-why"')[2]
    assert "<mem-notice" not in told
    again = page(client, record)
    assert " open>" not in again.partition('class="bring"')[2][:40]
    assert record.versions.count() == 1


def test_a_version_that_is_brought_in_is_shown_and_told(alice: User) -> None:
    record = making.dictation(alice, "the fairy leaves")
    client = signed_in(alice)
    client.post(f"/transcripts/{record.pk}/versions/", {"file": file("a.srt", SRT)})
    assert "“a.srt” is brought in as a version, and shown from now on." in page(client, record)


def test_a_dropped_caption_file_is_no_recording_that_failed(alice: User) -> None:
    for name, data in (("ferry.srt", SRT), ("broken.srt", b"what")):
        made = uploads.begin(owner_id=alice.pk, name=name, size=len(data))
        uploads.append(upload_id=made.pk, offset=0, pieces=[data])
        uploads.take(upload_id=made.pk)
        jobs.run(job_id=Job.objects.latest("pk").pk, work=preparing.prepare)
    record = Record.objects.get(owner=alice)
    assert (record.status, record.source) == ("ready", "import")
    assert [text for _, _, text in shown(record)] == ["The ferry leaves.", "At noon."]
    assert Upload.objects.get(name="broken.srt").status == Upload.Status.REFUSED


def test_what_is_put_into_the_watched_folder_is_taken_once(
    db: None, tmp_path: Path, settings: Any, wheel_speech: dict[str, Path]
) -> None:
    folder = tmp_path / "watched"
    (folder / "inner").mkdir(parents=True)
    settings.WATCH_DIR, settings.UPLOAD_DIR = str(folder), tmp_path / "uploads"
    old = time.time() - 60
    for name in ("inner/two_cities.wav", ".hidden.wav", "empty.wav"):
        (folder / name).write_bytes(b"" if name == "empty.wav" else wheel_speech["two_cities"].read_bytes())
        os.utime(folder / name, (old, old))
    (folder / "still-being-copied.wav").write_bytes(b"RIFF")
    assert watching.look() == 1
    assert watching.look() == 0
    upload = Upload.objects.get()
    assert (upload.name, upload.owner, upload.status) == ("two_cities.wav", ensure_owner(), Upload.Status.TAKEN)
    assert (folder / "inner" / "two_cities.wav").exists()
    uploads.remove(upload=upload)
    assert watching.look() == 0, "off the list is not out of the folder"
    assert upload.record is not None
    services.bin_record(record_id=upload.record.pk)
    shelving.erase(owner_id=upload.owner_id, ids=[upload.record.pk])
    assert watching.look() == 0, "what was let go of for good came back by itself"
    settings.WATCH_DIR = ""
    assert watching.look() == 0


def test_a_watched_file_that_was_interrupted_is_taken_after_all(
    db: None, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WATCH_DIR, settings.UPLOAD_DIR = str(tmp_path / "watched"), tmp_path / "uploads"
    Path(settings.WATCH_DIR).mkdir()
    tape = media_files.make(Path(settings.WATCH_DIR) / "tape.wav", media_files.tone(1))
    os.utime(tape, (time.time() - 60,) * 2)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(uploads, "_write", Mock(side_effect=full))
        assert watching.look() == 0
    with monkeypatch.context() as patched:  # killed between the last byte and the record
        patched.setattr(uploads, "take", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            watching.look()
    assert watching.look() == 1
    upload = Upload.objects.get()
    assert (upload.status, upload.offset) == (Upload.Status.TAKEN, tape.stat().st_size)
    assert watching.look() == 0


@pytest.mark.speech
def test_the_shell_prints_and_writes_what_was_said(
    db: None, tmp_path: Path, capsys: Any, wheel_speech: dict[str, Path]
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    with pytest.raises(CommandError, match="1 of 2"):
        call_command(
            "transcribe", str(broken), str(wheel_speech["two_cities"]), "--format", "json", "--to", str(tmp_path)
        )
    told = json.loads((tmp_path / "two_cities.json").read_text())
    assert "best of times" in " ".join(segment["text"].lower() for segment in told["segments"])
    heard = [word for segment in told["segments"] for word in segment["words"]]
    assert all(0 < word["confidence"] <= 1 and not word["estimated"] for word in heard)
    assert len({word["confidence"] for word in heard}) > 5, "the engine's own figures, not one for all"
    assert "This is no recording" in capsys.readouterr().err
    assert not Record.objects.exists()


def test_the_shell_replaces_no_result(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recordings of one name, and a result that was corrected since."""
    monkeypatch.setattr(transcribe, "_transcribed", lambda path, *_: Transcript((making.line("0", 0, path.suffix),)))
    out = tmp_path / "out"
    for _ in range(2):
        call_command("transcribe", "a/talk.wav", "b/talk.mp3", "--to", str(out))
        (out / "talk.txt").write_text("corrected")
    found = {path.name: path.read_text().strip() for path in out.iterdir()}
    assert found == {"talk.txt": "corrected", "talk 2.txt": ".mp3", "talk 3.txt": ".wav", "talk 4.txt": ".mp3"}


def test_the_shell_says_that_a_hosted_gateway_is_told_no_language(
    db: None, tmp_path: Path, capsys: Any, settings: Any
) -> None:
    tape = media_files.make(tmp_path / "tape.wav", media_files.tone(1))
    with StandIn() as hosted:
        settings.GATEWAY_URL, settings.GATEWAY_KEY = hosted.url, hosted.key
        call_command("transcribe", str(tape))
        assert "language" not in capsys.readouterr().err
        call_command("transcribe", str(tape), "--language", "pt")
    printed = capsys.readouterr()
    assert "cannot be told a language" in printed.err
    assert printed.out


def test_the_shell_prints_no_pdf(db: None) -> None:
    with pytest.raises(CommandError, match="A pdf is no text to print"):
        call_command("transcribe", "any.wav", "--format", "pdf")


def test_a_transcript_in_the_way_of_a_live_record_harms_nothing(alice: User) -> None:
    record = making.dictation(alice, "one", finished=False)
    importing.as_version(record=record, name="a.srt", transcript=importing.read(name="a.srt", data=SRT))
    services.save_final(record_id=record.pk, segment=making.line("1-1", 9_000, "two", timed=False))
    assert Version.objects.live_of(record.pk).get().segments.count() == 2
