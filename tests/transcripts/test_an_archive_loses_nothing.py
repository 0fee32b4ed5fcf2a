"""An account goes out in one file and comes in elsewhere, with everything in it."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from memweb.accounts import services as accounts
from memweb.accounts.models import Preferences, User
from tests.transcripts import an_account, making
from transcripts import archive, jobs, recordings, search, shelving
from transcripts.archive import keeping, kinds, packing
from transcripts.callbacks.inbox import Callback, Hook
from transcripts.editor import editing
from transcripts.models import Job, Passage, Record, Recording, Segment, Tag, Upload

# Sealing renews its lease from a thread of its own.
pytestmark = pytest.mark.django_db(transaction=True)


def packed(owner: User, path: Path, **options: Any) -> Path:
    path.write_bytes(b"".join(archive.pack(owner=owner, **options)))
    return path


def members(path: Path) -> dict[str, bytes]:
    """All but what tells of the making."""
    with zipfile.ZipFile(path) as zip:
        found = {name: zip.read(name) for name in zip.namelist()}
    told = json.loads(found.pop("memweb.json"))
    del told["made_at"], told["account"], told["unfinished"]
    return found | {"told": json.dumps(told).encode()}


def let_go_of_everything(owner: User) -> None:
    """As if this were another, empty house."""
    Callback.objects.filter(owner=owner).delete()
    Upload.objects.filter(owner=owner).delete()
    Record.objects.filter(owner=owner).delete()
    Tag.objects.filter(owner=owner).delete()
    Preferences.objects.filter(user=owner).delete()
    for folder in (recordings.settings.AUDIO_DIR, recordings.settings.SPOOL_DIR, recordings.settings.UPLOAD_DIR):
        for path in Path(folder).glob("*"):
            path.unlink()
    assert not Passage.objects.filter(owner=owner).exists()


def indexed(owner: User) -> list[tuple[object, ...]]:
    return sorted(Passage.objects.filter(owner=owner).values_list("record_id", "about", "said"))


def settled(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What was under way is told as stopped in the archive; apart from that nothing may differ."""
    live = {row["id"] for row in rows["Record"] if row["status"] in ("live", "finishing")}
    for row in rows["Record"]:
        if row["id"] in live:
            on_air = row["source"] == "stream"
            row["status"] = "ready" if on_air else "failed"
            row["status_reason"] = packing.STILL_PULLED if on_air else packing.UNFINISHED
    for row in rows["Job"]:
        row["holder"], row["lease_until"] = "", None
        if row["status"] in ("queued", "running", "awaiting"):
            row["status"], row["reason"] = "failed", packing.UNFINISHED
    return rows


@pytest.fixture
def account(alice: User) -> User:
    an_account.fill(alice)
    return alice


def test_every_field_of_every_row_comes_back_and_every_byte_of_sound(account: User, tmp_path: Path) -> None:
    rows, files = an_account.rows(account), an_account.files(account)
    assert all(rows.values()), "some model has no row to lose"
    assert {name.rpartition(".")[2] for name in files} == {"flac", "mwspool", "mp3"}
    for pk in Record.objects.values_list("pk", flat=True):
        search.index_record(record_id=pk)
    index = indexed(account)
    first = packed(account, tmp_path / "first.zip")
    let_go_of_everything(account)
    brought = archive.bring_in(first, owner=account)
    assert (brought.came, brought.here, brought.renamed, brought.trouble) == (len(rows["Record"]), 0, 0, [])
    expected, came = settled(rows), an_account.rows(account)
    live = next(row["id"] for row in rows["Record"] if row["title"] == "Live")
    (seal,) = [row for row in came["Job"] if (row["record"], row["kind"]) == (live, "seal")]
    came["Job"].remove(seal)
    for model in expected:
        assert came[model] == expected[model], model
    assert an_account.files(account) == files
    assert indexed(account) == index
    assert search.count(search.parse("ferry speaker:osei"), owner_id=account.pk) == 1
    chosen = Preferences.objects.get(user=account)
    assert (chosen.language, chosen.single_keys, chosen.file_options) == (
        "pt",
        False,
        {"language": "pt", "diarize": True},
    )
    assert chosen.export_options == {"format": "srt"}
    assert (chosen.gateway_url, bytes(chosen.gateway_key)) == ("", b"")
    # What was left open can be finished here.
    assert jobs.retry(record_id=uuid.UUID(live), job_id=Job.objects.filter(record=live).latest("id").pk) is not None
    jobs.run(job_id=Job.objects.filter(record=live).latest("id").pk, work=recordings.seal)
    assert Recording.objects.get(record=live).samples == 6400


def test_the_archive_of_the_copy_is_the_archive(account: User, bob: User, tmp_path: Path) -> None:
    first = packed(account, tmp_path / "first.zip")
    let_go_of_everything(account)
    archive.bring_in(first, owner=bob)
    assert members(packed(bob, tmp_path / "second.zip")) == members(first)


