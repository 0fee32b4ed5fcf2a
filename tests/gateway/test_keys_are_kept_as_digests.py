"""A key is shown once, found by its digest, and opens nothing once it is revoked, expired or its person is gone."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway import keys, seats
from memweb.gateway.models import Account, ApiKey
from memweb.guesses import ALLOWED, Guesses

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


def test_a_secret_has_256_random_bits_and_is_not_kept(alice: User) -> None:
    key, secret = keys.create_key(user=alice, name="laptop")
    assert re.fullmatch(r"sk-mem-[\w-]{43}", secret)
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert not [value for value in row.values() if isinstance(value, str) and secret[20:] in value]
    assert row["digest"] != secret
    assert keys.create_key(user=alice, name="laptop")[1] != secret


def test_a_key_is_found_by_its_whole_secret_only(alice: User) -> None:
    key, secret = keys.create_key(user=alice, name="laptop")
    caller = keys.find(secret)
    assert caller is not None
    assert (caller.key_id, caller.user_id, caller.streams_allowed) == (key.pk, alice.pk, True)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for other in (wrong, secret[:-1], secret + "x", secret.upper(), key.digest, key.prefix, "", "sk-mem-", "\ud800"):
        assert keys.find(other) is None
    for unstorable in ("sk-mem-\0", "sk-mem-\ud800"):
        assert keys.find(unstorable) is None, "and no database is asked for what it cannot take"


def test_a_revoked_key_opens_nothing(alice: User) -> None:
    key, secret = keys.create_key(user=alice, name="laptop")
    keys.revoke_key(key=key)
    assert keys.find(secret) is None
    first = ApiKey.objects.get(pk=key.pk).revoked_at
    assert keys.revoke_key(key=ApiKey.objects.get(pk=key.pk)).revoked_at == first, "it was revoked then, not now"


def test_a_caller_may_stream_where_both_key_and_account_may(alice: User) -> None:
    _, both = keys.create_key(user=alice, name="laptop")
    _, files_only = keys.create_key(user=alice, name="archive", streams_allowed=False)

    def may() -> list[bool | None]:
        callers = [keys.find(secret) for secret in (both, files_only, app_key(alice))]
        return [caller and caller.streams_allowed for caller in callers]

    assert may() == [True, False, True]
    Account.objects.update(streams_allowed=False)
    assert may() == [False, False, False]


def test_an_expired_key_opens_nothing(alice: User) -> None:
    key, secret = keys.create_key(user=alice, name="laptop")
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(hours=1))
    assert keys.find(secret) is not None
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    assert keys.find(secret) is None


def test_the_keys_of_a_person_who_may_not_sign_in_open_nothing(alice: User) -> None:
    _, secret = keys.create_key(user=alice, name="laptop")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert keys.find(secret) is None
    assert keys.find(app_key(alice)) is None


def test_a_live_session_goes_on_only_while_key_account_and_person_may_stream(alice: User) -> None:
    key, secret = keys.create_key(user=alice, name="laptop")
    by_key = keys.find(secret)
    assert by_key is not None
    of_the_app = replace(by_key, key_id=None)

    def left() -> set[keys.Caller]:
        return seats._allowed({by_key, of_the_app}, set())

    assert left() == {by_key, of_the_app}
    for rows, barred in ((Account.objects, {"streams_allowed": False}), (User.objects, {"is_active": False})):
        rows.update(**barred)
        assert left() == set()
        rows.update(**dict.fromkeys(barred, True))
    ApiKey.objects.update(streams_allowed=False)
    assert left() == {of_the_app}
    ApiKey.objects.update(streams_allowed=True, expires_at=timezone.now())
    assert left() == {of_the_app}
    ApiKey.objects.update(expires_at=None)
    assert left() == {by_key, of_the_app}
    keys.revoke_key(key=key)
    assert left() == {of_the_app}


def app_key(user: User, salt: str | None = None) -> str:
    return signed({"u": user.pk}, salt)


def signed(claim: Any, salt: str | None = None) -> str:
    return keys.APP_PREFIX + signing.dumps(claim, salt=salt or settings.GATEWAY_SIGNING_SALT)


def test_the_app_is_known_by_its_signature_and_nothing_is_stored(alice: User) -> None:
    caller = keys.find(app_key(alice))
    assert caller is not None
    assert (caller.user_id, caller.key_id) == (alice.pk, None)
    assert not ApiKey.objects.exists()


def test_a_forged_or_old_signature_opens_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    good = app_key(alice)
    assert keys.find(good[:-1] + ("A" if good[-1] != "A" else "B")) is None
    assert keys.find(app_key(alice, salt="another purpose")) is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 24 * 3600 + 5)
    assert keys.find(good) is None


def test_a_signed_claim_of_another_version_opens_nothing(alice: User) -> None:
    """Two versions of the app may sign with one secret, at an update."""
    good = {"u": alice.pk, "s": "a session", "o": 5}
    for wrong in ({}, [], None, {"s": "a session"}, {"u": "alice"}, good | {"o": "x"}, good | {"o": None}):
        assert keys.find(signed(wrong)) is None
    offsets = [keys.find(signed(good | {"o": offset})) for offset in (5, -5)]
    assert [caller and caller.offset_ms for caller in offsets] == [5, 0], "none begins before its session"


def test_last_use_is_noted_to_the_minute(alice: User) -> None:
    key, _ = keys.create_key(user=alice, name="laptop")
    other, _ = keys.create_key(user=alice, name="desk")
    keys.touch(key_ids={key.pk})
    first = ApiKey.objects.get(pk=key.pk).last_used_at
    assert first is not None
    keys.touch(key_ids={key.pk})
    assert ApiKey.objects.get(pk=key.pk).last_used_at == first
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=first - timedelta(minutes=2))
    keys.touch(key_ids={key.pk})
    assert ApiKey.objects.get(pk=key.pk).last_used_at > first - timedelta(minutes=1)  # type: ignore[operator]
    assert ApiKey.objects.get(pk=other.pk).last_used_at is None


def test_twenty_wrong_keys_a_minute_and_address_then_a_wait() -> None:
    guesses = Guesses()
    assert [guesses.missed("192.0.2.1", now=float(at)) for at in range(ALLOWED)] == [0] * ALLOWED
    assert guesses.missed("192.0.2.1", now=20.0) == 40
    assert guesses.missed("192.0.2.2", now=20.0) == 0
    assert guesses.missed("192.0.2.1", now=60.5) == 0, "the next window admits again"
