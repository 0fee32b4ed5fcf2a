"""The built-in gateway's rows. It knows accounts and keys; it knows nothing of the library."""

from __future__ import annotations

from typing import Any, NoReturn

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
    streams_allowed = models.BooleanField(default=True)  # False: files only
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


class WebhookEndpoint(models.Model):
    """Where an account's callbacks go, and the secret they are signed with (Standard Webhooks)."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"  # by a person; what comes meanwhile waits
        FAILING = "failing", "Paused after failing"  # nothing was accepted for a day; what comes meanwhile waits
        GONE = "gone", "Gone"  # the receiver answered 410

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="webhook")
    url = models.CharField(max_length=2000)
    secret = models.CharField(max_length=100)  # "whsec_" and base64; kept as it is, because every delivery is signed
    former_secret = models.CharField(max_length=100, blank=True)  # signs too until `former_until`
    former_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    failing_since = models.DateTimeField(null=True, blank=True)  # the first failure after the last success
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"webhook of account {self.account_id}"


class Lane(models.Model):
    """The deliveries of one task, in order: what is leased, waits and is tried again as one."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="lanes")
    task_id = models.CharField(max_length=64)
    url = models.CharField(max_length=2000, blank=True)  # "" is the account's endpoint
    header_name = models.CharField(max_length=100, blank=True)  # asked for together with `url`
    header_value = models.CharField(max_length=1000, blank=True)
    last_number = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)  # of the delivery in front
    due_at = models.DateTimeField(null=True, blank=True)  # when to try next; None while nothing waits
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "task_id"], name="one_lane_per_task")]
        indexes = [models.Index(fields=["due_at"], name="lane_due", condition=models.Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"lane {self.pk}"


class Delivery(models.Model):
    """One message posted to the account's webhook: written together with the result it tells of."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        GIVEN_UP = "given_up", "Given up"

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="deliveries")
    number = models.PositiveIntegerField()  # within the task, from 1
    webhook_id = models.CharField(max_length=40, unique=True)  # the same over every try
    body = models.BinaryField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "number"], name="one_delivery_per_number")]

    def __str__(self) -> str:
        return f"delivery {self.webhook_id}"


class Attempt(models.Model):
    """One try at a delivery, and what came back."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # None where no answer came
    excerpt = models.CharField(max_length=500, blank=True)  # of the answer, or why there was none

    def __str__(self) -> str:
        return f"attempt {self.pk}"


class StreamTask(models.Model):
    """A URL the gateway pulls, for one account. `queued`, `running` under a lease, then `ended` with a status."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="streams")
    key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="streams")
    task_id = models.CharField(max_length=64, unique=True)
    provider = models.CharField(max_length=32)
    url = models.CharField(max_length=2000)  # may hold a password: never logged, shown without it
    parameters = models.JSONField(default=dict)  # the provider's, as a query: {name: [value, ...]}
    callback_url = models.CharField(max_length=500, blank=True)  # memweb's own app's; "" is the account's webhook
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    status = models.SmallIntegerField(null=True, blank=True)  # of the contract, once ended
    message = models.CharField(max_length=500, blank=True)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    audio_ms = models.BigIntegerField(default=0)  # sent to the provider so far, over all leases
    told_ms = models.BigIntegerField(default=0)  # of that, what callbacks have told: the next holder goes on here
    opening = models.CharField(max_length=64, blank=True)  # SHA-256 of its first sound, if it does not say what it is
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # leases that ended with the death of their holder
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["account", "state"]), models.Index(fields=["state", "leased_until"])]

    def __str__(self) -> str:
        return f"stream {self.task_id}"


class LedgerEntries(models.QuerySet["LedgerEntry"]):
    """Entries stand as they were written."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Entries of the ledger are never changed. Add another.")

    def delete(self) -> NoReturn:
        raise TypeError("Entries of the ledger are never deleted.")


class LedgerEntry(models.Model):
    """One charge, or one change of a balance. Only ever added; they go when their account goes."""

    LIVE, STREAM, FILE, BALANCE = "live", "stream", "file", "balance"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="entries")
    session = models.CharField(max_length=80)  # the live session, the stream or the file that was charged
    kind = models.CharField(max_length=32)
    provider = models.CharField(max_length=32, blank=True)
    units = models.PositiveIntegerField(default=0)  # of the session so far: of five seconds; of one second for a file
    amount = models.DecimalField(max_digits=14, decimal_places=6)  # US dollars taken; below zero when given
    audio_ms = models.PositiveBigIntegerField(default=0)  # of audio this entry is for
    balance_after = models.DecimalField(max_digits=14, decimal_places=6, null=True)  # None: unlimited
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LedgerEntries.as_manager()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "session", "units"], name="one_charge_for_each_unit"),
        ]
        indexes = [models.Index(fields=["account", "created_at"], name="ledger_by_account_and_time")]

    def __str__(self) -> str:
        return f"ledger entry {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("Entries of the ledger are never changed. Add another.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Entries of the ledger are never deleted.")


