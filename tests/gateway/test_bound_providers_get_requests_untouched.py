"""With the operator's key, requests at the providers' own addresses go on byte for byte, and answers come back so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from memweb.accounts.models import User
from memweb.gateway import keys, ledger
from memweb.gateway.models import Account, LedgerEntry, Transcription
from memweb.gateway.providers import rest
from tests.provider_simulator import KEY, SCRIBED, Provider, Scripted

pytestmark = pytest.mark.django_db
STT = "/serve/api/v2/transcriptions/speech-to-text"
JSON = "application/json"


@pytest.fixture(autouse=True)
def provider(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(rest, "POLL_S", 0.01)
    with Provider() as running:
        for name in ("ELEVENLABS", "ASSEMBLYAI"):
            setattr(settings, f"{name}_API_KEY", KEY)
            setattr(settings, f"{name}_URL", running.url)
        yield running


def person(name: str) -> tuple[Account, Client]:
    user = User.objects.create_user(name)
    secret = keys.create_key(user=user, name="tests")[1]
    client = Client(headers={"Authorization": secret, "xi-api-key": secret}, raise_request_exception=False)
    return keys.account_of(user=user), client


@pytest.fixture
def alice() -> tuple[Account, Client]:
    return person("alice")


def charged() -> list[tuple[str, int]]:
    return list(LedgerEntry.objects.filter(kind="file").values_list("provider", "units"))


def test_elevenlabs_multipart_goes_on_as_it_came(alice: tuple[Account, Client], provider: Provider) -> None:
    client = alice[1]
    body = b'--B\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nscribe_v9\r\n--B--\r\n\xff'
    kind = "multipart/form-data; boundary=B"
    answer = client.generic("POST", "/v1/speech-to-text?enable_logging=false", body, content_type=kind)
    assert (answer.status_code, json.loads(answer.content)) == (200, SCRIBED)
    [request] = provider.requests
    assert request.body == body
    assert request.headers["content-type"] == kind
    assert request.headers["xi-api-key"] == KEY
    assert request.path == "/v1/speech-to-text?enable_logging=false"
    assert charged() == [("elevenlabs", 8)]


def test_a_refusal_of_the_providers_comes_back_as_it_is_and_costs_nothing(
    alice: tuple[Account, Client], provider: Provider
) -> None:
    said = {"detail": {"status": "invalid_parameters", "message": "No such model."}}
    provider.script.append(Scripted(422, said, {"x-trace": "7"}))
    answer = alice[1].generic("POST", "/v1/speech-to-text", b"x", content_type="multipart/form-data; boundary=B")
    assert (answer.status_code, json.loads(answer.content), answer["x-trace"]) == (422, said, "7")
    provider.script.append(Scripted(401, {"detail": {"message": f"bad key {KEY}"}}))
    answer = alice[1].generic("POST", "/v1/speech-to-text", b"x", content_type="multipart/form-data; boundary=B")
    assert answer.status_code == 502
    assert KEY.encode() not in answer.content
    assert charged() == []


def test_assemblyai_goes_on_from_upload_to_the_last_part(alice: tuple[Account, Client], provider: Provider) -> None:
    client = alice[1]
    sound = bytes(range(256)) * 5000
    made = client.generic("POST", "/v2/upload", sound, content_type="application/octet-stream")
    assert json.loads(made.content) == {"upload_url": f"https://cdn.assemblyai.test/upload/{len(sound)}"}
    body = b'{"audio_url":"https://example.org/a.mp3" , "auto_chapters":true, "of_tomorrow":[1]}'
    queued = json.loads(client.post("/v2/transcript", body, content_type=JSON).content)
    upload, create = provider.requests
    assert (upload.body, create.body) == (sound, body)
    assert (queued["status"], queued["of_tomorrow"]) == ("queued", [1])
    path = f"/v2/transcript/{queued['id']}"
    assert [json.loads(client.get(path).content)["status"] for _ in range(2)] == ["processing", "completed"]
    assert json.loads(client.get(f"{path}/srt?chars_per_caption=5").content)["part"] == "/srt"
    assert provider.requests[-1].path == f"{path}/srt?chars_per_caption=5"
    assert json.loads(client.delete(path).content)["text"] == "Deleted by user."
    listed = json.loads(client.get("/v2/transcript").content)
    assert [row["id"] for row in listed["transcripts"]] == [queued["id"]]
    assert Transcription.objects.get().remote


def test_what_one_account_has_at_the_provider_is_not_anothers(
    alice: tuple[Account, Client], provider: Provider, settings: Settings
) -> None:
    body = {"audio_url": "https://example.org/a.mp3"}
    id = json.loads(alice[1].post("/v2/transcript", body, content_type=JSON).content)["id"]
    _, stranger = person("bob")
    before = len(provider.requests)
    for path in (f"/v2/transcript/{id}", f"/v2/transcript/{id}/sentences"):
        assert stranger.get(path).status_code == 404
    assert stranger.delete(f"/v2/transcript/{id}").status_code == 404
    assert json.loads(stranger.get("/v2/transcript").content)["transcripts"] == []
    assert len(provider.requests) == before
    settings.ASSEMBLYAI_API_KEY = ""
    assert alice[1].get(f"/v2/transcript/{id}").status_code == 502


def test_a_request_that_the_provider_refuses_is_nobodys(alice: tuple[Account, Client], provider: Provider) -> None:
    provider.script.append(Scripted(400, {"error": "Invalid endpoint schema"}))
    answer = alice[1].post("/v2/transcript", {"audio_url": "x"}, content_type=JSON)
    assert (answer.status_code, json.loads(answer.content)) == (400, {"error": "Invalid endpoint schema"})
    assert not Transcription.objects.exists()


def test_speech_to_text_gives_the_providers_object_in_its_envelope(
    alice: tuple[Account, Client], provider: Provider
) -> None:
    client = alice[1]
    body: dict[str, Any] = {"url": "https://example.org/a.mp3", "tag_audio_events": True, "of_tomorrow": {"a": 1}}
    answer = json.loads(client.post(STT, body, content_type=JSON).content)
    assert answer == {"code": 200, "msg": "success", "data": SCRIBED, "success": True, "failed": False}
    assert provider.requests[0].form == {
        "model_id": [b"scribe_v2"], "tag_audio_events": [b"true"], "of_tomorrow": [b'{"a": 1}'],
        "cloud_storage_url": [b"https://example.org/a.mp3"],
    }  # fmt: skip
    answer = json.loads(client.post(STT, body | {"provider": "assemblyai"}, content_type=JSON).content)
    assert (answer["data"]["status"], answer["data"]["tomorrow"]) == ("completed", [1, 2])
    assert provider.requests[1].json == {
        "tag_audio_events": True, "of_tomorrow": {"a": 1}, "audio_url": "https://example.org/a.mp3",
    }  # fmt: skip
    assert charged() == [("elevenlabs", 8), ("assemblyai", 7)]


@pytest.mark.parametrize(("scripted", "status"), [
    (Scripted(400, {"detail": {"message": "No audio."}}), 400), (Scripted(401, {}), 502), (Scripted(429, {}), 429),
    (Scripted(503, {}), 502), (Scripted(0), 502),
])  # fmt: skip
def test_what_the_provider_refuses_is_said_in_the_envelope(
    alice: tuple[Account, Client], provider: Provider, scripted: Scripted, status: int
) -> None:
    provider.script.append(scripted)
    answer = alice[1].post(STT, {"url": "https://example.org/a.mp3"}, content_type=JSON)
    body = json.loads(answer.content)
    assert (answer.status_code, body["code"], body["failed"]) == (status, status, True)
    assert charged() == []


@pytest.mark.parametrize("said", ["true", "True", "1", "on"])
def test_a_webhook_of_elevenlabs_is_refused_for_it_would_be_the_operators(
    alice: tuple[Account, Client], provider: Provider, said: str
) -> None:
    client = alice[1]
    for fields in ({"webhook": said}, {"webhook": ["false", said]}, {"webhook": [said, "false"]}):
        answer = client.post("/v1/speech-to-text", {"file": SimpleUploadedFile("a.mp3", b"x"), **fields})
        assert answer.status_code == 400
        assert "webhook is not available" in json.loads(answer.content)["detail"]["message"]
    for value in (True, said, [said]):
        body = {"url": "https://example.org/a.mp3", "webhook": value}
        answer = client.post(STT, body, content_type=JSON)
        assert answer.status_code == 400
        assert "webhook is not available" in json.loads(answer.content)["msg"]
    assert provider.requests == []
    assert charged() == []


def test_a_webhook_that_is_not_wanted_goes_on(alice: tuple[Account, Client], provider: Provider) -> None:
    sound = bytes(range(256)) * 20_000
    fields = {"webhook": "False", "file": SimpleUploadedFile("a.mp3", sound)}
    assert alice[1].post("/v1/speech-to-text", fields).status_code == 200
    body = {"url": "https://example.org/a.mp3", "webhook": False}
    assert alice[1].post(STT, body, content_type=JSON).status_code == 200
    assert provider.requests[0].form == {"webhook": [b"False"], "file": [sound]}
    assert charged() == [("elevenlabs", 8)] * 2
    answer = alice[1].generic(
        "POST", "/v1/speech-to-text", b"webhook=true", content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 415


def test_an_empty_balance_reaches_no_provider(alice: tuple[Account, Client], provider: Provider) -> None:
    account, client = alice
    ledger.set_balance(account_id=account.pk, balance=Decimal(0))
    url = {"url": "https://example.org/a.mp3", "audio_url": "https://example.org/a.mp3"}
    file = {"file": SimpleUploadedFile("a.mp3", b"x")}
    assert client.post(STT, url, content_type=JSON).status_code == 402
    assert client.post("/v2/transcript", url, content_type=JSON).status_code == 402
    assert client.generic("POST", "/v2/upload", b"x").status_code == 402
    assert client.post("/v1/speech-to-text", file).status_code == 402
    assert provider.requests == []
