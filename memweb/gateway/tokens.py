"""Single-use tokens: short-lived stand-ins for a key, for clients that must not hold one.

A token is signed, not stored; using it writes one row whose uniqueness makes the second use fail, in any process.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from channels.db import database_sync_to_async
from django.core import signing
from django.utils import timezone

from memweb.gateway.keys import Caller, usable
from memweb.gateway.models import Account, SpentToken

_SALT = "memweb.gateway.token"
_LONGEST_SECONDS = 3600


def mint(*, caller: Caller, door: str, seconds: int, session_seconds: int | None = None) -> str:
    """A token that opens one session at `door` within `seconds`."""
    claim = {
        "a": caller.account_id,
        "k": caller.key_id,
        "d": door,
        "n": secrets.token_urlsafe(16),
        "x": int(time.time()) + seconds,
        "s": session_seconds,
    }
    return signing.dumps(claim, salt=_SALT)


def redeem(token: str, door: str) -> Caller | None:
    """Who minted it; None when it is wrong, late, used before, meant for another door, or its key was revoked."""
    claim = _claim(token, door)
    if claim is None:
        return None
    caller = _caller(claim["a"], claim["k"])
    if caller is None or not _spend(claim["n"], claim["x"]):
        return None
    return replace(caller, session_seconds=claim["s"])


aredeem = database_sync_to_async(redeem)


def opens(token: str, door: str) -> bool:
    """Whether it could be redeemed now; it is not."""
    claim = _claim(token, door)
    return (
        claim is not None
        and _caller(claim["a"], claim["k"]) is not None
        and not SpentToken.objects.filter(nonce=claim["n"]).exists()
    )


def _claim(token: str, door: str) -> dict[str, Any] | None:
    """What it says, where it is memweb's own, meant for this door, and in time."""
    try:
        claim: dict[str, Any] = signing.loads(token, salt=_SALT, max_age=_LONGEST_SECONDS)
    except signing.BadSignature:
        return None
    return None if claim["d"] != door or claim["x"] < time.time() else claim


def _caller(account_id: int, key_id: int | None) -> Caller | None:
    account = Account.objects.filter(pk=account_id, user__is_active=True).first()
    if account is None or (key_id is not None and not usable().filter(pk=key_id, account=account).exists()):
        return None
    return Caller(account.pk, account.user_id, key_id, account.streams_allowed)


def _spend(nonce: str, expires: int) -> bool:
    SpentToken.objects.filter(expires_at__lt=timezone.now()).delete()
    until = datetime.fromtimestamp(expires, UTC)
    return SpentToken.objects.get_or_create(nonce=nonce, defaults={"expires_at": until})[1]
