"""What is no archive, or a broken or a hostile one, ends in a sentence; what is here stays as it is."""

from __future__ import annotations

import hashlib
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from memweb.accounts.models import User
from tests.transcripts import an_account, making
from transcripts import archive, jobs, uploads
from transcripts.archive import lines, opening
from transcripts.errors import NoRoom, Refused
from transcripts.files import preparing
from transcripts.models import Job, Record, Recording, Segment, Upload

pytestmark = pytest.mark.django_db(transaction=True)
ID = "6f6c0f0e-1111-4222-8333-944445555666"
Members = dict[str, bytes]


@pytest.fixture
def whole(alice: User, tmp_path: Path) -> Path:
    """An archive of two records, one of them with its sound; and its house is empty again."""
    making.dictation(alice, "The ferry leaves.", title="Ferry")
    an_account._sealed(alice, seconds=0.3)
    path = tmp_path / "whole.zip"
    path.write_bytes(b"".join(archive.pack(owner=alice)))
    Record.objects.all().delete()
    for file in settings.AUDIO_DIR.glob("*"):
        file.unlink()
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as zip:
        return {name: zip.read(name) for name in zip.namelist()}


def zipped(held: Members, path: Path, *, summed: bool = True, **told: Any) -> Path:
    """An archive of these members, with the digests that go with them (unless they are to be wrong)."""
    held = dict(held)
    if summed:
        rest = {name: data for name, data in held.items() if name not in ("memweb.json", "SHA256SUMS")}
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in rest.items()).encode()
        summary = json.loads(held["memweb.json"]) | {"sums_sha256": hashlib.sha256(sums).hexdigest()} | told
        held = {**rest, "SHA256SUMS": sums, "memweb.json": json.dumps(summary).encode()}
    with zipfile.ZipFile(path, "w") as zip:
        for name, data in held.items():
            packing = zipfile.ZIP_STORED if name.startswith("recordings/") else zipfile.ZIP_DEFLATED
            zip.writestr(name, data, packing)
    return path


def of_lines(path: Path, *said: tuple[str, Any], owner: User) -> Path:
    """An archive of one record with these lines."""
    record = b"".join(json.dumps(line).encode() + b"\n" for line in said)
    held = {"account.json": b'{"preferences": null, "tags": []}', f"records/{ID}.jsonl": record, "callbacks.jsonl": b""}
    summary = {"format": "memweb archive", "version": 1, "recordings": True}
    return zipped({**held, "memweb.json": json.dumps(summary).encode()}, path)


def record_line(**other: Any) -> tuple[str, dict[str, Any]]:
    at = "2026-01-01T00:00:00+00:00"
    return "record", {
        "title": "Made by hand", "source": "file", "status": "ready", "started_at": at, "created_at": at,
        "updated_at": at, "current_version": 1, "tags": [],
    } | other  # fmt: skip


VERSION = ("version", {"number": 1, "kind": "imported", "created_at": "2026-01-01T00:00:00+00:00"})


def segment(**other: Any) -> tuple[str, dict[str, Any]]:
    return "segment", {
        "version": 1, "key": "a", "order": 0, "start_ms": 0, "end_ms": 9, "text": "Said.", "words": [],
        "speaker": None, "channel": None,
    } | other  # fmt: skip


def nothing_came() -> bool:
    left = [*settings.AUDIO_DIR.glob("*"), *settings.SPOOL_DIR.glob("*")]
    return not (Record.objects.exists() or Segment.objects.exists() or Recording.objects.exists() or left)


def cut_at(share: float) -> Callable[[Path, Path], Path]:
    def cut(whole: Path, path: Path) -> Path:
        path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        return path

    return cut


def made_of(change: Callable[[Members], Members], **how: Any) -> Callable[[Path, Path], Path]:
    return lambda whole, path: zipped(change(members(whole)), path, **how)


