"""The asset endpoints, request by request."""

from __future__ import annotations

import hashlib
import os
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import assets, keys
from memweb.gateway.api import assets as api_assets
from memweb.gateway.models import Account, Asset
from tests.gateway import media
from tests.gateway.test_the_api_refuses_in_its_envelope import AT, refused

pytestmark = pytest.mark.django_db
SOUND = media.wav(1.0)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.ASSET_DIR = tmp_path / "assets"
    return tmp_path / "assets"


def client_of(name: str) -> Client:
    return Client(headers={"Authorization": keys.create_key(user=User.objects.create_user(name), name="tests")[1]})


@pytest.fixture
def client() -> Client:
    return client_of("owner")


def upload(client: Client, body: bytes = SOUND, name: str = "a.wav", field: str = "file") -> Any:
    return client.post(f"{AT}/upload", {field: SimpleUploadedFile(name, body)})


def data(answer: Any) -> Any:
    """What a success carries in the documented shape."""
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body == {"code": 200, "msg": "success", "data": body["data"], "success": True, "failed": False}
    return body["data"]


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def body_of(answer: Any) -> bytes:
    """What was streamed. `answer.close()` would close the test's database too."""

    async def collect() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    try:
        return async_to_sync(collect)()
    finally:
        for close in answer._resource_closers:
            close()


def test_an_upload_is_an_asset_at_once(client: Client, folder: Path) -> None:
    answer = data(upload(client))
    assert set(answer) == {"asset_id"}
    assert re.fullmatch(r"re_[1-9][0-9]{17}", answer["asset_id"])
    (file,) = kept(folder)
    assert file.read_bytes() == SOUND
    assert Asset.objects.get().sha256 == hashlib.sha256(SOUND).hexdigest()


def test_metadata_is_told_in_strings(client: Client) -> None:
    before = int(time.time() * 1000)
    asset_id = data(upload(client, name="Großes Gespräch.WAV"))["asset_id"]
    told = data(client.get(f"{AT}/{asset_id}/metadata"))
    (resource,) = told["resource"]
    assert told["total"] == 1
    assert before - 1000 <= int(resource.pop("create_time")) <= int(resource.pop("modify_time")) <= time.time() * 1000
    assert resource == {
        "extension": "wav",
        "asset_id": asset_id,
        "original_filename": "Großes Gespräch.WAV",
        "file_size": str(len(SOUND)),
        "upload_status": "SUCCESS",
    }


def test_a_download_is_the_file_as_an_attachment(client: Client) -> None:
    asset_id = data(upload(client))["asset_id"]
    for path in (f"{AT}/{asset_id}/download", f"{AT}/download?bucket=memweb&blob={asset_id}"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert body_of(answer) == SOUND
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.wav"'
        assert answer.headers["Content-Length"] == str(len(SOUND))
        assert answer.headers["Content-Type"] in ("audio/x-wav", "audio/wav")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_download_may_be_of_a_range(client: Client) -> None:
    path = f"{AT}/{data(upload(client))['asset_id']}/download"
    part = client.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, body_of(part)) == (206, SOUND[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(SOUND)}"
    refused(client.get(path, headers={"Range": "bytes=9999999-"}), 416)
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(SOUND)))


def test_a_download_is_known_by_the_digest_of_its_bytes(client: Client) -> None:
    """Whoever has the beginning of another file gets all of this one."""
    bodies = (SOUND, media.wav(2.0))
    paths = [f"{AT}/{data(upload(client, body))['asset_id']}/download" for body in bodies]
    tags = [client.head(path).headers["ETag"] for path in paths]
    assert tags == [f'"{hashlib.sha256(body).hexdigest()[:32]}"' for body in bodies]
    for tag, known in ((tags[0], (206, SOUND[10:20])), (tags[1], (200, SOUND))):
        part = client.get(paths[0], headers={"Range": "bytes=10-19", "If-Range": tag})
        assert (part.status_code, body_of(part)) == known


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.js", "x", "x.pdf"])
def test_nothing_is_given_out_as_something_a_browser_would_run(client: Client, name: str) -> None:
    answer = client.get(f"{AT}/{data(upload(client, name=name))['asset_id']}/download")
    assert body_of(answer) == SOUND
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_a_deleted_asset_is_gone_with_its_bytes(client: Client, folder: Path) -> None:
    asset_id = data(upload(client))["asset_id"]
    assert data(client.delete(f"{AT}/{asset_id}")) is None
    assert kept(folder) == []
    assert refused(client.delete(f"{AT}/{asset_id}"), 400) == "Asset not found"


