"""A person's callback address: made, shown, replaced. The secret in it is the only proof that most senders give."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from memweb import doctor
from memweb.accounts.models import User
from memweb.accounts.seal import seal, unseal
from memweb.upstream.address import Gateway
from transcripts.callbacks.inbox import Hook

REMEMBERED = timedelta(days=7)
"""So long after the last one it is said that callbacks were refused."""


def address_of(user: User) -> str:
    """What this person tells a gateway as its webhook, made on first use."""
    return doctor.public_address() + path_of(user)


def is_out_of_reach(gateway: Gateway) -> bool:
    """Whether such an address leads into this network only, and the gateway is outside of it."""
    return _is_inside(doctor.public_address()) and not _is_inside(gateway.url)


def _is_inside(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:  # a name
        return host == "localhost"


def path_of(user: User) -> str:
    """The path of this person's address, made on first use."""
    hook = Hook.objects.filter(user=user).first()
    secret = unseal(hook.sealed) if hook else ""
    # Sealed with a key that is gone: the address still works for whoever has it, but nobody can be told of it.
    return f"/hooks/{secret or replace(user=user)}/"


@transaction.atomic
def replace(*, user: User) -> str:
    """A new secret; the former address is unknown from now on."""
    secret = secrets.token_urlsafe(32)
    made = {"digest": digest_of(secret), "sealed": seal(secret), "made_at": timezone.now(), "refused": 0}
    Hook.objects.update_or_create(user=user, defaults={**made, "refused_at": None})
    return secret


def refusals_of(user: User) -> Hook | None:
    """This person's address with how many it refused for their signatures; None where none was in the last days."""
    return Hook.objects.filter(user=user, refused_at__gt=timezone.now() - REMEMBERED).first()


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
