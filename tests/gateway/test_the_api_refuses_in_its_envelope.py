"""Below /serve/api/v2 every refusal has the contract's shape and status, whatever is wrong with the request."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from django.test import Client

from memweb.accounts.models import User
from memweb.gateway import keys
from memweb.gateway.api import api
from memweb.gateway.guesses import Guesses
from memweb.speech import envelope

pytestmark = pytest.mark.django_db
AT = "/serve/api/v2"
POST = f"{AT}/transcriptions/async-summary"
GOOD = {"asset_id": "re_660727003963174912"}
EDGES = {404, 405, 415}
"""What the path, the method and the type of a body are answered with, before any endpoint is reached."""


@pytest.fixture
def key() -> str:
    return keys.create_key(user=User.objects.create_user("owner"), name="tests")[1]


@pytest.fixture
def client(key: str) -> Client:
    return Client(headers={"Authorization": key})


@cache
def document() -> list[tuple[re.Pattern[str], dict[str, set[int]]]]:
    """Each path of the document, and which answers each method of it has."""
    return [
        (
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))),
            {method.upper(): {int(status) for status in told["responses"]} for method, told in methods.items()},
        )
        for path, methods in api.get_openapi_schema(path_prefix=f"{AT}/")["paths"].items()
    ]


def documented(request: dict[str, Any]) -> set[int]:
    """Which answers to this request the document has."""
    path, method = request["PATH_INFO"], request["REQUEST_METHOD"]
    known = [methods[method] for pattern, methods in document() if pattern.fullmatch(path) and method in methods]
    return set().union(EDGES, *known[:1])


def refused(answer: Any, status: int) -> str:
    """The sentence of a refusal in the documented shape."""
    assert answer.status_code == status, answer.content
    # A fault of the server's own may end any request, and no document promises one.
    assert status in documented(answer.request) | {500}, "the document does not have this answer"
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.content)
    assert body == {"code": status, "msg": body["msg"], "data": None, "success": False, "failed": True}
    assert envelope.read(status, answer.content) == envelope.Refusal(status, body["msg"])
    return str(body["msg"])


def test_no_key_and_a_wrong_one_are_unauthorized() -> None:
    for given in ({}, {"Authorization": "sk-mem-wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "\xe9"}):
        assert refused(Client(headers=given).post(POST, GOOD, "application/json"), 401) == "Unauthorized"


def test_a_key_is_taken_with_and_without_the_word_bearer(key: str) -> None:
    for given in (key, f"Bearer {key}", f"bearer  {key} "):
        refused(Client(headers={"Authorization": given}).post(POST, GOOD, "application/json"), 400)


def test_the_key_is_asked_for_before_the_body_is_looked_at() -> None:
    assert refused(Client().post(POST, "{", "application/json"), 401) == "Unauthorized"


def test_too_many_guesses_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memweb.gateway.api.door.guesses", Guesses())
    wrong = Client(headers={"Authorization": "sk-mem-wrong"})
    statuses = [wrong.post(POST, GOOD, "application/json").status_code for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    answer = wrong.post(POST, GOOD, "application/json")
    refused(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "1",
        "null",
        '"x"',
        "[" * 100_000,
        "{}{}",
        "\x00",
        "\xff\xfe",
        '{"asset_id": ' + "9" * 5000 + "}",
        "{}",
        "",
    ],
)
def test_a_body_that_is_no_json_object_with_an_asset_is_refused(client: Client, body: str) -> None:
    refused(client.post(POST, body.encode("latin-1"), "application/json"), 400)


@pytest.mark.parametrize(
    "given", [r'"\u0000"', '{"x":"\\u0000"}', r'"a\ud800"', "NaN", "[1e999]", "[" * 200 + "]" * 200]
)
@pytest.mark.parametrize(
    ("path", "name"),
    [("audio-stream/start", "x"), ("transcriptions/async-generate-audio", "language"), ("webhook", "url"),
     ("upload/signed-url", "original_filename"), ("transcriptions/speech-to-text", "x")],
)  # fmt: skip
def test_what_no_database_keeps_is_refused(client: Client, path: str, name: str, given: str) -> None:
    rest = '"asset_id": "re_1", "audio_url": "https://example.org/a", "provider": "assemblyai"'
    ask = client.put if path == "webhook" else client.post
    answer = ask(f"{AT}/{path}", f'{{{rest}, "{name}": {given}}}', "application/json")
    assert answer.status_code == 400, answer.content
    told = json.loads(answer.content)
    said = told.get("msg") or told["message"]
    assert said.startswith(f"Invalid request parameters: {'the body' if 'not JSON' in said else name} "), said


@pytest.mark.parametrize("value", [None, "", 1, 1.5, True, [], {}, ["re_1"], {"$ne": 1}])
def test_an_asset_id_of_another_kind_is_refused(client: Client, value: Any) -> None:
    said = refused(client.post(POST, {"asset_id": value}, "application/json"), 400)
    assert "asset_id" in said


def test_a_missing_asset_id_is_told_in_the_contracts_words(client: Client) -> None:
    assert refused(client.post(POST, {}, "application/json"), 400) == "asset_id cannot be null or empty"


def test_what_was_given_is_not_said_again(client: Client) -> None:
    answer = client.post(POST, {"asset_id": {"secret": "s3cr3t"}}, "application/json")
    assert "s3cr3t" not in refused(answer, 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_a_body_of_another_type_is_415(client: Client, kind: str) -> None:
    refused(client.post(POST, json.dumps(GOOD), kind), 415)


def test_a_body_that_is_too_large_is_413(client: Client) -> None:
    refused(client.post(POST, {"asset_id": "x" * 3_000_000}, "application/json"), 413)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head", "options"])
def test_a_wrong_method_is_405_and_names_the_right_one(client: Client, method: str) -> None:
    answer = getattr(client, method)(POST)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    if method != "head":
        assert refused(answer, 405) == f"{method.upper()} not supported"


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/transcriptions", "/transcriptions/", "/../v2/x", "/%00", "//"])
def test_an_unknown_path_is_404(client: Client, path: str) -> None:
    for ask in (client.get, client.post, Client().get):
        refused(ask(AT + path), 404)


def test_audio_streams_say_message_and_nothing_of_success(client: Client) -> None:
    answer = client.get(f"{AT}/audio-stream/nothing")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "data"}


def test_a_fault_is_told_in_the_envelope_and_says_nothing_of_the_inside(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(secret: str) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(keys, "find", broken)
    client.raise_request_exception = False
    assert "inside" not in refused(client.post(POST, GOOD, "application/json"), 500)


@pytest.mark.parametrize("name", ["async-generate-multi-speaker", "async-summary", "async-generate-video"])
def test_what_is_not_offered_here_says_so(client: Client, name: str) -> None:
    assert "does not offer" in refused(client.post(f"{AT}/transcriptions/{name}", GOOD, "application/json"), 400)


def test_the_document_describes_what_is_served(client: Client) -> None:
    document = Client().get(f"{AT}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert f"{AT}/transcriptions/async-summary" in document["paths"]
    assert document["components"]["securitySchemes"]["KeyAuth"] == {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
    }