@pytest.mark.parametrize("asset_id", ["re_660727003963174912", "re_1", "x", "%F0%9F%92%A9", "re_" + "9" * 300, "..%2f"])
def test_an_unknown_asset_is_not_found(client: Client, asset_id: str) -> None:
    for what in ("metadata", "download"):
        answer = client.get(f"{AT}/{asset_id}/{what}")
        assert refused(answer, 404 if "2f" in asset_id else 400)
    assert client.delete(f"{AT}/{asset_id}").status_code in (400, 404)


def test_somebody_elses_asset_does_not_exist(client: Client, folder: Path) -> None:
    asset_id = data(upload(client))["asset_id"]
    other = client_of("other")
    assert refused(other.get(f"{AT}/{asset_id}/metadata"), 400) == "Asset not found"
    assert refused(other.get(f"{AT}/{asset_id}/download"), 400) == "Asset not found"
    assert refused(other.get(f"{AT}/download?bucket=memweb&blob={asset_id}"), 400) == "Resource does not exist"
    assert refused(other.delete(f"{AT}/{asset_id}"), 400) == "Asset not found"
    assert len(kept(folder)) == 1


def test_a_blob_is_asked_for_in_the_contracts_words(client: Client) -> None:
    for query, said in {
        "": "Bucket cannot be null or empty",
        "?blob=x": "Bucket cannot be null or empty",
        "?bucket=x": "Blob cannot be null or empty",
        "?bucket=x&blob=y": "Resource does not exist",
        "?bucket=memweb&blob=%00": "Resource does not exist",
    }.items():
        assert refused(client.get(f"{AT}/download{query}"), 400) == said


def test_what_is_no_media_is_refused_and_not_kept(client: Client, folder: Path) -> None:
    for body in (b"", b"hello " * 1000, b"#EXTM3U\nfile:///etc/passwd\n", SOUND[:20], b"PK\x03\x04" + bytes(99)):
        assert refused(upload(client, body), 400).endswith(".")
    assert kept(folder) == []
    assert not Asset.objects.exists()


def test_a_picture_is_an_asset(client: Client) -> None:
    assert data(upload(client, b"\x89PNG\r\n\x1a\n" + bytes(99), "a.png"))


def test_an_upload_needs_its_field(client: Client) -> None:
    assert refused(upload(client, field="other"), 400) == "file cannot be null or empty"
    assert refused(client.post(f"{AT}/upload", {"file": "text"}), 400) == "file cannot be null or empty"
    assert refused(client.post(f"{AT}/upload", {"a": 1}, "application/json"), 415)
    assert refused(client.post(f"{AT}/upload", b"x", "multipart/form-data"), 400)
    assert refused(client.post(f"{AT}/upload", b"x", "multipart/form-data; boundary=x"), 400)


@pytest.mark.parametrize(
    ("given", "kept_as"),
    [
        ("../../etc/passwd.mp3", "passwd.mp3"),
        ("..\\x.mp3", "x.mp3"),
        ("a\x00b\r\nc.mp3", None),
        ("x" * 400 + ".mp3", None),
    ],
)
def test_a_name_is_a_name_and_never_a_path(given: str, kept_as: str | None) -> None:
    name = assets._plain(given)
    assert name == kept_as or (kept_as is None and len(name) <= 255 and name.isprintable() and name.endswith(".mp3"))


def test_a_file_above_the_quota_is_refused_and_not_kept(client: Client, folder: Path, settings: Any) -> None:
    settings.ASSET_QUOTA_GB = 50e-6
    data(upload(client))
    answer = upload(client)
    assert refused(answer, 413)
    assert len(kept(folder)) == 1
    assert data(upload(client_of("other")))
    settings.ASSET_QUOTA_GB, settings.MAX_UPLOAD_MB = 1, 0
    assert "larger" in refused(upload(client), 413)


