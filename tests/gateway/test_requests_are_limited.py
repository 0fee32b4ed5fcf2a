"""An account may make so many requests a minute, at every door; then it is told when to come again, in that door's
own words. Who answers is told by key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import assemblyai
import httpx
import openai
import pytest
from django.test import Client
from elevenlabs import ElevenLabs
from elevenlabs.core.api_error import ApiError

from memweb.accounts.models import User
from memweb.gateway import keys, limits


@pytest.fixture(autouse=True)
def few(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty a minute, in a minute that does not pass."""
    settings.REQUESTS_PER_MINUTE = 30
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: 0.0))


def test_a_minutes_worth_at_once_and_then_one_every_two_seconds() -> None:
    requests = limits.Requests()
    assert [requests.wait(1, now=0.0) for _ in range(31)] == [0] * 30 + [2]
    assert requests.wait(2, now=0.0) == 0, "another account"
    assert requests.wait(1, now=1.0) == 1
    assert requests.wait(1, now=2.0) == 0
    assert requests.wait(1, now=2.0) == 2
    assert [requests.wait(1, now=1000.0) for _ in range(31)][-2:] == [0, 2], "waiting longer saves up no more"


@pytest.mark.django_db
def test_one_request_too_many_is_429_and_says_when_to_come_again(client: Client) -> None:
    secret = keys.create_key(user=User.objects.create_user("maya"), name="tests")[1]
    answers = [client.get("/serve/api/v2/providers", headers={"authorization": secret}) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1]["Retry-After"] == "2"
    assert answers[-1].json()["code"] == 429


# The providers' own doors

DOORS = [
    ("POST", "/v1/audio/transcriptions"),
    ("GET", "/v1/models"),
    ("POST", "/v1/speech-to-text"),
    ("GET", "/v1/speech-to-text/transcripts/x"),
    ("POST", "/v1/single-use-token/batch_scribe"),
    ("POST", "/v2/upload"),
    ("POST", "/v2/transcript"),
    ("GET", "/v2/transcript/x"),
    ("GET", "/v2/transcript/x/srt"),
]


@pytest.fixture
def spent(db: None) -> str:
    """The key of an account that has made all its requests of this minute, a moment ago."""
    secret = keys.create_key(user=User.objects.create_user("maya"), name="tests")[1]
    account = keys.find(secret)
    assert account is not None
    while not limits.requests.wait(account.account_id):
        pass
    return secret


@pytest.mark.parametrize(("verb", "path"), DOORS)
def test_each_door_counts_and_says_when_to_come_again(verb: str, path: str, spent: str, client: Client) -> None:
    answer = client.generic(verb, path, headers={"authorization": spent, "xi-api-key": spent})
    assert (answer.status_code, answer["Retry-After"]) == (429, "2")
    other = keys.create_key(user=User.objects.create_user("noah"), name="tests")[1]
    answer = client.generic(verb, path, headers={"authorization": other, "xi-api-key": other})
    assert answer.status_code != 429, "another account"


@pytest.mark.django_db
def test_a_token_is_not_lost_for_having_come_too_soon(settings: Any, client: Client) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    secret = keys.create_key(user=User.objects.create_user("maya"), name="tests")[1]
    token = client.post("/v1/single-use-token/batch_scribe", headers={"xi-api-key": secret}).json()["token"]
    assert client.post("/v1/single-use-token/batch_scribe", headers={"xi-api-key": secret}).status_code == 429
    assert client.post(f"/v1/speech-to-text?token={token}", {}).status_code == 400, "let in: there is only no file"


SAID = "This account made too many requests. Try again in 2 s."


def test_the_official_clients_read_the_refusal(spent: str, live_server: Any) -> None:
    client = openai.OpenAI(api_key=spent, base_url=f"{live_server.url}/v1", max_retries=0)
    with client, pytest.raises(openai.RateLimitError, match=SAID) as of_openai:
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
    assert of_openai.value.code == "rate_limit_exceeded"
    assert of_openai.value.response.headers["retry-after"] == "2"

    with httpx.Client() as http, pytest.raises(ApiError) as of_elevenlabs:
        ElevenLabs(api_key=spent, base_url=live_server.url, httpx_client=http).speech_to_text.convert(
            model_id="scribe_v2", file=b"RIFF", request_options={"max_retries": 0}
        )
    assert of_elevenlabs.value.status_code == 429
    assert of_elevenlabs.value.body["detail"]["message"] == SAID
    assert of_elevenlabs.value.headers["retry-after"] == "2"

    made = assemblyai.Client(settings=assemblyai.Settings(api_key=spent, base_url=live_server.url))
    with made.http_client, pytest.raises(assemblyai.types.TranscriptError, match=SAID) as of_assemblyai:
        assemblyai.Transcriber(client=made).submit("https://example.org/a.mp3")
    assert of_assemblyai.value.status_code == 429
    assert made.last_response.headers["retry-after"] == "2"


@pytest.mark.django_db
def test_the_api_says_who_answers(client: Client, settings: Any) -> None:
    settings.ELEVENLABS_API_KEY = "operators"
    settings.ELEVENLABS_WS_URL = "wss://eleven.example"
    secret = keys.create_key(user=User.objects.create_user("maya"), name="tests")[1]
    assert client.get("/serve/api/v2/providers").status_code == 401
    answer = client.get("/serve/api/v2/providers", headers={"authorization": secret}).json()
    assert answer["data"] == [
        {"provider": "elevenlabs", "live": "eleven.example"},
        {"provider": "assemblyai", "live": "this machine"},
    ]
