"""Bad input at the providers' own addresses and at speech-to-text: the provider's error shape, the right status, and
nothing half-written."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from memweb.accounts.models import User
from memweb.gateway import assets, kept, keys, ledger, reading, tokens, transcribing
from memweb.gateway.doors import Refused
from memweb.gateway.guard import TooMuch
from memweb.gateway.guesses import Guesses
from memweb.gateway.models import Account, LedgerEntry, Transcription, WebhookEndpoint
from memweb.gateway.waiting import Fetching

pytestmark = pytest.mark.django_db

NOISE = b"neither sound nor picture " * 200
STT = "/serve/api/v2/transcriptions/speech-to-text"
READ_ONLY = [
    "/v2/transcript/{id}/sentences",
    "/v2/transcript/{id}/paragraphs",
    "/v2/transcript/{id}/srt",
    "/v2/transcript/{id}/vtt",
    "/v2/transcript/{id}/word-search",
    "/v2/transcript/{id}/redacted-audio",
]
ADDRESSES = [
    ("POST", "/v1/speech-to-text"),
    ("GET", "/v1/speech-to-text/transcripts/x"),
    ("DELETE", "/v1/speech-to-text/transcripts/x"),
    ("POST", "/v1/single-use-token/batch_scribe"),
    ("POST", "/v2/upload"),
    ("GET", "/v2/transcript"),
    ("POST", "/v2/transcript"),
    ("GET", "/v2/transcript/x"),
    ("DELETE", "/v2/transcript/x"),
    *(("GET", path.format(id="x")) for path in READ_ONLY),
    ("POST", "/v1/audio/transcriptions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/whisper-1"),
    ("POST", STT),
]


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture(autouse=True)
def nobody_has_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Guesses()
    monkeypatch.setattr("memweb.gateway.native.door.guesses", fresh)
    monkeypatch.setattr("memweb.gateway.api.door.guesses", fresh)


@pytest.fixture
def account() -> Account:
    return keys.account_of(user=User.objects.create_user("alice"))


@pytest.fixture
def secret(account: Account) -> str:
    return keys.create_key(user=account.user, name="tests")[1]


@pytest.fixture
def stranger() -> str:
    return keys.create_key(user=User.objects.create_user("bob"), name="tests")[1]


class Caller:
    """Somebody with a key, or without."""

    def __init__(self, secret: str | None) -> None:
        self.headers = {"Authorization": secret, "xi-api-key": secret} if secret else {}

    def __call__(self, verb: str, path: str, body: Any = None, **options: Any) -> HttpResponse:
        options.setdefault("content_type", "application/json")
        data = json.dumps(body) if isinstance(body, (dict, list)) else (body or b"")
        answer: Any = Client(headers=self.headers, raise_request_exception=False).generic(verb, path, data, **options)
        return answer

    def form(self, path: str, **fields: Any) -> HttpResponse:
        answer: Any = Client(headers=self.headers, raise_request_exception=False).post(path, fields)
        return answer


@pytest.fixture
def alice(secret: str) -> Caller:
    return Caller(secret)


@pytest.fixture
def bob(stranger: str) -> Caller:
    return Caller(stranger)


def message(answer: HttpResponse) -> str:
    """The sentence of an error, from whichever shape it has."""
    body = json.loads(answer.content)
    if "detail" in body:
        assert set(body["detail"]) == {"status", "message"}
        return str(body["detail"]["message"])
    if "msg" in body:
        assert body == {"code": answer.status_code, "msg": body["msg"], "data": None, "success": False, "failed": True}
        return str(body["msg"])
    error = body["error"]
    return str(error["message"] if isinstance(error, dict) else error)


def sound(content: bytes = NOISE) -> SimpleUploadedFile:
    return SimpleUploadedFile("talk.mp3", content)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test of this file leads to a charge."""
    yield
    assert not LedgerEntry.objects.filter(kind=LedgerEntry.FILE).exists()