class Asset(models.Model):
    """A file held for an account. Its bytes lie below ASSET_DIR, under a name of their own."""

    class Status(models.TextChoices):
        WAITING = "WAITING", "Waiting for its upload"
        UPLOADING = "UPLOADING", "Uploading"
        SUCCESS = "SUCCESS", "Ready"
        FAILED = "FAILED", "No media; see the reason"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="assets")
    asset_id = models.CharField(max_length=32, unique=True)  # "re_" and 18 digits
    name = models.CharField(max_length=255)  # as the client calls it
    stored = models.CharField(max_length=64, blank=True)  # as the disk calls it; "" while there are no bytes
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    duration_ms = models.PositiveBigIntegerField(null=True, blank=True)  # as the file says; None where it does not
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["status", "modified_at"], name="asset_abandoned")]

    def __str__(self) -> str:
        return self.asset_id


class Task(models.Model):
    """Work of minutes on one file: `queued`, `running` under a lease, then `done` or `failed`. See tasks.py."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tasks")
    asset = models.ForeignKey(Asset, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks")
    task_id = models.CharField(max_length=64, unique=True)  # 32 hex digits, or as a dialect wants it
    kind = models.CharField(max_length=32)  # a name in undertakings.KINDS
    options = models.JSONField(default=dict)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0)  # per cent
    attempts = models.PositiveSmallIntegerField(default=0)
    holder = models.CharField(max_length=36, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField()
    result = models.JSONField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)  # why it failed, or why it is tried again
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "lease_until"], name="task_abandoned"),
            models.Index(fields=["status", "due_at"], name="task_overdue"),
        ]

    def __str__(self) -> str:
        return f"task {self.task_id}"


class Transcription(models.Model):
    """A file that is transcribed in the background for a provider's own API: its client polls, or is called back.

    `queued`, `processing` under a lease, then `completed` or `error`.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        PROCESSING = "processing", "Processing"
        COMPLETED = "completed", "Completed"
        ERROR = "error", "Error"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="transcriptions")
    transcription_id = models.CharField(max_length=64, unique=True)
    provider = models.CharField(max_length=32)
    remote = models.BooleanField(default=False)  # the real provider has it; here it is watched, for the bill
    upload = models.CharField(max_length=32, blank=True)  # the file, where it was sent to us (see kept.py)
    audio_url = models.CharField(max_length=2048, blank=True)  # as its client named it; may hold a secret: never logged
    asked = models.JSONField(default=dict)  # the client's parameters, as they came
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    result = models.JSONField(null=True, blank=True)  # the provider's shape; None until it is completed
    error = models.CharField(max_length=500, blank=True)
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "provider", "-id"], name="transcriptions_of_account"),
            models.Index(fields=["state", "leased_until"], name="transcriptions_to_do"),
        ]

    def __str__(self) -> str:
        return f"transcription {self.transcription_id}"
