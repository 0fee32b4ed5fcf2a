"""A token stands in for a key once, at one door, for a short while; however many processes are asked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from memweb.accounts.models import User
from memweb.gateway import keys, tokens
from memweb.gateway.keys import Caller
from memweb.gateway.models import SpentToken


@pytest.fixture
def caller() -> Caller:
    _, secret = keys.create_key(user=User.objects.create_user("alice"), name="laptop")
    found = keys.find(secret)
    assert found is not None
    return found


@pytest.mark.django_db
def test_a_token_opens_its_door_once(caller: Caller) -> None:
    token = tokens.mint(caller=caller, door="assemblyai", seconds=60, session_seconds=120)
    redeemed = tokens.redeem(token, "assemblyai")
    assert redeemed is not None
    assert (redeemed.key_id, redeemed.session_seconds) == (caller.key_id, 120)
    assert tokens.redeem(token, "assemblyai") is None


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_succeeds(caller: Caller) -> None:
    token = tokens.mint(caller=caller, door="elevenlabs", seconds=60)

    def use(_: int) -> bool:
        try:
            return tokens.redeem(token, "elevenlabs") is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(16))) == 1


@pytest.mark.django_db
def test_a_token_of_another_door_a_forged_and_a_late_one_open_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.mint(caller=caller, door="elevenlabs", seconds=60)
    assert tokens.redeem(token, "assemblyai") is None
    assert tokens.redeem(token[:-1] + ("A" if token[-1] != "A" else "B"), "elevenlabs") is None
    assert tokens.redeem("", "elevenlabs") is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 62)
    assert tokens.redeem(token, "elevenlabs") is None


@pytest.mark.django_db
def test_a_token_falls_with_its_key(caller: Caller) -> None:
    token = tokens.mint(caller=caller, door="elevenlabs", seconds=60)
    keys.revoke_key(key=keys.usable().get(pk=caller.key_id))
    assert tokens.redeem(token, "elevenlabs") is None


@pytest.mark.django_db
def test_rows_of_tokens_that_are_long_refused_are_swept(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens.redeem(tokens.mint(caller=caller, door="elevenlabs", seconds=-5), "elevenlabs")
    assert not SpentToken.objects.exists(), "a late token leaves no row"
    assert tokens.redeem(tokens.mint(caller=caller, door="elevenlabs", seconds=1), "elevenlabs")
    SpentToken.objects.update(expires_at="2020-01-01T00:00:00Z")
    tokens.redeem(tokens.mint(caller=caller, door="elevenlabs", seconds=60), "elevenlabs")
    assert SpentToken.objects.count() == 1