def bomb(whole: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip:
        for name, data in members(whole).items():
            zip.writestr(name, data, zipfile.ZIP_STORED)
        with zip.open(f"records/{ID}.jsonl", "w") as member:
            for _ in range(64):
                member.write(b" " * 2**20)
    return path


def encrypted(whole: Path, path: Path) -> Path:
    """The bit that says so, in the index of the zip."""
    data = bytearray(whole.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    return path


def many_members(whole: Path, path: Path) -> Path:
    data = bytearray(whole.read_bytes())
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = (opening.LARGEST_INDEX + 1).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def written(data: bytes) -> Callable[[Path, Path], Path]:
    def write(_: Path, path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


def other_zip(_: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as zip:
        zip.writestr("photo.jpg", b"x")
    return path


def packed_sound(whole: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip:
        for name, data in members(whole).items():
            zip.writestr(name, data)
    return path


BAD: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "empty": (written(b""), "This is not an archive"),
    "no zip": (written(b"ID3 something"), "This is not an archive"),
    "a zip's first bytes": (written(b"PK\x03\x04 and nothing"), "cut off or damaged"),
    "another zip": (other_zip, "This zip is not an archive of memweb"),
    "half": (cut_at(0.5), "cut off or damaged"),
    "without its last bytes": (cut_at(0.999), "cut off or damaged"),
    "newer": (made_of(lambda held: held, version=2), r"newer memweb \(format 2\)"),
    "of no version": (made_of(lambda held: held, version="x"), "not an archive of memweb"),
    "upwards": (made_of(lambda held: held | {"../../evil.jsonl": b""}), "it holds “../../evil.jsonl”"),
    "absolute": (made_of(lambda held: held | {"/etc/passwd": b""}), "it holds “/etc/passwd”"),
    "a name that turns around": (made_of(lambda held: held | {"\u202efdp.exe": b""}), r"it holds “\?fdp.exe”"),
    "swelling": (bomb, "too large"),
    "encrypted": (encrypted, "is encrypted"),
    "of too many": (many_members, "too many files|cut off"),
    "its sound packed": (packed_sound, "is packed"),
    "a digest missing": (made_of(lambda held: held | {f"records/{ID}.jsonl": b""}, summed=False), "has no digest"),
    "a member missing": (
        made_of(lambda held: {name: data for name, data in held.items() if ".flac" not in name}, summed=False),
        "is missing",
    ),
    "its sums changed": (made_of(lambda held: held | {"SHA256SUMS": b""}, summed=False), "SHA256SUMS is not as it was"),
    "its account changed": (made_of(lambda held: held | {"account.json": b"[]"}), "account.json cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_it_ends_in_a_sentence_and_nothing_comes_of_it(name: str, alice: User, whole: Path, tmp_path: Path) -> None:
    make, sentence = BAD[name]
    with pytest.raises(Refused, match=sentence) as refused:
        archive.bring_in(make(whole, tmp_path / "bad.zip"), owner=alice)
    assert str(refused.value).endswith(".")
    assert nothing_came()


def test_the_whole_one_comes_in_so_the_others_fail_for_their_reason(alice: User, whole: Path, tmp_path: Path) -> None:
    assert archive.bring_in(zipped(members(whole), tmp_path / "same.zip"), owner=alice).came == 2


def test_a_damaged_record_is_told_by_name_and_the_others_come(alice: User, whole: Path, tmp_path: Path) -> None:
    held = members(whole)
    (name,) = [name for name in held if name.startswith("records/") and b"Ferry" in held[name]]
    held[name] = held[name].replace(b"The ferry leaves.", b"The ferry stays. ")
    brought = archive.bring_in(zipped(held, tmp_path / "bad.zip", summed=False), owner=alice)
    assert brought.trouble == [f"{name} is damaged, so this transcript did not come in."]
    assert Record.objects.get().title == "Sound"


def test_damaged_bytes_within_the_zip_are_told_by_name(alice: User, whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    at = data.index(b".flac") + 2000
    data[at] ^= 1
    bad = tmp_path / "bad.zip"
    bad.write_bytes(data)
    brought = archive.bring_in(bad, owner=alice)
    assert brought.came == 2
    assert len(brought.trouble) == 1
    assert ".flac is damaged: its transcript is here without it" in brought.trouble[0]
    assert not Recording.objects.exists()
    # And the whole one completes it.
    assert archive.bring_in(whole, owner=alice).completed == 1
    assert Recording.objects.get().size == len(next(settings.AUDIO_DIR.glob("*.flac")).read_bytes())


def test_sound_that_is_other_than_it_says_is_not_taken(alice: User, whole: Path, tmp_path: Path) -> None:
    held = members(whole)
    (name,) = [name for name in held if name.endswith(".flac")]
    held[name] = b"fLaC" + b"\0" * (len(held[name]) - 4)
    brought = archive.bring_in(zipped(held, tmp_path / "bad.zip"), owner=alice)
    assert ".flac is damaged" in brought.trouble[0]
    assert not Recording.objects.exists()
    assert not [*settings.AUDIO_DIR.glob("*")]


def test_sound_of_another_recording_is_not_taken_for_this_one(alice: User, whole: Path, tmp_path: Path) -> None:
    held = members(whole)
    other = an_account._sealed(alice, seconds=0.3)
    Recording.objects.filter(record=other).update(pcm_sha256="0" * 64)
    flac = (settings.AUDIO_DIR / f"{other.pk}.flac").read_bytes()
    (name,) = [name for name in held if name.endswith(".flac")]
    rows = f"records/{name[11:47]}.jsonl"
    said = [json.loads(line) for line in held[rows].splitlines()]
    for kind, fields in said:
        fields |= {"size": len(flac), "pcm_sha256": "0" * 64} if kind == "recording" else {}
    held |= {name: flac, rows: b"".join(json.dumps(line).encode() + b"\n" for line in said)}
    brought = archive.bring_in(zipped(held, tmp_path / "bad.zip"), owner=alice)
    assert ".flac is damaged" in brought.trouble[0]
    assert Recording.objects.get().record == other


HAND_MADE: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "no first line": ([VERSION], "its first line"),
    "a live record": ([record_line(status="live"), VERSION], "still under way"),
    "a running job": (
        [record_line(), VERSION, ("job", {"kind": "seal", "status": "running", "due_at": "2026-01-01T00:00:00+00:00"})],
        "still under way",
    ),
    "two of one number": ([record_line(), VERSION, VERSION], "contradict"),
    "two of one key": ([record_line(), VERSION, segment(), segment()], "contradict"),
    "a version that is not there": ([record_line(), VERSION, segment(version=7)], "points to a version"),
    "showing what is not there": ([record_line(current_version=3), VERSION], "the version it shows"),
    "a speaker that is not there": ([record_line(), VERSION, segment(speaker="Z")], "points to a speaker"),
    "a list for a key": ([record_line(), VERSION, segment(version=[1])], "points to a version"),
    "a title too long": ([record_line(title="x" * 301), VERSION], "title of a record"),
    "a title of no text": ([record_line(title=5), VERSION], "title of a record"),
    "an unknown source": ([record_line(source="telepathy"), VERSION], "source of a record is unknown"),
    "a time of no zone": ([record_line(started_at="2026-01-01T00:00:00"), VERSION], "started_at of a record"),
    "a time of no day": ([record_line(started_at="2026-13-01T00:00:00Z"), VERSION], "started_at of a record"),
    "a huge number": ([record_line(duration_ms=10**30), VERSION], "duration_ms of a record"),
    "a fraction": ([record_line(), VERSION, segment(start_ms=1.5)], "start_ms of a segment"),
    "words of no shape": ([record_line(), VERSION, segment(words=[["a", 1]])], "shape"),
    "words without times": ([record_line(), VERSION, segment(words=[["a", None, None, None, 0]])], "shape"),
    "a column of another day": ([record_line(mood="good"), VERSION], "holds more than this memweb knows"),
    "a line of another day": ([record_line(), VERSION, ("hologram", {})], "holds more than this memweb knows"),
    "a path for a recording": ([record_line(), ("recording", {"path": "../../x"})], "holds more than"),
    "an owner": ([record_line(owner=1), VERSION], "holds more than this memweb knows"),
    "a tag of no name": ([record_line(tags=[""]), VERSION], "tag"),
    "tags of no shape": ([record_line(tags={"a": 1}), VERSION], "tags"),
    "an edit of no shape": (
        [record_line(), VERSION, ("edit", {"kind": "text", "before": [], "made_at": "2026-01-01T00:00:00+00:00"})],
        "shape",
    ),
    "preferences among them": ([record_line(), ("preferences", {})], "lies among"),
    "base64 of no kind": (
        [record_line(), ("message", {"connection": 1, "sequence": 1, "offset_ms": 0, "dialect": "x",
                                     "arrived_at": "2026-01-01T00:00:00Z", "raw": {"base64": "%%"}})],
        "raw of a message",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HAND_MADE)
def test_lines_made_by_hand_are_held_to_what_rows_may_be(name: str, alice: User, tmp_path: Path) -> None:
    said, reason = HAND_MADE[name]
    brought = archive.bring_in(of_lines(tmp_path / "made.zip", *said, owner=alice), owner=alice)
    assert brought.came == 0
    assert len(brought.trouble) == 1
    assert reason in brought.trouble[0]
    assert nothing_came()


@pytest.mark.parametrize(
    "line", [b"{", b'["record"]', b"[1, 2]", b"[" * 100_000, b'["record", {"title": NaN}]', b"\xff"]
)
def test_a_line_that_is_none_is_told(line: bytes, alice: User, tmp_path: Path) -> None:
    held = members(of_lines(tmp_path / "made.zip", record_line(), VERSION, owner=alice))
    held[f"records/{ID}.jsonl"] += line + b"\n"
    brought = archive.bring_in(zipped(held, tmp_path / "bad.zip"), owner=alice)
    assert (brought.came, len(brought.trouble)) == (0, 1)
    assert nothing_came()


def test_a_line_without_an_end_is_not_read_into_memory(
    alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 2000)
    made = of_lines(tmp_path / "made.zip", record_line(), VERSION, segment(text="x" * 3000), owner=alice)
    assert "a line is too long" in archive.bring_in(made, owner=alice).trouble[0]


def test_text_that_no_database_holds_comes_in_as_it_can_be_kept(alice: User, tmp_path: Path) -> None:
    said = [
        record_line(title="a\x00b", tags=[]),
        ("speaker", {"label": "A", "name": "\ud800 \u202eevil"}),
        VERSION,
        segment(text="one\x00two \udfff", words=[["one\x00two", 0, 5, 0.5, 0], ["\udfff", 5, 9, None, 1]], speaker="A"),
        ("edit", {"kind": "text", "before": {"segments": {"a": {"text": "\x00"}}}, "user": "owner",
                  "made_at": "2026-01-01T00:00:00+00:00"}),
    ]  # fmt: skip
    made = of_lines(tmp_path / "made.zip", *said, owner=alice)
    assert archive.bring_in(made, owner=alice).trouble == []
    row = Segment.objects.get()
    assert (row.text, row.words[0][0], row.words[1][0]) == ("one\ufffdtwo \ufffd", "one\ufffdtwo", "\ufffd")
    assert (Record.objects.get().title, row.speaker.name) == ("a\ufffdb", "\ufffd \u202eevil")  # type: ignore[union-attr]
    assert archive.bring_in(made, owner=alice).here == 1


def test_without_room_on_the_disk_nothing_is_begun(alice: User, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RESERVE", 1 << 60)
    with pytest.raises(NoRoom, match="not enough room"):
        archive.bring_in(whole, owner=alice)
    assert nothing_came()


# --- by the page ------------------------------------------------------------------------------------


def dropped(owner: User, path: Path, name: str) -> Upload:
    upload = uploads.begin(owner_id=owner.pk, name=name, size=path.stat().st_size)
    uploads.append(upload_id=upload.pk, offset=0, pieces=[path.read_bytes()])
    uploads.take(upload_id=upload.pk)
    jobs.run(job_id=Job.objects.filter(kind=Job.Kind.PREPARE).latest("id").pk, work=preparing.prepare)
    upload.refresh_from_db()
    return upload


def test_what_is_dropped_comes_in_and_says_so(alice: User, whole: Path) -> None:
    upload = dropped(alice, whole, "archive.zip")
    assert (upload.status, upload.reason) == (Upload.Status.BROUGHT_IN, "")
    assert upload.options["told"] == "2 transcripts brought in."
    assert sorted(Record.objects.values_list("title", flat=True)) == ["Ferry", "Sound"]
    assert not uploads.path_of(upload.pk).exists()


def test_what_is_dropped_and_bad_says_why_and_leaves_nothing(alice: User, whole: Path, tmp_path: Path) -> None:
    upload = dropped(alice, cut_at(0.5)(whole, tmp_path / "half.zip"), "half.zip")
    assert (upload.status, upload.reason) == (Upload.Status.REFUSED, opening.CUT)
    assert nothing_came()
    assert not uploads.path_of(upload.pk).exists()


def test_a_worker_that_takes_over_brings_in_the_rest(alice: User, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = dict[str, int]()
    index = archive.bringing.search.index_record

    def index_one(*, record_id: uuid.UUID) -> None:
        index(record_id=record_id)
        taken["times"] = taken.get("times", 0) + 1
        if taken["times"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(archive.bringing.search, "index_record", index_one)
    with pytest.raises(KeyboardInterrupt):
        dropped(alice, whole, "archive.zip")
    monkeypatch.undo()
    job = Job.objects.get(kind=Job.Kind.PREPARE)
    making.let_the_lease_run_out(job)
    assert Record.objects.exclude(pk=job.record_id).count() == 1
    jobs.run(job_id=job.pk, work=preparing.prepare)
    assert sorted(Record.objects.values_list("title", flat=True)) == ["Ferry", "Sound"]
    assert Upload.objects.get().options["told"] == "1 transcript brought in, 1 was here already."