@pytest.mark.parametrize(("verb", "path"), ADDRESSES)
def test_a_key_is_asked_for(verb: str, path: str, secret: str) -> None:
    for given in (None, "sk-mem-wrong", secret[:-1], "sk-mem-\0", secret[:-1] + "\0"):
        answer = Caller(given)(verb, path, {})
        assert (answer.status_code, message(answer)) == (401, "Unauthorized")


def test_a_revoked_key_is_no_key(account: Account, secret: str) -> None:
    keys.revoke_key(key=account.keys.get())
    assert Caller(secret)("GET", "/v1/models").status_code == 401


@pytest.mark.parametrize("path", sorted({path for _, path in ADDRESSES} - {STT}))
def test_the_wrong_verb_is_told_the_right_one(path: str, alice: Caller) -> None:
    answer = alice("PATCH", path, {})
    assert answer.status_code == 405
    assert answer["Allow"] in message(answer)


@pytest.mark.parametrize(("path", "status"), [
    ("/v1/speech-to-text", 415), ("/v1/audio/transcriptions", 415), ("/v2/transcript", 415), (STT, 415),
])  # fmt: skip
def test_the_wrong_content_type_is_told(path: str, status: int, alice: Caller) -> None:
    assert alice("POST", path, b"a=1", content_type="text/plain").status_code == status