def test_two_uploads_at_once_share_one_quota(client: Client, settings: Any) -> None:
    """Each saw room for itself before the other was kept."""
    settings.ASSET_QUOTA_GB = 50e-6
    account = Account.objects.get()
    with assets.Incoming(50_000) as one, assets.Incoming(50_000) as other:
        for incoming in (one, other):
            incoming.write(SOUND)
        assets.store(account_id=account.pk, name="a", incoming=one)
        with pytest.raises(assets.TooLarge):
            assets.store(account_id=account.pk, name="b", incoming=other)


class Unread:
    """A body that nobody may ask for."""

    def read(self, *size: int) -> bytes:
        raise AssertionError("the body is read")

    readline = read


def test_a_body_that_is_longer_than_the_room_is_refused_by_its_length_alone(
    client: Client, expected: dict[str, Any], settings: Any
) -> None:
    settings.MAX_UPLOAD_MB = 1
    sent: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": "2100000"}
    for path, kind in ((f"{AT}/upload", "multipart/form-data; boundary=B"), (expected["path"], "audio/wav")):
        verb = client.put if path == expected["path"] else client.post
        assert "The body is larger" in refused(verb(path, b"-", kind, **sent), 413)
    assert status(client, expected["asset_id"])[0] == "FAILED"


# --- signed URLs ------------------------------------------------------------------------------------


@pytest.fixture
def expected(client: Client) -> dict[str, Any]:
    """An asset whose bytes are to come; the URL as a path."""
    answer = data(client.post(f"{AT}/upload/signed-url", {"original_filename": "a.mp3"}, "application/json"))
    assert set(answer) == {"asset_id", "signed_url", "expires_in"}
    assert answer["expires_in"] == 93600
    answer["path"] = answer["signed_url"].removeprefix("http://testserver")
    return answer


def status(client: Client, asset_id: str) -> tuple[str, str | None]:
    (resource,) = data(client.get(f"{AT}/{asset_id}/metadata"))["resource"]
    return resource["upload_status"], resource.get("reason")


def test_a_signed_url_takes_the_bytes_raw_and_without_a_key(client: Client, expected: dict[str, Any]) -> None:
    assert status(client, expected["asset_id"]) == ("WAITING", None)
    answer = data(Client().put(expected["path"], SOUND, "application/octet-stream"))
    assert answer == {"asset_id": expected["asset_id"]}
    assert status(client, expected["asset_id"]) == ("SUCCESS", None)
    assert body_of(client.get(f"{AT}/{expected['asset_id']}/download")) == SOUND


def test_a_signed_url_takes_a_form_as_the_docs_have_it(client: Client, expected: dict[str, Any]) -> None:
    data(Client().post(expected["path"], {"file": SimpleUploadedFile("other.wav", SOUND)}))
    assert status(client, expected["asset_id"]) == ("SUCCESS", None)


def test_a_signed_url_takes_one_file_only(client: Client, expected: dict[str, Any], folder: Path) -> None:
    data(Client().put(expected["path"], SOUND, "audio/wav"))
    refused(Client().put(expected["path"], media.wav(2.0), "audio/wav"), 409)
    assert [path.read_bytes() for path in kept(folder)] == [SOUND]


def test_what_a_signed_url_brought_has_its_digest_too(client: Client, expected: dict[str, Any]) -> None:
    data(Client().put(expected["path"], SOUND, "audio/wav"))
    asset = Asset.objects.get()
    assert (asset.sha256, asset.size) == (hashlib.sha256(SOUND).hexdigest(), len(SOUND))


@pytest.mark.usefixtures("expected")
def test_of_two_who_bring_bytes_at_once_the_first_is_kept(folder: Path) -> None:
    """Both were let in before either had brought its last byte."""
    asset = Asset.objects.get()
    with assets.Incoming(100_000) as one, assets.Incoming(100_000) as other:
        for incoming, body in ((one, SOUND), (other, media.wav(2.0))):
            assets.start(asset=asset)
            incoming.write(body)
        assets.fulfil(asset=asset, incoming=one)
        with pytest.raises(assets.Taken):
            assets.fulfil(asset=asset, incoming=other)
    assert [path.read_bytes() for path in kept(folder)] == [SOUND]


