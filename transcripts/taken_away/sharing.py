"""Links by which anybody may read one record: made, told, stopped, followed.

Found by the digest of its token, as a sign-in link is, so that a copy of the database opens nothing; kept sealed beside
it, so that its owner can copy the same link again tomorrow.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from memweb.accounts.seal import seal, unseal
from memweb.guesses import Guesses
from transcripts.errors import Refused
from transcripts.models import Record, Share

MOST = 50
TOO_MANY = f"A record can have {MOST} links. Stop one first."
DAYS = (0, 1, 7, 30, 365)
"""For how long a link may work; 0 is until it is stopped."""

guesses = Guesses()
"""Tokens that nobody ever gave out, or that work no more, by visitor."""


@transaction.atomic
def make(*, record_id: uuid.UUID, kind: str = Share.Kind.TEXT, with_audio: bool = False, days: int = 0) -> Share:
    """One more link to a record, that works for so many days (0: until it is stopped). Raises Refused."""
    Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    if Share.objects.kept().filter(record_id=record_id).count() >= MOST:
        raise Refused(TOO_MANY)
    token = secrets.token_urlsafe(24)
    return Share.objects.create(
        record_id=record_id, kind=kind, digest=_digest(token), sealed=seal(token), with_audio=with_audio,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )  # fmt: skip


def stop(*, record_id: uuid.UUID, pk: int) -> bool:
    """Let a link show nothing from now on. False where there is none to stop."""
    return bool(Share.objects.kept().filter(record_id=record_id, pk=pk).update(revoked_at=timezone.now()))


def token_of(share: Share) -> str:
    """What stands in the link; empty where it was sealed with a key that is gone: then only its holders know it."""
    return unseal(share.sealed)


def followed(token: str, kind: str) -> Share | None:
    """The link of this kind with this token, if it works now; with its record and what that shows."""
    working = Share.objects.working(timezone.now()).select_related("record__current_version")
    return working.filter(digest=_digest(token), kind=kind).first()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
