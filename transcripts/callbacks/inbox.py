"""Rows of what gateways tell: where they post to, and what they posted. Part of `models`.

Nothing here has behaviour: `webhooks` and `letters` store, `callbacks` applies.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from transcripts.queries import CallbackQuerySet


class Hook(models.Model):
    """The address a person's callbacks are posted to. Its secret is found by digest, and printed from its seal."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="hook")
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the secret
    sealed = models.BinaryField()  # the secret, encrypted: see accounts.seal
    made_at = models.DateTimeField()
    refused = models.PositiveIntegerField(default=0)  # how many came with a wrong signature
    refused_at = models.DateTimeField(null=True, blank=True)  # the last of them

    def __str__(self) -> str:
        return f"hook of {self.user_id}"


class Callback(models.Model):
    """One message that was posted to us, as it came. Stored and committed before it was answered or understood."""

    class State(models.TextChoices):
        STORED = "stored", "Stored"
        APPLIED = "applied", "Applied"
        UNCLAIMED = "unclaimed", "No task yet"  # nothing here asked for this task; attached when something does
        EARLY = "early", "Waits for its job"  # the job that asked for it cannot be told yet
        UNUSED = "unused", "Not used"  # its job was stopped meanwhile
        UNREADABLE = "unreadable", "Not understood"  # see reason; kept, and can be applied again

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="callbacks")
    arrived_at = models.DateTimeField()
    delivery_id = models.CharField(max_length=200, blank=True)  # the sender's own name for it, equal over its retries
    sequence = models.BigIntegerField(null=True, blank=True)  # the sender's own numbering, within a task
    repeats = models.PositiveIntegerField(default=0)  # how often this delivery came again
    signed = models.BooleanField(default=False)  # and the signature was right
    headers = models.JSONField(default=dict, blank=True)  # those that matter
    raw = models.BinaryField()  # the body, byte for byte
    digest = models.CharField(max_length=64)  # SHA-256 of the body
    state = models.CharField(max_length=16, choices=State, default=State.STORED)
    reason = models.CharField(max_length=500, blank=True)
    task_id = models.CharField(max_length=200, blank=True)
    job = models.ForeignKey(
        "transcripts.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="callbacks"
    )
    applied_at = models.DateTimeField(null=True, blank=True)

    objects = CallbackQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["state", "id"]),
            models.Index(fields=["owner", "-id"]),
            models.Index(fields=["owner", "task_id", "id"]),
            models.Index(fields=["job", "id"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "delivery_id"], condition=models.Q(delivery_id__gt=""), name="callback_delivery_once"
            )
        ]

    def __str__(self) -> str:
        return f"callback {self.pk}"