def test_a_signed_url_falls_with_its_person(expected: dict[str, Any], folder: Path) -> None:
    User.objects.update(is_active=False)
    refused(Client().put(expected["path"], SOUND, "audio/wav"), 401)
    assert kept(folder) == []


def test_bytes_that_are_no_media_fail_with_their_reason_and_may_be_brought_again(
    client: Client, expected: dict[str, Any], folder: Path
) -> None:
    said = refused(Client().put(expected["path"], b"no media at all", "audio/mpeg"), 400)
    assert status(client, expected["asset_id"]) == ("FAILED", said)
    assert refused(client.get(f"{AT}/{expected['asset_id']}/download"), 400) == "Asset not found"
    assert kept(folder) == []
    data(Client().put(expected["path"], SOUND, "audio/wav"))
    assert status(client, expected["asset_id"]) == ("SUCCESS", None)


def test_bytes_above_the_quota_fail_with_their_reason(client: Client, expected: dict[str, Any], settings: Any) -> None:
    settings.ASSET_QUOTA_GB = 1e-6
    refused(Client().put(expected["path"], SOUND, "audio/wav"), 413)
    assert status(client, expected["asset_id"])[0] == "FAILED"


class Gone:
    """A body whose sender hangs up."""

    def read(self, *size: int) -> bytes:
        raise OSError("gone")

    readline = read


@pytest.mark.parametrize("sent", [
    {"data": b"nothing of a form", "content_type": "multipart/form-data"},
    {"data": b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"x" * 3_000_000 + b"\r\n--B--\r\n",
     "content_type": "multipart/form-data; boundary=B"},
    {"data": b"x", "content_type": "multipart/form-data; boundary=B", "wsgi.input": Gone()},
])  # fmt: skip
def test_an_asset_whose_form_is_broken_has_failed_and_may_be_brought_again(
    client: Client, expected: dict[str, Any], sent: dict[str, Any], folder: Path
) -> None:
    answer = Client().post(expected["path"], **sent)
    assert answer.status_code in (400, 413), answer.content
    assert status(client, expected["asset_id"]) == ("FAILED", api_assets.BROKEN)
    assert kept(folder) == []
    assert data(Client().put(expected["path"], SOUND, "audio/wav"))["asset_id"] == expected["asset_id"]


def test_a_url_that_was_not_signed_opens_nothing(
    client: Client, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, token = expected["path"].partition("?token=")
    other = data(client.post(f"{AT}/upload/signed-url", {"original_filename": "b.mp3"}, "application/json"))
    for wrong in (path, f"{path}?token=", f"{path}?token={token}x", f"{path}?token={other['signed_url'][-60:]}"):
        assert refused(client.put(wrong, SOUND, "audio/wav"), 401) == "Unauthorized"
    swapped = path.replace(expected["asset_id"], other["asset_id"])
    assert refused(client.put(f"{swapped}?token={token}", SOUND, "audio/wav"), 401) == "Unauthorized"
    monkeypatch.setattr(assets, "SIGNED_SECONDS", -1)
    assert refused(client.put(expected["path"], SOUND, "audio/wav"), 401) == "Unauthorized"


@pytest.mark.parametrize("name", [None, "", 5, [], "x" * 256])
def test_a_signed_url_needs_a_name(client: Client, name: Any) -> None:
    answer = client.post(f"{AT}/upload/signed-url", {"original_filename": name}, "application/json")
    assert "original_filename" in refused(answer, 400)


# --- what nobody comes back for ---------------------------------------------------------------------


def test_what_was_abandoned_is_swept_and_nothing_else(client: Client, folder: Path, expected: dict[str, Any]) -> None:
    data(upload(client))
    with assets.Incoming(1000) as incoming:
        incoming.write(b"half")
        incoming.keep()  # as a kill would leave it
    with assets.Incoming(1000) as fresh:
        fresh.write(b"still coming")
        fresh.keep()
    for path in kept(folder):
        if path != fresh.path:
            os.utime(path, (1, 1))
    assert assets.sweep() == 1
    assert sorted(path.stat().st_size for path in kept(folder)) == [12, len(SOUND)]
    Asset.objects.update(modified_at=timezone.now() - timedelta(hours=28))
    assert assets.sweep() == 1
    assert [asset.status for asset in Asset.objects.all()] == ["SUCCESS"]
