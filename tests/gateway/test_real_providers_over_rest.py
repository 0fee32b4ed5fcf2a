"""With the operator's key a file goes to the real provider: its protocol, its answer, and its refusals in our words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from memweb.gateway.doors import Refused
from memweb.gateway.providers import rest
from memweb.gateway.providers.rest import Source
from tests.provider_simulator import KEY, SCRIBED, Provider, Scripted


@pytest.fixture
def provider(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setattr(rest, "POLL_S", 0.01)
    with Provider() as running:
        for name in ("ELEVENLABS", "ASSEMBLYAI"):
            setattr(settings, f"{name}_API_KEY", KEY)
            setattr(settings, f"{name}_URL", running.url)
        yield running


@pytest.fixture
def recording(tmp_path: Path) -> Source:
    path = tmp_path / "secret-name-on-disk"
    path.write_bytes(bytes(range(256)) * 9_000)  # 2.3 MB: more than one piece
    return Source(path, "talk.mp3")


def transcribed(provider: str, source: Source, **values: Any) -> tuple[dict[str, Any], int]:
    upstream = rest.bound(provider)
    assert upstream is not None
    return rest.transcribe(upstream, source, values)


def test_nothing_is_bound_without_a_key(settings: Settings) -> None:
    settings.ELEVENLABS_API_KEY = settings.ASSEMBLYAI_API_KEY = ""
    assert rest.bound("elevenlabs") is rest.bound("assemblyai") is None


def test_elevenlabs_gets_the_file_and_every_value_and_its_answer_comes_back_whole(
    provider: Provider, recording: Source
) -> None:
    asked = {"diarize": True, "num_speakers": 2, "keyterms": ["a", "b"], "tag_audio_events": True, "tomorrow": {"x": 1}}
    assert transcribed("elevenlabs", recording, **asked, language_code=None) == (SCRIBED, 7250)
    [request] = provider.requests
    assert (request.method, request.path, request.headers["xi-api-key"]) == ("POST", "/v1/speech-to-text", KEY)
    assert recording.path is not None
    assert request.form == {
        "model_id": [b"scribe_v2"], "diarize": [b"true"], "num_speakers": [b"2"], "keyterms": [b"a", b"b"],
        "tag_audio_events": [b"true"], "tomorrow": [b'{"x": 1}'], "file": [recording.path.read_bytes()],
    }  # fmt: skip
    assert b"secret-name-on-disk" not in request.body


def test_elevenlabs_fetches_a_url_itself(provider: Provider) -> None:
    transcribed("elevenlabs", Source(url="https://example.org/a.mp3"), model_id="scribe_v1")
    [request] = provider.requests
    assert request.form == {"model_id": [b"scribe_v1"], "cloud_storage_url": [b"https://example.org/a.mp3"]}


def test_assemblyai_gets_the_file_and_is_asked_until_it_is_done(provider: Provider, recording: Source) -> None:
    provider.waits = 2
    made, audio_ms = transcribed("assemblyai", recording, auto_chapters=True, speech_models=["best"])
    assert (made["status"], made["tomorrow"], audio_ms) == ("completed", [1, 2], 7000)
    upload, create, *polls = provider.requests
    assert recording.path is not None
    assert upload.body == recording.path.read_bytes()
    assert create.json == {
        "auto_chapters": True, "speech_models": ["best"],
        "audio_url": f"https://cdn.assemblyai.test/upload/{len(upload.body)}",
    }  # fmt: skip
    assert [(poll.method, poll.path) for poll in polls] == [("GET", f"/v2/transcript/{made['id']}")] * 3
    assert {request.headers["authorization"] for request in provider.requests} == {KEY}


def test_assemblyai_fetches_a_url_itself(provider: Provider) -> None:
    transcribed("assemblyai", Source(url="https://example.org/a.mp3"))
    assert provider.requests[0].json == {"audio_url": "https://example.org/a.mp3"}


def test_a_transcript_that_failed_is_refused_in_the_providers_words(provider: Provider) -> None:
    provider.failure = f"Download error: {KEY} https://example.org/a.mp3"
    with pytest.raises(Refused, match="Download error: … https://") as refused:
        transcribed("assemblyai", Source(url="https://example.org/a.mp3"))
    assert refused.value.status == 400


@pytest.mark.parametrize("name", ["elevenlabs", "assemblyai"])
@pytest.mark.parametrize(("scripted", "status", "said"), [
    (Scripted(400, {"detail": {"status": "invalid_audio", "message": "No audio."}}), 400, "No audio."),
    (Scripted(422, {"detail": [{"loc": ["body"], "msg": "field required"}]}), 400, "field required"),
    (Scripted(404, {"message": "nothing here"}), 400, "nothing here"),
    (Scripted(400, b"<html>"), 400, "refused with status 400"),
    (Scripted(422, {"detail": []}), 400, "refused with status 422"),
    (Scripted(401, {"error": f"bad key {KEY}"}), 502, "does not accept this server's key"),
    (Scripted(402, {"error": "funds"}), 502, "does not accept this server's key"),
    (Scripted(413, {"error": "too large"}), 413, "too large"),
    (Scripted(415, b""), 415, "the file is not accepted"),
    (Scripted(429, {"error": "slowly"}, {"Retry-After": "7"}), 429, "slowly"),
    (Scripted(429, b""), 429, "too many requests"),
    (Scripted(500, {"error": "oops"}), 502, "failed with status 500"),
    (Scripted(200, b"[1]"), 502, "no JSON object"),
    (Scripted(0), 502, "cannot be reached"),
])  # fmt: skip
def test_every_refusal_becomes_a_status_of_ours(
    provider: Provider, name: str, scripted: Scripted, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.script.append(scripted)
    with pytest.raises(Refused) as refused:
        transcribed(name, Source(url="https://example.org/a.mp3"))
    assert refused.value.status == status
    assert said in refused.value.message
    assert refused.value.retry_after == (
        {"7": 7}.get(scripted.headers.get("Retry-After", ""), 30) if status == 429 else 0
    )
    assert KEY not in refused.value.message + caplog.text


def test_a_provider_that_is_silent_or_away_is_told_apart(
    provider: Provider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "ANSWER_S", 0.2)
    provider.script.append(Scripted(200, SCRIBED, after_s=1.0))
    with pytest.raises(Refused, match="did not answer in time") as slow:
        transcribed("elevenlabs", Source(url="https://example.org/a.mp3"))
    assert slow.value.status == 504
    monkeypatch.setattr(rest, "LONGEST_POLL_S", 0.0)
    with pytest.raises(Refused, match="has not finished") as endless:
        transcribed("assemblyai", Source(url="https://example.org/a.mp3"))
    assert endless.value.status == 504
    settings.ELEVENLABS_URL = "http://127.0.0.1:9"
    with pytest.raises(Refused, match="cannot be reached") as away:
        transcribed("elevenlabs", Source(url="https://example.org/a.mp3"))
    assert away.value.status == 502


@pytest.mark.parametrize(("result", "ms"), [
    ({"audio_duration_secs": 12.5, "words": [{"end": 3.0}]}, 12500),
    ({"transcripts": [{"words": [{"end": 3.0}, {"end": None}]}, {"words": [{"end": 4.5}]}]}, 4500),
    ({}, 0),
])  # fmt: skip
def test_the_length_of_the_audio_is_what_the_provider_tells(result: dict[str, Any], ms: int) -> None:
    assert rest.audio_ms("elevenlabs", result) == ms
