"""Who may use the gateway: keys, made once, shown once, kept as digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from channels.db import database_sync_to_async
from django.conf import settings
from django.core import signing
from django.db.models import Q, QuerySet
from django.utils import timezone

from memweb.accounts.models import User
from memweb.gateway.models import Account, ApiKey
from memweb.speech.dialects import strict

PREFIX = "sk-mem-"
APP_PREFIX = "sk-mem-app."
APP_KEY_SECONDS = 24 * 3600
TOUCH_SECONDS = 60
_FOUND_BY = len(PREFIX) + 8


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, after the key was checked."""

    account_id: int
    user_id: int
    key_id: int | None
    """None for memweb's own app, which signs a short-lived key instead of keeping one."""
    streams_allowed: bool
    session_seconds: int | None = None
    """How long a session may last, where a token says so."""
    session: str = ""
    """Which session of the app's own this connection belongs to; empty for everybody else."""
    offset_ms: int = 0
    """How far into that session the connection begins: what lies before was heard, and charged, before."""


def create_key(
    *, user: User, name: str, streams_allowed: bool = True, expires_in: timedelta | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not kept and cannot be shown again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        account=account_of(user=user),
        name=name,
        prefix=secret[:_FOUND_BY],
        digest=_digest(secret),
        streams_allowed=streams_allowed,
        expires_at=None if expires_in is None else timezone.now() + expires_in,
    )
    return key, secret


def revoke_key(*, key: ApiKey) -> ApiKey:
    """The key opens nothing from now on; its live sockets are cut within seconds."""
    key.revoked_at = key.revoked_at or timezone.now()
    key.save(update_fields=["revoked_at"])
    return key


def account_of(*, user: User) -> Account:
    account, _ = Account.objects.get_or_create(user=user)
    return account


def find(secret: str) -> Caller | None:
    """Who this secret belongs to; None when it is wrong, revoked or expired, or its person may not sign in."""
    if secret.startswith(APP_PREFIX):
        return _find_app(secret.removeprefix(APP_PREFIX))
    if not secret.startswith(PREFIX) or not strict.is_storable(secret):
        return None
    digest = _digest(secret)
    for key in usable().filter(prefix=secret[:_FOUND_BY]).select_related("account"):
        if hmac.compare_digest(key.digest, digest):
            allowed = key.streams_allowed and key.account.streams_allowed
            return Caller(key.account_id, key.account.user_id, key.pk, allowed)
    return None


afind = database_sync_to_async(find)


def usable() -> QuerySet[ApiKey]:
    """Keys that open something at this moment."""
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    return ApiKey.objects.filter(unexpired, revoked_at__isnull=True, account__user__is_active=True)


def touch(*, key_ids: set[int]) -> None:
    """Note that these keys were used, to the minute."""
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - timedelta(seconds=TOUCH_SECONDS))
    ApiKey.objects.filter(stale, pk__in=key_ids).update(last_used_at=now)


def _find_app(signed: str) -> Caller | None:
    try:
        claim = signing.loads(signed, salt=settings.GATEWAY_SIGNING_SALT, max_age=APP_KEY_SECONDS)
        user = User.objects.get(pk=claim["u"], is_active=True)
        session, offset_ms = str(claim.get("s", "")), max(0, int(claim.get("o", 0)))
    except (signing.BadSignature, KeyError, TypeError, ValueError, User.DoesNotExist):
        return None
    account = account_of(user=user)
    return Caller(account.pk, user.pk, None, account.streams_allowed, session=session, offset_ms=offset_ms)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
