"""tus 1.0 case by case, after the list that its reference server keeps, and what is told is on disk."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from transcripts import uploads
from transcripts.errors import Busy, Damaged, NoRoom, TooLarge, WrongOffset
from transcripts.models import Job, Record, Upload
from transcripts.uploads import Checksum

pytestmark = pytest.mark.django_db
TUS = {"Tus-Resumable": "1.0.0"}
FILE = b"hello, this is a file"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def create(client: Client, size: int = len(FILE), name: str = "a.wav", **headers: str) -> Any:
    about = f"filename {b64(name)},fingerprint {b64('f-1')}"
    return client.post("/uploads/", headers={**TUS, "Upload-Length": str(size), "Upload-Metadata": about, **headers})


def patch(client: Client, path: str, body: bytes, offset: int, **headers: str) -> Any:
    kind = headers.pop("Content-Type", "application/offset+octet-stream")
    return client.patch(path, body, content_type=kind, headers={**TUS, "Upload-Offset": str(offset), **headers})


def head(client: Client, path: str) -> Any:
    return client.head(path, headers=TUS)


def the_upload() -> Upload:
    return Upload.objects.get()


def test_options_tell_what_is_possible(as_alice: Client) -> None:
    answer = as_alice.options("/uploads/")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Extension"] == "creation,termination,checksum,expiration"
    assert answer["Tus-Max-Size"] == "4000000000"
    assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256,md5"


def test_a_file_is_announced(as_alice: Client) -> None:
    answer = create(as_alice, name="Gespräch.wav")
    upload = the_upload()
    assert (answer.status_code, answer["Location"]) == (201, f"/uploads/{upload.pk}/")
    assert answer["Upload-Expires"].endswith("GMT")
    assert (upload.name, upload.size, upload.offset, upload.fingerprint) == ("Gespräch.wav", len(FILE), 0, "f-1")
    assert uploads.path_of(upload.pk).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "-5"}, 400),
        ({"Upload-Length": "abc"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "4000000001"}, 413),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Metadata": "filename notbase64!"}, 400),
        ({"Upload-Metadata": "a " + "A" * 9000}, 400),
        ({"Tus-Resumable": "0.2.2"}, 412),
    ],
)
def test_what_is_announced_wrongly_is_refused(as_alice: Client, headers: dict[str, str], status: int) -> None:
    answer = create(as_alice, **headers)
    assert answer.status_code == status
    assert not Upload.objects.exists()
    assert status != 412 or answer["Tus-Version"] == "1.0.0"


def test_a_length_is_needed(as_alice: Client) -> None:
    assert as_alice.post("/uploads/", headers=TUS).status_code == 400


def test_a_full_disk_is_told_before_a_byte_is_sent(as_alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RESERVE", 2**60)
    assert create(as_alice).status_code == 507
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.wav", "a.wav"),
        ("a\n<b>\x00\u202egnp.wav", "a <b>\ufffd\ufffdgnp.wav"),
        ("", "Unnamed"),
        ("x" * 4000, "x" * 300),
    ],
)
def test_a_name_is_a_name_and_no_path(given: str, shown: str) -> None:
    assert uploads.named(given) == shown


def test_a_file_comes_in_pieces(as_alice: Client, alice: User) -> None:
    path = create(as_alice)["Location"]
    answer = patch(as_alice, path, FILE[:5], 0)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "5")
    told = head(as_alice, path)
    assert (told["Upload-Offset"], told["Upload-Length"], told["Cache-Control"]) == ("5", str(len(FILE)), "no-store")
    assert told["Upload-Metadata"] == f"filename {b64('a.wav')}"
    assert patch(as_alice, path, FILE[5:], 5)["Upload-Offset"] == str(len(FILE))
    upload = the_upload()
    assert uploads.path_of(upload.pk).read_bytes() == FILE
    record = Record.objects.get()
    assert (record.owner, record.title, record.status) == (alice, "a", Record.Status.FINISHING)
    assert (upload.record, upload.status) == (record, Upload.Status.TAKEN)
    assert Job.objects.get().kind == Job.Kind.PREPARE
    assert "Upload-Expires" not in head(as_alice, path)


def test_what_was_told_is_synced_before(as_alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path, order = create(as_alice)["Location"], []
    real, save = os.fsync, Upload.save

    def sync(file: Any) -> None:
        real(file)
        order.append("synced")

    def kept(self: Upload, *args: Any, **kwargs: Any) -> None:
        order.append("told")
        save(self, *args, **kwargs)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Upload, "save", kept)
    patch(as_alice, path, FILE[:5], 0)
    assert order == ["synced", "told"]


def test_what_a_crash_left_behind_the_offset_does_not_count(as_alice: Client) -> None:
    path = create(as_alice)["Location"]
    patch(as_alice, path, FILE[:5], 0)
    with uploads.path_of(the_upload().pk).open("ab") as file:
        file.write(b"torn, and never told")
    assert head(as_alice, path)["Upload-Offset"] == "5"
    assert patch(as_alice, path, FILE[5:], 5).status_code == 204
    assert uploads.path_of(the_upload().pk).read_bytes() == FILE


@pytest.mark.parametrize(
    ("offset", "kind", "body", "status"),
    [
        (4, None, b"x", 409),
        (0, None, b"x", 409),
        (5, "application/octet-stream", b"x", 415),
        (5, "application/offset+octet-streamx", b"x", 415),
        (5, None, FILE, 413),
    ],
)
def test_a_piece_that_does_not_fit_changes_nothing(
    as_alice: Client, offset: int, kind: str | None, body: bytes, status: int
) -> None:
    path = create(as_alice)["Location"]
    patch(as_alice, path, FILE[:5], 0)
    headers = {"Content-Type": kind} if kind else {}
    assert patch(as_alice, path, body, offset, **headers).status_code == status
    assert head(as_alice, path)["Upload-Offset"] == "5"


def test_a_piece_needs_its_offset(as_alice: Client) -> None:
    path = create(as_alice)["Location"]
    answer = as_alice.patch(path, FILE, content_type="application/offset+octet-stream", headers=TUS)
    assert answer.status_code == 400


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_digest_is_checked(as_alice: Client, algorithm: str) -> None:
    path = create(as_alice)["Location"]
    wrong = f"{algorithm} {b64(hashlib.new(algorithm, b'other').digest())}"
    assert patch(as_alice, path, FILE[:5], 0, **{"Upload-Checksum": wrong}).status_code == 460
    assert head(as_alice, path)["Upload-Offset"] == "0"
    right = f"{algorithm} {b64(hashlib.new(algorithm, FILE[:5]).digest())}"
    assert patch(as_alice, path, FILE[:5], 0, **{"Upload-Checksum": right}).status_code == 204


@pytest.mark.parametrize("checksum", ["crc32 AAAA", "sha1 not-base64", "sha1"])
def test_a_digest_that_cannot_be_checked_is_refused(as_alice: Client, checksum: str) -> None:
    path = create(as_alice)["Location"]
    assert patch(as_alice, path, FILE[:5], 0, **{"Upload-Checksum": checksum}).status_code in (400, 460)
    assert head(as_alice, path)["Upload-Offset"] == "0"


def test_a_whole_file_takes_no_more(as_alice: Client) -> None:
    path = create(as_alice)["Location"]
    patch(as_alice, path, FILE, 0)
    assert patch(as_alice, path, b"x", len(FILE)).status_code == 403
    assert patch(as_alice, path, FILE, 0).status_code == 409
    assert Record.objects.count() == 1


def test_an_empty_file_is_whole_at_once(as_alice: Client) -> None:
    path = create(as_alice, size=0)["Location"]
    assert head(as_alice, path)["Upload-Offset"] == "0"
    assert Job.objects.get().kind == Job.Kind.PREPARE


def test_a_file_is_let_go_of(as_alice: Client) -> None:
    path = create(as_alice)["Location"]
    file = uploads.path_of(the_upload().pk)
    assert as_alice.delete(path, headers=TUS).status_code == 204
    assert not file.exists()
    assert head(as_alice, path).status_code == 404
    assert patch(as_alice, path, FILE, 0).status_code == 404
    assert as_alice.delete(path, headers=TUS).status_code == 404


def test_a_method_may_be_told_by_a_header(as_alice: Client) -> None:
    path = create(as_alice)["Location"]
    headers = {**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    kind = "application/offset+octet-stream"
    assert as_alice.post(path, FILE[:5], content_type=kind, headers=headers).status_code == 204
    assert as_alice.get(path, headers=TUS).status_code == 405
    assert as_alice.put("/uploads/", headers=TUS).status_code == 405


def test_only_who_began_it_goes_on(as_alice: Client, bob: User) -> None:
    path = create(as_alice)["Location"]
    stranger, visitor = Client(), Client()
    stranger.force_login(bob)
    for client, status in ((stranger, 404), (visitor, 401)):
        assert head(client, path).status_code == status
        assert patch(client, path, FILE, 0).status_code == status
        assert client.delete(path, headers=TUS).status_code == status
    assert create(visitor).status_code == 401
    assert head(as_alice, path)["Upload-Offset"] == "0"


def test_nothing_is_taken_without_the_pages_token(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert create(client).status_code == 403


def test_of_two_pieces_at_once_one_wins(alice: User) -> None:
    """The first is in the middle of its bytes when the second comes with the same offset."""
    upload = uploads.begin(owner_id=alice.pk, name="a.wav", size=len(FILE))
    met: list[Exception] = []

    def slow() -> Any:
        yield FILE[:3]
        try:
            uploads.append(upload_id=upload.pk, offset=0, pieces=[b"other"])
        except Busy as error:
            met.append(error)
        yield FILE[3:5]

    assert uploads.append(upload_id=upload.pk, offset=0, pieces=slow()).offset == 5
    assert len(met) == 1
    with pytest.raises(WrongOffset):
        uploads.append(upload_id=upload.pk, offset=0, pieces=[b"other"])
    assert uploads.path_of(upload.pk).read_bytes() == FILE[:5]


@pytest.mark.django_db(transaction=True)
def test_many_that_come_at_once_make_one_file(alice: User) -> None:
    upload = uploads.begin(owner_id=alice.pk, name="a.wav", size=40_000)
    whole = os.urandom(40_000)
    won: list[int] = []

    def send() -> None:
        try:
            for at in range(0, 40_000, 10_000):
                while True:
                    try:
                        uploads.append(upload_id=upload.pk, offset=at, pieces=[whole[at : at + 10_000]])
                        won.append(at)
                        break
                    except Busy:
                        continue
                    except WrongOffset:
                        break
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [0, 10_000, 20_000, 30_000]
    assert uploads.path_of(upload.pk).read_bytes() == whole


def test_a_whole_file_becomes_one_record(alice: User) -> None:
    upload = uploads.begin(owner_id=alice.pk, name="a.wav", size=3)
    uploads.append(upload_id=upload.pk, offset=0, pieces=[b"abc"])
    assert uploads.take(upload_id=upload.pk).record == uploads.take(upload_id=upload.pk).record
    assert Record.objects.count() == 1


def test_of_a_file_that_is_not_whole_no_record_is_made(alice: User) -> None:
    upload = uploads.begin(owner_id=alice.pk, name="a.wav", size=3)
    uploads.append(upload_id=upload.pk, offset=0, pieces=[b"ab"])
    assert uploads.take(upload_id=upload.pk).status == Upload.Status.RECEIVING
    assert not Record.objects.exists()
    uploads.append(upload_id=upload.pk, offset=2, pieces=[b"c"])
    assert uploads.take(upload_id=upload.pk).record == Record.objects.get()


def test_more_than_was_announced_is_not_kept(alice: User) -> None:
    upload = uploads.begin(owner_id=alice.pk, name="a.wav", size=3)
    with pytest.raises(TooLarge):
        uploads.append(upload_id=upload.pk, offset=0, pieces=[b"ab", b"cd"])
    with pytest.raises(Damaged):
        uploads.append(upload_id=upload.pk, offset=0, pieces=[b"ab"], checksum=Checksum("md5", b""))
    assert Upload.objects.get().offset == 0


def test_what_is_abandoned_is_swept(alice: User, data_folder: Path) -> None:
    old, fresh = (uploads.begin(owner_id=alice.pk, name=name, size=3) for name in ("old", "fresh"))
    Upload.objects.filter(pk=old.pk).update(touched_at=timezone.now() - timedelta(days=8))
    orphan = uploads.path_of(uuid.uuid4())
    orphan.touch()
    os.utime(orphan, (0, 0))
    assert uploads.sweep(now=timezone.now()) == 2
    assert list(Upload.objects.all()) == [fresh]
    assert not uploads.path_of(old.pk).exists()
    assert not orphan.exists()


def test_what_came_of_a_whole_file_is_told_until_it_is_dismissed(alice: User) -> None:
    for status in ("refused", "duplicate", "brought_in", "taken"):
        made = uploads.begin(owner_id=alice.pk, name=status, size=3)
        Upload.objects.filter(pk=made.pk).update(status=status, touched_at=timezone.now() - timedelta(days=80))
    assert uploads.sweep(now=timezone.now()) == 0
    assert Upload.objects.listed().count() == 4


def test_room_that_others_have_been_promised_is_not_promised_again(
    as_alice: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_free", lambda: 1000)
    coming = uploads.begin(owner_id=bob.pk, name="theirs.wav", size=700)
    assert create(as_alice, size=400).status_code == 507
    uploads.append(upload_id=coming.pk, offset=0, pieces=[b"x" * 300])
    assert create(as_alice, size=600).status_code == 201
    stalled = timezone.now() - uploads.COMING - timedelta(seconds=1)
    Upload.objects.update(touched_at=stalled)
    assert create(as_alice, size=1000).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_two_who_announce_at_once_one_finds_the_last_room_taken(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    told: list[str] = []

    def free() -> int:
        with suppress(threading.BrokenBarrierError):  # who comes alone does not wait for ever
            both.wait(1)
        return 1000

    def announce(owner: User) -> None:
        try:
            uploads.begin(owner_id=owner.pk, name="a.wav", size=700)
            told.append("taken")
        except NoRoom:
            told.append("no room")
        finally:
            connection.close()

    monkeypatch.setattr(uploads, "_free", free)
    threads = [threading.Thread(target=announce, args=(owner,)) for owner in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["no room", "taken"]
    assert Upload.objects.count() == 1


def test_what_one_person_announces_leaves_room_for_others(
    as_alice: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_free", lambda: 1000)
    for number in range(10):  # and nothing of them is ever sent
        uploads.begin(owner_id=bob.pk, name=f"{number}.wav", size=100)
    assert create(as_alice, size=251).status_code == 507
    assert create(as_alice, size=250).status_code == 201
    with pytest.raises(NoRoom):  # their own are counted whole
        uploads.begin(owner_id=bob.pk, name="one more.wav", size=1)


def test_one_person_begins_so_many_and_others_are_not_kept_waiting(
    as_alice: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uploads.MOST_UNFINISHED > 200  # as many as may be dropped together, were they all begun at once
    monkeypatch.setattr(uploads, "MOST_UNFINISHED", 2)
    first, _ = create(as_alice), create(as_alice)
    answer = create(as_alice)
    assert (answer.status_code, answer["Retry-After"], answer["Tus-Resumable"]) == (429, "60", "1.0.0")
    assert "remove some on the Upload page" in answer.content.decode()
    stranger = Client()
    stranger.force_login(bob)
    assert create(stranger).status_code == 201
    patch(as_alice, first["Location"], FILE, 0)
    assert create(as_alice).status_code == 201
    assert create(as_alice).status_code == 429


def test_a_disk_that_fills_up_meanwhile_takes_no_more_until_there_is_room(
    as_alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create(as_alice)["Location"]
    patch(as_alice, path, FILE[:5], 0)
    free = iter([4, 3])  # another piece of the same request took the last of it
    with monkeypatch.context() as full:
        full.setattr(uploads, "_free", lambda: next(free))
        with pytest.raises(NoRoom):
            uploads.append(upload_id=the_upload().pk, offset=5, pieces=[FILE[5:8], FILE[8:]])
    assert uploads.path_of(the_upload().pk).read_bytes() == FILE[:5]
    with monkeypatch.context() as full:
        full.setattr(uploads, "_free", lambda: 0)
        answer = patch(as_alice, path, FILE[5:], 5)
    assert (answer.status_code, answer.content.decode()) == (507, uploads.NO_ROOM)
    assert patch(as_alice, path, FILE[5:], 5).status_code == 204
    assert uploads.path_of(the_upload().pk).read_bytes() == FILE


@pytest.mark.parametrize(
    ("name", "title"),
    [("Interview 1.wav", "Interview 1"), (".wav", ".wav"), ("v1.2 of it", "v1.2 of it"), ("tape", "tape")],
)
def test_a_record_is_named_for_its_file(name: str, title: str) -> None:
    assert uploads.title_of(name) == title
