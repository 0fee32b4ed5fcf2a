"""`/audio-stream/start` and `/stop` answer as the contract says, to the letter, whatever they are sent."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import keys, ledger, webhooks
from memweb.gateway.models import Account, Delivery, StreamTask
from memweb.speech import envelope

pytestmark = pytest.mark.django_db
START, STOP = "/serve/api/v2/audio-stream/start", "/serve/api/v2/audio-stream/stop"
URL = "rtmp://127.0.0.1/live/audio"
GOOD = {"audio_url": URL, "provider": "elevenlabs"}


@pytest.fixture
def account(settings: Any) -> Account:
    settings.ALLOW_PRIVATE_URLS = ["127.0.0.1"]
    made = keys.account_of(user=User.objects.create_user("alice"))
    webhooks.set_address(account_id=made.pk, url="http://127.0.0.1:8099/hook")
    return made


@pytest.fixture
def client(account: Account) -> Client:
    return caller("alice")


def caller(name: str) -> Client:
    user, _ = User.objects.get_or_create(username=name)
    return Client(headers={"Authorization": keys.create_key(user=user, name="tests")[1]})


def post(client: Client, url: str, body: Any) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(url, text, "application/json")


def refused(answer: Any, status: int) -> str:
    body = json.loads(answer.content)
    assert answer.status_code == status, answer.content
    assert body == {"code": status, "message": body["message"], "data": None}
    return str(body["message"])


def test_start_answers_as_documented_and_queues_the_stream(client: Client, account: Account) -> None:
    """The request and the answer of the published page."""
    body = {**GOOD, "language_code": "en", "model_id": "scribe_v2_realtime", "diarize": True, "num_speakers": 2}
    answer = json.loads(post(client, START, body).content)
    task_id = answer["data"]["task_id"]
    assert str(uuid.UUID(task_id)) == task_id
    told = {"task_id": task_id, "message": "Audio stream transcription started"}
    assert answer == {"code": 200, "message": "success", "data": told}
    stream = StreamTask.objects.get(task_id=task_id)
    assert (stream.account, stream.state, stream.url, stream.provider) == (account, "queued", URL, "elevenlabs")


def test_every_parameter_of_the_published_request_is_taken(client: Client) -> None:
    body = {
        **GOOD, "provider": "assemblyai", "language_code": "en", "punctuate": False, "format_text": False,
        "language_detection": False, "language_confidence_threshold": 0, "audio_start_from": 0, "audio_end_at": 0,
        "multichannel": False, "speech_threshold": 0, "disfluencies": False, "speaker_labels": False,
        "speakers_expected": 0, "sentiment_analysis": False, "entity_detection": False, "auto_highlights": False,
        "content_safety": False, "iab_categories": False, "auto_chapters": False, "summarization": False,
        "custom_topics": False, "redact_pii": False, "redact_pii_audio": False, "filter_profanity": False,
    }  # fmt: skip
    assert post(client, START, body).status_code == 200


def test_unknown_parameters_go_to_the_provider_and_ours_do_not(client: Client) -> None:
    more = {"brand_new": [1, "two"], "deep": {"a": 1}, "gone": None, "audio_format": "ulaw_8000", "api_key": "x"}
    post(client, START, {**GOOD, **more, "audio_start_from": 1500})
    assert StreamTask.objects.get().parameters == {
        "brand_new": ["1", "two"],
        "deep": ['{"a": 1}'],
        "audio_format": ["pcm_16000"],
        "commit_strategy": ["vad"],
        "audio_start_from": ["1500"],
        "audio_end_at": ["0"],
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"audio_url": None}, "audio_url"),
        ({"audio_url": ""}, "audio_url"),
        ({"audio_url": 7}, "audio_url"),
        ({"audio_url": ["rtmp://127.0.0.1/a"]}, "audio_url"),
        ({"audio_url": "x" * 3000}, "audio_url"),
        ({"audio_url": "/etc/passwd"}, "audio_url"),
        ({"audio_url": "file:///etc/passwd"}, "audio_url"),
        ({"audio_url": "gopher://127.0.0.1/"}, "audio_url"),
        ({"audio_url": "rtmp://10.0.0.1/live"}, "MEMWEB_ALLOW_PRIVATE_URLS"),
        ({"audio_url": "rtmp://127.0.0.1/live swfUrl=file:///etc/passwd"}, "audio_url"),
        ({"audio_url": "rtmp://127.0.0.1/\0"}, "audio_url"),
        ({"audio_url": "rtmp://[::1"}, "audio_url"),
        ({"provider": None}, "provider"),
        ({"provider": "openai"}, "provider"),
        ({"provider": {}}, "provider"),
        ({"provider": "ElevenLabs"}, "provider"),
        ({"audio_start_from": -1}, "audio_start_from"),
        ({"audio_start_from": "soon"}, "audio_start_from"),
        ({"audio_start_from": 1.5}, "audio_start_from"),
        ({"audio_end_at": 10**12}, "audio_end_at"),
        ({"audio_start_from": 5000, "audio_end_at": 5000}, "audio_end_at"),
        ({"language_code": "nonsense-language"}, "language_code"),
        ({"keyterms": ["Osei"]}, "keyterms"),
        *(
            ({"provider": "assemblyai", name: True}, name)
            for name in (
                "sentiment_analysis",
                "summarization",
                "multichannel",
                "entity_detection",
                "auto_highlights",
                "content_safety",
                "iab_categories",
                "auto_chapters",
                "custom_topics",
                "disfluencies",
                "redact_pii",
                "redact_pii_audio",
                "filter_profanity",
                "speaker_labels",
            )
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: Client, change: dict[str, Any], named: str) -> None:
    assert named in refused(post(client, START, GOOD | change), 400)
    assert not StreamTask.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "{}", b"\xff", "[" * 10_000])
@pytest.mark.parametrize("url", [START, STOP])
def test_what_is_no_request_is_refused(client: Client, url: str, body: Any) -> None:
    refused(post(client, url, body), 400)


def test_the_key_comes_first_then_the_right_to_stream(client: Client, account: Account) -> None:
    assert refused(post(Client(), START, "{"), 401) == "Unauthorized"
    Account.objects.update(streams_allowed=False)
    refused(post(client, START, GOOD), 403)
    assert not StreamTask.objects.exists()


def test_other_verbs_and_types_are_refused(client: Client) -> None:
    assert client.get(START).status_code == 405
    assert client.post(START, "audio_url=x", "application/x-www-form-urlencoded").status_code == 415


def test_without_a_webhook_nothing_starts(client: Client, account: Account) -> None:
    webhooks.remove(account_id=account.pk)
    assert refused(post(client, START, GOOD), 400) == "An async request requires at least one webhook."


def test_without_the_price_of_five_seconds_nothing_starts(client: Client, account: Account) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal("0.000541"))
    refused(post(client, START, GOOD), 402)
    assert not StreamTask.objects.exists()
    ledger.set_balance(account_id=account.pk, balance=Decimal("0.000542"))
    assert post(client, START, GOOD).status_code == 200


def test_an_account_has_so_many_streams_at_once(client: Client, settings: Any) -> None:
    settings.MAX_STREAMS = 1
    first = json.loads(post(client, START, GOOD).content)["data"]["task_id"]
    answer = post(client, START, GOOD)
    assert "at once" in refused(answer, 429)
    assert answer.headers["Retry-After"]
    post(client, STOP, {"task_id": first})
    assert post(client, START, GOOD).status_code == 200


def test_stop_answers_as_documented_and_one_last_callback_says_14(client: Client) -> None:
    task_id = json.loads(post(client, START, GOOD).content)["data"]["task_id"]
    answer = json.loads(post(client, STOP, {"task_id": task_id}).content)
    told = {"task_id": task_id, "message": "Audio stream stopped successfully"}
    assert answer == {"code": 200, "message": "success", "data": told}
    [delivery] = Delivery.objects.all()
    assert json.loads(bytes(delivery.body)) == {
        "code": 200,
        "message": "SUCCESS",
        "task_id": task_id,
        "data": {"status": 14, "message": "Stream stopped by user", "transcript": None},
    }
    refused(post(client, STOP, {"task_id": task_id}), 400)
    assert Delivery.objects.count() == 1


def test_a_running_stream_is_asked_to_stop_and_may_be_asked_again(client: Client) -> None:
    task_id = json.loads(post(client, START, GOOD).content)["data"]["task_id"]
    StreamTask.objects.update(state="running", lease="x", leased_until=timezone.now())
    for _ in range(2):
        assert post(client, STOP, {"task_id": task_id}).status_code == 200
    assert StreamTask.objects.get().stop_asked_at is not None
    assert not Delivery.objects.exists()  # whoever pulls says it


@pytest.mark.parametrize(
    "task_id", ["", None, 7, [], "x", "x" * 65, "a\0b", "660e8400-e29b-41d4-a716-446655440001", "\ud800"]
)
def test_stopping_what_is_no_stream_is_refused(client: Client, task_id: Any) -> None:
    refused(post(client, STOP, {"task_id": task_id}), 400)


def test_somebody_elses_stream_does_not_exist(client: Client) -> None:
    task_id = json.loads(post(client, START, GOOD).content)["data"]["task_id"]
    refused(post(caller("bob"), STOP, {"task_id": task_id}), 400)
    assert StreamTask.objects.get().stop_asked_at is None


def test_refusals_are_read_back_as_refusals() -> None:
    body = json.dumps(envelope.stream_failure(402, "Add to it.")).encode()
    assert envelope.read(402, body) == envelope.Refusal(402, "Add to it.")
