"""Everything that is written about people: the owner, further users, links, passwords, choices."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from memweb.accounts.models import Preferences, SignInLink, User
from memweb.accounts.seal import seal, unseal

LINK_LIFETIME = timedelta(minutes=15)
OWNER_NAME = "owner"


def ensure_owner() -> User:
    """The person who owns this machine; made, without a password, when nobody is there yet."""
    owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return owner or User.objects.create_superuser(OWNER_NAME, password=None)


def add_person(*, name: str, password: str | None = None) -> User:
    """A further user, who signs in by link until a password is set."""
    return User.objects.create_user(name, password=password)


def make_link(*, user: User) -> str:
    """A fresh token for `sign_in_link`: works once, within 15 minutes. Only its digest is kept."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    SignInLink.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
    SignInLink.objects.create(user=user, digest=_digest(token), expires_at=now + LINK_LIFETIME)
    return token


def use_link(*, token: str) -> User | None:
    """The person of an unused, unexpired link, which is used up by this; else None."""
    now = timezone.now()
    link = SignInLink.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=now)
    # One statement on one table: of two browsers that come at once, one gets in. With a join PostgreSQL would
    # choose the row in a subquery, and both would.
    if not link.update(used_at=now):
        return None
    return User.objects.filter(sign_in_links__digest=_digest(token), is_active=True).first()


def change_password(*, user: User, password: str) -> User:
    """Set the password. Every other session of this person ends, since it was made with the old one."""
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def sign_out_everywhere(*, user: User) -> None:
    """End every session of this person, and every socket opened with one."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def preferences_of(user: User) -> Preferences:
    """This person's choices; the defaults when nothing was chosen yet."""
    return Preferences.objects.get_or_create(user=user)[0]


def save_preferences(*, user: User, **chosen: Any) -> Preferences:
    """Remember choices by field name of `Preferences`."""
    with transaction.atomic():
        preferences = preferences_of(user)
        for name, value in chosen.items():
            setattr(preferences, name, value)
        preferences.save(update_fields=list(chosen))
    return preferences


@dataclass(frozen=True)
class ChosenGateway:
    """A person's own gateway: its address and key. Both empty: the one memweb is set up with."""

    url: str = ""
    key: str = ""


def choose_gateway(*, user: User, chosen: ChosenGateway) -> Preferences:
    """Use this gateway from now on."""
    return save_preferences(user=user, gateway_url=chosen.url, gateway_key=seal(chosen.key))


def gateway_of(user: User) -> ChosenGateway:
    """The gateway this person chose, with its key in the clear: for `upstream` only, never for a page."""
    preferences = Preferences.objects.filter(user=user).first()
    if preferences is None or not preferences.gateway_url:
        return ChosenGateway()
    return ChosenGateway(preferences.gateway_url.rstrip("/"), unseal(preferences.gateway_key))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
