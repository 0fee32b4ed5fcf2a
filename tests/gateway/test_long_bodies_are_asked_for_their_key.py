"""Who brings a long file is asked for the key before it is read; the key is all that is looked at."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from pytest_django import Settings

from memweb import asgi, bodies, pages
from memweb.accounts.models import User
from memweb.gateway import assets, bringing, keys, tokens
from memweb.gateway.models import Account
from memweb.guesses import ALLOWED, Guesses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nobody_has_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memweb.gateway.bringing.guesses", Guesses())


@pytest.fixture
def account() -> Account:
    return keys.account_of(user=User.objects.create_user("alice"))


def told(path: str, **headers: str) -> bringing.Answer | None:
    """What is answered to a request with these headers; None where it goes on."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asked = asgi.ask(path, named, "192.0.2.1")
    assert asked is not None
    return waited(asked)


def status(path: str, **headers: str) -> int | None:
    answer = told(path, **headers)
    return None if answer is None else answer[0]


@async_to_sync
async def waited(asked: Awaitable[Any]) -> Any:
    return await asked


def test_every_address_of_the_gateway_that_takes_files_has_its_door() -> None:
    assert {path for path in bodies.FILES if path.startswith(pages.GATEWAY_PATHS)} == set(bringing.DOORS)
    for path in ("/uploads/", "/upload/", "/transcripts/import/", "/v2/transcript", "/hooks/x/", "/"):
        assert asgi.ask(path, [], "192.0.2.1") is None


@pytest.mark.parametrize("path", [*bringing.DOORS, "/v2/%75pload?x=1"])
def test_only_who_has_a_key_goes_on(account: Account, path: str) -> None:
    key, secret = keys.create_key(user=account.user, name="tests")
    name = "xi_api_key" if "v1/speech" in path else "authorization"
    assert status(path) == 401
    assert status(path, **{name: "sk-mem-wrong"}) == 401
    assert status(path, **{name: secret}) is None
    assert status(path, **{name: f"Bearer {secret}"}) is None
    keys.revoke_key(key=key)
    assert status(path, **{name: secret}) == 401


def test_the_refusal_has_the_shape_of_the_door() -> None:
    answer = told("/v1/speech-to-text", xi_api_key="sk-mem-wrong")
    assert answer is not None
    assert (b"content-type", b"application/json") in answer[1]
    assert json.loads(answer[2]) == {"detail": {"status": "invalid_api_key", "message": "Unauthorized"}}


def test_a_token_goes_on_until_it_is_spent_and_is_not_spent_by_that(account: Account) -> None:
    _, secret = keys.create_key(user=account.user, name="tests")
    caller = keys.find(secret)
    assert caller is not None
    token, other = (tokens.mint(caller=caller, door=f"elevenlabs{kind}", seconds=60) for kind in ("-files", ""))
    for _ in range(2):
        assert status(f"/v1/speech-to-text?token={token}") is None
    assert status(f"/v1/speech-to-text?token={other}") == 401
    assert status(f"/v1/audio/transcriptions?token={token}") == 401
    assert tokens.redeem(token, "elevenlabs-files")
    assert status(f"/v1/speech-to-text?token={token}") == 401


def test_a_signed_address_opens_for_its_own_asset(account: Account) -> None:
    mine, other = (assets.expect(account_id=account.pk, name="a.wav") for _ in range(2))
    path = f"/serve/api/v2/upload/signed/{mine.asset_id}"
    assert status(f"{path}?token={assets.signed(mine)}") is None
    assert status(f"{path}?token={assets.signed(other)}") == 401
    assert status(path) == 401


def test_who_tries_many_keys_waits_each_address_for_itself(settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    guess = {"authorization": "sk-mem-wrong", "x_forwarded_for": "198.51.100.1, 198.51.100.2"}
    assert [status("/v2/upload", **guess) for _ in range(ALLOWED + 1)] == [401] * ALLOWED + [429]
    answer = told("/v2/upload", **guess)
    assert answer is not None
    assert b"retry-after" in dict(answer[1])
    assert status("/v2/upload", **guess | {"x_forwarded_for": "198.51.100.2, 198.51.100.1"}) == 401
