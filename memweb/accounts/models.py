"""Who uses memweb, and what they chose."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac


class User(AbstractUser):
    """A person. The first one owns the machine and is its superuser."""

    # Part of what a session is checked against: raise it, and every session of this person is over.
    session_epoch = models.PositiveIntegerField(default=0)

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        return salted_hmac(
            "memweb.accounts.session", f"{self.session_epoch}:{self.password}", secret=secret, algorithm="sha256"
        ).hexdigest()


class Preferences(models.Model):
    """What a person chose, remembered between visits."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="preferences")
    gateway_url = models.URLField(blank=True)  # empty: the one this memweb is set up with
    gateway_key = models.BinaryField(blank=True, default=b"")  # encrypted, never shown again
    provider = models.CharField(max_length=32, blank=True)
    language = models.CharField(max_length=16, blank=True, default="en")  # ISO 639-1; empty: detect
    even_loudness = models.BooleanField(default=True)  # the browser's automatic gain
    remove_noise = models.BooleanField(default=False)
    cancel_echo = models.BooleanField(default=False)
    pause_after = models.PositiveSmallIntegerField(default=0)  # minutes without speech; 0: never
    single_keys = models.BooleanField(default=True)  # WCAG 2.1.4: single-letter shortcuts can be turned off
    second_pass = models.BooleanField(default=True)
    file_options = models.JSONField(default=dict, blank=True)  # for files: as transcripts.files.options keeps them
    export_options = models.JSONField(default=dict, blank=True)  # for exports: as taken_away.exports keeps them

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"


class SignInLink(models.Model):
    """A link that signs one person in, once, for a short while. Only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user_id}"