@pytest.mark.parametrize("path", ["/v2/transcript", STT])
@pytest.mark.parametrize("body", [b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(path: str, body: bytes, alice: Caller) -> None:
    assert alice("POST", path, body).status_code == 400


@pytest.mark.parametrize(("given", "said"), [
    ("NaN", "not JSON"), ("[NaN]", "not JSON"), ("[[-Infinity]]", "not JSON"), ("1e999", "not JSON"),
    ('"\\u0000"', "a character"), ('{"x":["\\u0000"]}', "a character"), ('{"\\u0000":1}', "a character"),
    ('"\\ud800"', "a character"), ('["a\\udfff"]', "a character"), ("[" * 200 + "]" * 200, "too deep"),
])  # fmt: skip
@pytest.mark.parametrize("path", ["/v2/transcript", STT])
def test_what_no_database_keeps_is_refused(path: str, given: str, said: str, alice: Caller) -> None:
    """SQLite looks whether a value is JSON, PostgreSQL takes neither NUL nor half a pair: both would be a fault."""
    for name in ("prompt", "keyterms_prompt", "unknown"):
        body = f'{{"url": "https://example.org/a", "audio_url": "https://example.org/a", "{name}": {given}}}'
        answer = alice("POST", path, body.encode())
        assert (answer.status_code, said in message(answer)) == (400, True), answer.content
    assert not Transcription.objects.exists()


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["/v2/transcript/%00", "/v1/speech-to-text/transcripts/a%00"])
def test_a_name_with_nul_in_it_is_nobodys(verb: str, path: str, alice: Caller) -> None:
    assert alice(verb, path).status_code == 404
    assert alice("GET", "/v2/transcript?before_id=%00").status_code == 404


@pytest.mark.parametrize("path", ["/v1/speech-to-text", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("fields", [{"language_code": "a\0"}, {"\0": "x"}])
def test_a_form_with_nul_in_it_is_refused(path: str, fields: dict[str, str], alice: Caller) -> None:
    answer = alice.form(path, file=sound(), model="whisper-1", **fields)
    assert (answer.status_code, "a character" in message(answer)) == (400, True)


@pytest.mark.parametrize("path", ["/v1/speech-to-text", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("body", [b"--x\r\nnothing", b"\xff" * 100])
def test_a_broken_form_is_refused(path: str, body: bytes, alice: Caller) -> None:
    assert alice("POST", path, body, content_type="multipart/form-data; boundary=x").status_code == 400
    assert alice("POST", path, body, content_type="multipart/form-data").status_code == 400


@pytest.mark.parametrize(("fields", "said"), [
    ({}, "Send either a file"),
    ({"model_id": "scribe_v2", "file": "a string"}, "file is not a parameter"),
    ({"file": sound(), "source_url": "https://example.org/a"}, "Send either a file"),
    ({"source_url": "gs://bucket/a"}, "gs://"),
    ({"source_url": "file:///etc/passwd"}, "must begin with http"),
    ({"cloud_storage_url": "https://127.0.0.1/a"}, "private network"),
    ({"file": sound(b"")}, "is empty"),
    ({"voice": sound()}, "Send one file, as file"),
    ({"file": sound(), "diarize": "maybe"}, "diarize"),
    ({"file": sound(), "tag_audio_events": "true"}, "tag_audio_events is not available"),
    ({"file": sound(), "num_speakers": "33"}, "num_speakers"),
    ({"file": sound(), "surprise": "1"}, "surprise is not a parameter"),
    ({"file": sound(), "webhook_metadata": "{}"}, ""),
    ({"file": sound(), "webhook_metadata": '{"a":1}'}, "needs webhook"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": "[1]"}, "list of JSON objects"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": "[{},{}]"}, "not one JSON object"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": "[]"}, "not one JSON object"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": " "}, "not one JSON object"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": '{"a":{"b":{}}}'}, "two levels"),
    ({"file": sound(), "webhook": "true", "webhook_metadata": '{"a":"' + "x" * 17_000 + '"}'}, "16384 bytes"),
    ({"file": sound(), "webhook": "true"}, "needs a webhook of the account"),
    ({"file": sound()}, ""),
])  # fmt: skip
def test_elevenlabs_refuses_in_words(fields: dict[str, Any], said: str, alice: Caller, folder: Path) -> None:
    fields = {name: sound(value.read()) if isinstance(value, SimpleUploadedFile) else value
              for name, value in fields.items()}  # fmt: skip
    answer = alice.form("/v1/speech-to-text", **fields)
    assert answer.status_code == 400, answer.content
    assert said in message(answer)
    assert list(folder.glob("kept/*/*")) == []
    assert not Transcription.objects.exists()


@pytest.mark.parametrize(("given", "kept_as"), [
    (['{"a":1}', ""], ['{"a": 1}']), (["null", '[{"a":1}]', "x"], ['{"a": 1}']), (["{}", ""], ["{}"]), (["", ""], None),
])  # fmt: skip
def test_of_several_metadata_the_one_that_was_looked_at_is_kept(
    given: list[str], kept_as: list[str] | None, alice: Caller, account: Account
) -> None:
    WebhookEndpoint.objects.create(account=account, url="https://example.org/all", secret="whsec_eA==")
    answer = alice.form("/v1/speech-to-text", file=sound(), webhook="true", webhook_metadata=given)
    assert answer.status_code == 200, answer.content
    assert Transcription.objects.get().asked.get("webhook_metadata") == kept_as


@pytest.mark.parametrize(("fields", "status", "said"), [
    ({}, 400, "model"),
    ({"model": "whisper-1"}, 400, "Send one file, as file"),
    ({"model": "whisper-1", "file": sound(b"")}, 400, "is empty"),
    ({"model": "gpt-5", "file": sound()}, 404, "does not exist"),
    ({"model": "whisper-1", "file": sound(), "response_format": "xml"}, 400, "response_format"),
    ({"model": "whisper-1", "file": sound(), "prompt": "p" * 401}, 400, "prompt"),
    ({"model": "whisper-1", "file": sound(), "stream": "sometimes"}, 400, "stream"),
    ({"model": "whisper-1", "file": sound(), "surprise": "1"}, 400, "surprise"),
    ({"model": "whisper-1", "file": sound()}, 400, ""),
    ({"model": "whisper-1", "file": sound(), "stream": "true"}, 400, ""),
])  # fmt: skip
def test_openai_refuses_in_words(fields: dict[str, Any], status: int, said: str, alice: Caller) -> None:
    fields = {name: sound(value.read()) if isinstance(value, SimpleUploadedFile) else value
              for name, value in fields.items()}  # fmt: skip
    answer = alice.form("/v1/audio/transcriptions", **fields)
    assert answer.status_code == status, answer.content
    assert said in message(answer)


@pytest.mark.parametrize(("body", "said"), [
    ({}, "audio_url is required"),
    ({"audio_url": 5}, "audio_url is required"),
    ({"audio_url": "ftp://example.org/a"}, "must begin with http"),
    ({"audio_url": "https://example.org/" + "a" * 1981}, "longer than 2000"),
    ({"audio_url": "http://memweb.example/v2/upload/" + "0" * 32}, "no such upload"),
    ({"audio_url": "http://" + "m" * 3000 + "/v2/upload/" + "0" * 32}, "longer than 2000"),
    ({"audio_url": "https://example.org/a", "auto_chapters": True}, "auto_chapters is not available"),
    ({"audio_url": "https://example.org/a", "redact_pii": True, "redact_pii_policies": ["person_name"]}, "redact_pii"),
    ({"audio_url": "https://example.org/a", "punctuate": "rarely"}, "punctuate"),
    ({"audio_url": "https://example.org/a", "speaker_label": True}, "Did you mean speaker_labels"),
    ({"audio_url": "https://example.org/a", "webhook_url": 5}, "webhook_url"),
    ({"audio_url": "https://example.org/a", "webhook_url": "ftp://example.org"}, "must begin with http"),
    ({"audio_url": "https://example.org/a", "webhook_url": "https://example.org/", "webhook_auth_header_name": "A b",
      "webhook_auth_header_value": "x"}, "do not make a header"),
    ({"audio_url": "https://example.org/a", "webhook_url": "https://example.org/",
      "webhook_auth_header_value": "x"}, "do not make a header"),
    ({"audio_url": "https://example.org/a", "webhook_auth_header_name": "X-A"}, "webhook_url is not a URL"),
])  # fmt: skip
def test_assemblyai_refuses_in_words(body: dict[str, Any], said: str, alice: Caller) -> None:
    answer = alice("POST", "/v2/transcript", body)
    assert answer.status_code == 400, answer.content
    assert said in message(answer)
    assert not Transcription.objects.exists()


@pytest.mark.parametrize(("body", "said"), [
    ({}, "One of asset_id, url and source_url is required"),
    ({"provider": "deepgram", "url": "https://example.org/a"}, "provider must be one of: elevenlabs, assemblyai"),
    ({"provider": ["elevenlabs"], "url": "https://example.org/a"}, "provider must be one of"),
    ({"asset_id": 7}, "asset_id is not a text"),
    ({"asset_id": "re_1"}, "Request has exceeded the limit."),
    ({"asset_id": "re_1", "url": "https://example.org/a"}, "Request has exceeded the limit."),
    ({"source_url": "gs://bucket/a"}, "source_url cannot be a gs:// path"),
    ({"source_url": "gs://bucket/a", "url": "https://127.0.0.1/a.mp3"}, "private network"),
    ({"url": "file:///etc/passwd"}, "must begin with http"),
    ({"url": "https://127.0.0.1/a.mp3"}, "private network"),
    ({"url": "https://example.org/a", "diarize": "maybe"}, "diarize"),
    ({"url": "https://example.org/a", "target_lang": "fr"}, "target_lang"),
    ({"provider": "assemblyai", "url": "https://example.org/a", "summarization": True}, "summarization"),
    ({"provider": "assemblyai", "url": "https://example.org/a", "webhook_url": "x"}, "must begin with http"),
])  # fmt: skip
def test_speech_to_text_refuses_in_its_envelope(body: dict[str, Any], said: str, alice: Caller) -> None:
    answer = alice("POST", STT, body)
    assert answer.status_code == 400, answer.content
    assert said in message(answer)


def test_bodies_that_are_too_large_are_refused(alice: Caller, settings: Settings, folder: Path) -> None:
    assert alice("POST", "/v2/transcript", {"audio_url": "x" * 300_000}).status_code == 413
    settings.MAX_UPLOAD_MB = 0.001
    assert alice("POST", "/v2/upload", NOISE).status_code == 413
    assert alice.form("/v1/audio/transcriptions", model="whisper-1", file=sound()).status_code == 413
    assert alice.form("/v1/speech-to-text", model_id="scribe_v1", file=sound()).status_code == 413
    assert list(folder.glob("kept/*/*")) == []
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert alice("POST", "/v2/transcript", {"audio_url": "x" * 300}).status_code == 413
    assert alice.form("/v1/audio/transcriptions", model="m" * 300).status_code in (400, 413)


def test_what_is_kept_at_a_providers_own_address_is_within_the_accounts_quota(
    alice: Caller, bob: Caller, account: Account, settings: Settings
) -> None:
    settings.ASSET_QUOTA_GB = (len(NOISE) + 1000) / 1e9
    WebhookEndpoint.objects.create(account=account, url="https://example.org/all", secret="whsec_eA==")
    assert alice("POST", "/v2/upload", NOISE).status_code == 200
    assert alice("POST", "/v2/upload", NOISE).status_code == 413
    assert alice.form("/v1/speech-to-text", file=sound(), webhook="true").status_code == 413
    assert alice.form("/serve/api/v2/upload", file=sound()).status_code == 413, "assets share it"
    assert bob("POST", "/v2/upload", NOISE).status_code == 200


def test_two_files_on_their_way_at_once_do_not_pass_the_quota_together(account: Account, settings: Settings) -> None:
    settings.ASSET_QUOTA_GB = 15.5e-9
    pieces = iter([b"a" * 10, b""])

    def read(size: int) -> bytes:
        piece = next(pieces)
        if piece:  # another one comes, whole, while this one is on its way
            kept.keep(account.pk, io.BytesIO(b"b" * 10).read, assets.room)
        return piece

    with pytest.raises(TooMuch):
        kept.keep(account.pk, read, assets.room)
    assert kept.size_of(account.pk) == 10


def test_urls_that_are_slow_to_come_leave_threads_to_others(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds one of the few threads that all requests share: two of an account, four of all."""
    sources, told = [threading.Event() for _ in range(8)], iter(range(8))
    begun = threading.Semaphore(0)

    def fetch(url: str, *rest: Any, **options: Any) -> None:
        mine = sources[next(told)]
        begun.release()
        assert mine.wait(20)

    monkeypatch.setattr("memweb.gateway.reading.guard.fetch", fetch)
    monkeypatch.setattr("memweb.gateway.reading.fetching", Fetching())

    def read(account_id: int) -> None:
        reading.fetched_now(account_id, "https://example.org/a").__exit__(None, None, None)

    own = Account.objects.get(user__username="alice").pk
    with ThreadPoolExecutor(4) as threads:
        try:
            first = threads.submit(read, own)
            assert begun.acquire(timeout=20)  # it waits for the first source
            threads.submit(read, own)
            assert begun.acquire(timeout=20)
            for answer in (
                alice("POST", STT, {"url": "https://example.org/a"}),
                alice.form("/v1/speech-to-text", model_id="scribe_v1", source_url="https://example.org/a"),
            ):
                assert (answer.status_code, answer["Retry-After"]) == (429, "15"), answer.content
                assert "Too many URLs" in message(answer)
            others = [threads.submit(read, -1) for _ in range(2)]
            assert all(begun.acquire(timeout=20) for _ in range(2))
            with pytest.raises(Refused, match="Too many URLs"):
                read(-2)
            sources[0].set()
            first.result(20)
            threads.submit(read, -2)
            assert begun.acquire(timeout=20), "a place is free again"
        finally:
            for source in sources:
                source.set()
    assert all(other.exception() is None for other in others)


def test_an_empty_upload_and_one_too_many_are_refused(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert alice("POST", "/v2/upload", b"", content_type="application/octet-stream").status_code == 400
    monkeypatch.setattr(kept, "MOST_FILES", 1)
    assert alice("POST", "/v2/upload", NOISE, content_type="application/octet-stream").status_code == 200
    full = alice("POST", "/v2/upload", NOISE, content_type="application/octet-stream")
    assert (full.status_code, full["Retry-After"]) == (429, "3600")


def test_an_upload_is_its_owners_and_for_a_day(
    alice: Caller, bob: Caller, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = json.loads(alice("POST", "/v2/upload", NOISE).content)["upload_url"]
    assert bob("POST", "/v2/transcript", {"audio_url": url}).status_code == 400
    assert alice("POST", "/v2/transcript", {"audio_url": url}).status_code == 200
    kept.sweep()
    assert [path.read_bytes() for path in folder.glob("kept/*/*")] == [NOISE]
    monkeypatch.setattr(kept, "KEPT_S", -1)
    kept.sweep()
    assert list(folder.glob("kept/*/*")) == []


@pytest.fixture
def ended(account: Account) -> Transcription:
    begun = transcribing.begin(
        account_id=account.pk, provider="assemblyai", audio_url="https://example.org/a", asked={}
    )
    Transcription.objects.filter(pk=begun.pk).update(state="error", error="It came to nothing.")
    return Transcription.objects.get(pk=begun.pk)


def test_somebody_elses_transcript_does_not_exist(ended: Transcription, bob: Caller, alice: Caller) -> None:
    for path in ("/v2/transcript/{id}", *READ_ONLY):
        assert bob("GET", path.format(id=ended.transcription_id)).status_code == 404
    assert bob("DELETE", f"/v2/transcript/{ended.transcription_id}").status_code == 404
    assert bob("GET", f"/v2/transcript?after_id={ended.transcription_id}").status_code == 404
    assert json.loads(bob("GET", "/v2/transcript").content)["transcripts"] == []
    shown = json.loads(alice("GET", f"/v2/transcript/{ended.transcription_id}").content)
    assert (shown["status"], shown["error"]) == ("error", "It came to nothing.")


@pytest.mark.parametrize("path", READ_ONLY)
def test_nothing_is_cut_from_what_is_not_completed(path: str, ended: Transcription, alice: Caller) -> None:
    answer = alice("GET", path.format(id=ended.transcription_id))
    assert answer.status_code == 400
    assert "must be completed first" in message(answer)


COMPLETED = {
    "id": "x", "status": "completed", "confidence": 0.9, "audio_duration": 1, "text": "Hi.",
    "words": [{"text": "Hi.", "start": 0, "end": 400, "confidence": 0.9, "speaker": None}],
}  # fmt: skip


@pytest.mark.parametrize(("query", "said"), [
    ("srt?chars_per_caption=3", "chars_per_caption"),
    ("vtt?chars_per_caption=wide", "chars_per_caption"),
    ("word-search", "words is required"),
    ("word-search?words=,,", "words is required"),
    ("word-search?words=" + "a," * 101, "words is required"),
    ("redacted-audio", "redact_pii_audio is not available"),
])  # fmt: skip
def test_parts_of_a_transcript_refuse_in_words(query: str, said: str, ended: Transcription, alice: Caller) -> None:
    Transcription.objects.filter(pk=ended.pk).update(state="completed", error="", result=COMPLETED)
    answer = alice("GET", f"/v2/transcript/{ended.transcription_id}/{query}")
    assert answer.status_code == 400
    assert said in message(answer)


@pytest.mark.parametrize("query", [
    "limit=0", "limit=201", "limit=x", "limit=²", "status=done", "created_on=yesterday",
])  # fmt: skip
def test_a_list_refuses_in_words(query: str, alice: Caller) -> None:
    answer = alice("GET", f"/v2/transcript?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in message(answer)


def test_a_list_is_paged_both_ways(account: Account, alice: Caller) -> None:
    made = [
        transcribing.begin(account_id=account.pk, provider="assemblyai", audio_url=f"https://example.org/{number}",
                           asked={}).transcription_id
        for number in range(5)
    ]  # fmt: skip

    def page(url: str) -> tuple[list[str], dict[str, Any]]:
        body = json.loads(alice("GET", url).content)
        return [row["id"] for row in body["transcripts"]], body["page_details"]

    newest, details = page("/v2/transcript?limit=2")
    assert newest == [made[4], made[3]]
    assert details["next_url"] is None
    middle, details = page(details["prev_url"])
    assert middle == [made[2], made[1]]
    oldest, last = page(details["prev_url"])
    assert (oldest, last["prev_url"]) == ([made[0]], None)
    assert page(last["next_url"])[0] == [made[2], made[1]]
    assert page(details["next_url"])[0] == [made[4], made[3]]
    today = timezone.now().date()
    assert len(page(f"/v2/transcript?created_on={today}&status=queued")[0]) == 5
    assert page(f"/v2/transcript?created_on={today - timedelta(days=2)}")[0] == []
    assert page("/v2/transcript?status=completed")[0] == []
    Transcription.objects.update(created_at=datetime(2026, 5, 5, 20, tzinfo=UTC))
    with timezone.override("Pacific/Kiritimati"):  # days are those of `created`, wherever this machine stands
        assert len(page("/v2/transcript?created_on=2026-05-05")[0]) == 5


def test_what_is_deleted_is_forgotten(ended: Transcription, alice: Caller, account: Account) -> None:
    waiting = transcribing.begin(account_id=account.pk, provider="assemblyai", audio_url="https://a.org/", asked={})
    assert alice("DELETE", f"/v2/transcript/{waiting.transcription_id}").status_code == 400
    answer = alice("DELETE", f"/v2/transcript/{ended.transcription_id}")
    assert json.loads(answer.content)["text"] == "Deleted by user."
    ended.refresh_from_db()
    assert (ended.result, ended.error, ended.asked, ended.audio_url) == (None, "", {}, "")
    assert json.loads(alice("GET", f"/v2/transcript/{ended.transcription_id}").content)["text"] == "Deleted by user."


def test_elevenlabs_transcripts_are_their_owners(account: Account, alice: Caller, bob: Caller) -> None:
    begun = transcribing.begin(
        account_id=account.pk, provider="elevenlabs", audio_url="https://a.org/", asked={"webhook": ["true"]}
    )
    path = f"/v1/speech-to-text/transcripts/{begun.transcription_id}"
    assert [alice("GET", path).status_code, alice("DELETE", path).status_code] == [404, 400]
    Transcription.objects.update(state="error", error="No sound.")
    assert message(alice("GET", path)) == "No sound."
    Transcription.objects.update(state="completed", error="", result={"text": "Hi."})
    assert json.loads(alice("GET", path).content) == {"text": "Hi."}
    assert [bob("GET", path).status_code, bob("DELETE", path).status_code] == [404, 404]
    assert alice("DELETE", path).status_code == 200
    assert alice("GET", path).status_code == 404


def test_a_token_opens_one_conversion(alice: Caller, account: Account) -> None:
    token = json.loads(alice("POST", "/v1/single-use-token/batch_scribe").content)["token"]
    nobody = Caller(None)
    assert nobody("POST", f"/v1/single-use-token/batch_scribe?token={token}").status_code == 401
    token = json.loads(alice("POST", "/v1/single-use-token/batch_scribe").content)["token"]
    assert nobody.form(f"/v1/speech-to-text?token={token}").status_code == 400
    assert nobody.form(f"/v1/speech-to-text?token={token}").status_code == 401
    live = tokens.mint(caller=keys.Caller(account.pk, account.user_id, None, True), door="elevenlabs", seconds=60)
    assert nobody.form(f"/v1/speech-to-text?token={live}").status_code == 401


def test_an_empty_balance_reads_nothing(alice: Caller, account: Account) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal(0))
    assert alice("POST", "/v2/transcript", {"audio_url": "https://example.org/a"}).status_code == 402