def test_what_was_undone_and_put_back_can_be_so_in_the_copy(account: User, tmp_path: Path) -> None:
    first = packed(account, tmp_path / "first.zip")
    let_go_of_everything(account)
    archive.bring_in(first, owner=account)
    record = Record.objects.get(title="Ferry <b>notes</b>")
    version = record.current_version
    assert version is not None
    before = version.segments.get(key="d").removed
    assert before is True
    assert editing.undo(version=version, user_id=account.pk)
    record.refresh_from_db()
    assert record.title == "Ferry"
    assert editing.undo(version=version, user_id=account.pk)
    assert version.segments.get(key="d").removed is False


def test_the_same_again_changes_nothing(account: User, tmp_path: Path) -> None:
    first = packed(account, tmp_path / "first.zip")
    for record in Record.objects.filter(status="live"):  # what is going on is told otherwise, and is another by then
        record.delete()
    Job.objects.filter(status__in=["queued", "awaiting"]).update(status="failed", reason=packing.UNFINISHED)
    first = packed(account, tmp_path / "settled.zip")
    before = an_account.rows(account), an_account.files(account)
    brought = archive.bring_in(first, owner=account)
    assert (brought.came, brought.here) == (0, len(before[0]["Record"]))
    assert (an_account.rows(account), an_account.files(account)) == before


def test_what_differs_is_never_overwritten_and_comes_in_once(alice: User, tmp_path: Path) -> None:
    record = making.dictation(alice, "The ferry leaves.", title="Mine")
    path = packed(alice, tmp_path / "a.zip")
    assert record.current_version is not None
    editing.rewrite(version=record.current_version, keys=["1-0"], revisions=[0], text="It came.", user_id=alice.pk)
    for expected in ((1, 1, 0), (0, 0, 1), (0, 0, 1)):
        brought = archive.bring_in(path, owner=alice)
        assert (brought.came, brought.renamed, brought.here) == expected
    assert sorted(Segment.objects.values_list("text", flat=True)) == ["It came.", "The ferry leaves."]
    assert Record.objects.get(pk=record.pk).current_version.segments.get().text == "It came."  # type: ignore[union-attr]


def test_where_a_record_lies_makes_no_other_of_it(alice: User, tmp_path: Path) -> None:
    record = making.dictation(alice, "The ferry leaves.", title="Mine")
    path = packed(alice, tmp_path / "a.zip")
    shelving.tag(owner_id=alice.pk, ids=[record.pk], name="later")
    shelving.pin(owner_id=alice.pk, ids=[record.pk], pinned=True)
    shelving.bin_records(owner_id=alice.pk, ids=[record.pk])
    assert archive.bring_in(path, owner=alice).here == 1
    assert Record.objects.count() == 1
    assert Record.objects.get().deleted_at is not None


@pytest.mark.parametrize("made", [{"language": "fr"}, {"gateway_url": "https://speech.example.org"}])
def test_choices_that_somebody_made_here_stay(account: User, bob: User, tmp_path: Path, made: dict[str, str]) -> None:
    accounts.save_preferences(user=bob, **made)
    archive.bring_in(packed(account, tmp_path / "a.zip"), owner=bob)
    chosen = Preferences.objects.get(user=bob)
    assert {name: getattr(chosen, name) for name in made} == made
    assert chosen.single_keys, "theirs say so, the archive's do not"


def test_another_persons_record_stays_theirs(account: User, bob: User, tmp_path: Path) -> None:
    path = packed(account, tmp_path / "a.zip")
    theirs = an_account.rows(account), an_account.files(account)
    brought = archive.bring_in(path, owner=bob)
    assert brought.came == brought.renamed == len(theirs[0]["Record"])
    assert (an_account.rows(account), an_account.files(account)) == theirs
    assert archive.bring_in(path, owner=bob).here == brought.came
    assert Callback.objects.filter(owner=bob).count() == Callback.objects.filter(owner=account).count()


def test_without_recordings_and_the_recording_later(alice: User, tmp_path: Path) -> None:
    an_account._sealed(alice, seconds=0.7)
    slim, whole = packed(alice, tmp_path / "slim.zip", sound=False), packed(alice, tmp_path / "whole.zip")
    files = an_account.files(alice)
    assert not [name for name in members(slim) if name.startswith("recordings/")]
    let_go_of_everything(alice)
    assert archive.bring_in(slim, owner=alice).came == 1
    assert not Recording.objects.exists()
    brought = archive.bring_in(whole, owner=alice)
    assert (brought.came, brought.here, brought.completed) == (0, 1, 1)
    assert an_account.files(alice) == files
    assert archive.bring_in(slim, owner=alice).here == 1
    assert Recording.objects.count() == 1


