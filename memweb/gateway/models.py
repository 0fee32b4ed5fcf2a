"""The built-in gateway's rows. It knows accounts and keys; it knows nothing of the library."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Account(models.Model):
    """Who is charged. One per user; the balance of the machine's owner is unlimited (None)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="gateway_account")
    balance = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)  # US dollars
    streams_allowed = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"account of {self.user_id}"


class ApiKey(models.Model):
    """A named key, shown once. Kept: a short prefix to find it by, and the SHA-256 of the whole."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=24, db_index=True)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"key {self.prefix}"


class SpentToken(models.Model):
    """A single-use token that was used. Unique across processes: the second use finds it taken."""

    nonce = models.CharField(max_length=32, unique=True)
    expires_at = models.DateTimeField(db_index=True)  # after this the token itself is refused, so the row may go

    def __str__(self) -> str:
        return f"spent token {self.pk}"