def test_what_is_large_never_lies_in_memory(alice: User, tmp_path: Path) -> None:
    record = making.dictation(alice, "A long day.", title="Long", finished=False)
    path = recordings.spool_path(record.pk)
    path.parent.mkdir()
    path.write_bytes(os.urandom(2**20) * 48)
    held = tmp_path / "large.zip"
    tracemalloc.start()
    with held.open("wb") as file:
        for piece in archive.pack(owner=alice):
            file.write(piece)
    packing_peak = tracemalloc.get_traced_memory()[1]
    let_go_of_everything(alice)
    tracemalloc.reset_peak()
    assert archive.bring_in(held, owner=alice).came == 1
    bringing_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size == 48 * 2**20
    assert max(packing_peak, bringing_peak) < 12 * 2**20


def test_nothing_that_is_secret_leaves_the_house(account: User, tmp_path: Path) -> None:
    from memweb.accounts import services as accounts
    from memweb.accounts.seal import unseal
    from transcripts.callbacks import hooks
    from transcripts.taken_away import sharing

    hooks.path_of(account)
    accounts.change_password(user=account, password="a-long-password")
    hook = Hook.objects.get(user=account)
    share = sharing.make(record_id=Record.objects.filter(owner=account)[0].pk)
    secrets = [
        share.digest,
        sharing.token_of(share),
        hook.digest,
        unseal(hook.sealed),
        account.password,
        "sealed-secret",
        "a-long-password",
    ]
    held = b"".join(members(packed(account, tmp_path / "a.zip")).values())
    assert not [secret for secret in secrets if secret.encode() in held]


def test_anybody_can_check_it_with_sha256sum(account: User, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(account, tmp_path / "a.zip")) as zip:
        assert zip.testzip() is None
        sums = zip.read("SHA256SUMS")
        for line in sums.decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(zip.read(name)).hexdigest() == digest
        assert json.loads(zip.read("memweb.json"))["sums_sha256"] == hashlib.sha256(sums).hexdigest()
        assert len(sums.splitlines()) == len(zip.namelist()) - 2


# --- nothing can be forgotten -----------------------------------------------------------------------


def test_every_model_and_every_field_is_carried_or_left_out_for_a_reason() -> None:
    models = {model.__name__: model for model in apps.get_app_config("transcripts").get_models()}
    lined = {kind.model.__name__: kind for kind in kinds.BY_NAME.values() if kind is not kinds.PREFERENCES}
    assert lined.keys() | kinds.OTHERWISE.keys() == models.keys()
    assert not lined.keys() & kinds.OTHERWISE.keys()
    for kind in kinds.BY_NAME.values():
        fields = {field.name for field in kind.model._meta.concrete_fields}
        assert {*kind.carried} | kind.left_out.keys() == fields, kind.name
        assert not {*kind.carried} & kind.left_out.keys(), kind.name
        assert all(len(reason) > 20 for reason in (*kind.left_out.values(), *kinds.OTHERWISE.values()))
        # The one many-to-many there is goes by name, on the record's line.
        assert [field.name for field in kind.model._meta.many_to_many] == (["tags"] if kind is kinds.RECORD else [])


def test_the_walk_notices_a_field_that_nobody_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    slim = kinds.Kind("mark", kinds.MARK.model, ("at_ms",), ("at_ms",), kinds.MARK.left_out)
    monkeypatch.setitem(kinds.BY_NAME, "mark", slim)
    with pytest.raises(AssertionError, match="mark"):
        test_every_model_and_every_field_is_carried_or_left_out_for_a_reason()
    monkeypatch.undo()
    monkeypatch.delitem(kinds.OTHERWISE, "Hook")
    with pytest.raises(AssertionError):
        test_every_model_and_every_field_is_carried_or_left_out_for_a_reason()


# --- killed half-way --------------------------------------------------------------------------------


class Killed(BaseException):
    """What no handler of ours catches."""


@pytest.mark.parametrize("step", range(1, 14, 2))
def test_killed_anywhere_and_run_again_nothing_is_doubled(
    account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = packed(account, tmp_path / "a.zip")
    let_go_of_everything(account)
    archive.bring_in(path, owner=account)
    expected = an_account.rows(account), an_account.files(account)
    let_go_of_everything(account)
    count, line = 0, keeping.Rows._line

    def killed(self: Any, told: Any) -> None:
        nonlocal count
        count += told.kind in ("version", "segment", "job", "recording")
        if count == step * 2:
            raise Killed
        line(self, told)

    monkeypatch.setattr(keeping.Rows, "_line", killed)
    with pytest.raises(Killed):
        archive.bring_in(path, owner=account)
    monkeypatch.undo()
    half = an_account.rows(account)
    assert len(half["Record"]) < len(expected[0]["Record"])
    for record in half["Record"]:  # whole, or not at all
        assert [row for row in half["Segment"] if row["version"][0] == record["id"]] == [
            row for row in expected[0]["Segment"] if row["version"][0] == record["id"]
        ]
    archive.bring_in(path, owner=account)
    assert (an_account.rows(account), an_account.files(account)) == expected
