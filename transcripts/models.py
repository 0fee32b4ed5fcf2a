"""The library's rows. Values of the same name live in memweb.speech; rows are bare, values are qualified.

Nothing here has behaviour: reads are in queries, writes in services.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from transcripts.queries import JobQuerySet, RecordQuerySet, SegmentQuerySet, VersionQuerySet


class Record(models.Model):
    """A transcript kept in the library, with its recording. For a dictation the page makes the id."""

    class Source(models.TextChoices):
        DICTATION = "dictation", "Dictation"
        FILE = "file", "File"
        STREAM = "stream", "Stream"
        IMPORT = "import", "Import"
        API = "api", "API"

    class Status(models.TextChoices):
        LIVE = "live", "Live"  # audio is coming in, or may come in again
        FINISHING = "finishing", "Finishing"  # the last words and the sealing of the recording
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"  # see status_reason; nothing is lost

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="records")
    title = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=16, choices=Source, default=Source.DICTATION)
    status = models.CharField(max_length=16, choices=Status, default=Status.LIVE)
    status_reason = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=16, blank=True)  # as asked for; "" means detect
    provider = models.CharField(max_length=32, blank=True)
    gateway = models.CharField(max_length=200, blank=True)  # its address; "" is the one built in
    duration_ms = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)  # when a live session was last attended
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)  # in the bin
    current_version = models.ForeignKey("Version", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    tags: models.ManyToManyField[Tag, models.Model] = models.ManyToManyField("Tag", blank=True, related_name="records")

    objects = RecordQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-started_at", "-id"]),
            models.Index(fields=["owner", "status", "-started_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"record {self.pk}"


class Version(models.Model):
    """One reading of a record: live, second pass, transcribed again, imported."""

    class Kind(models.TextChoices):
        LIVE = "live", "Live text"
        SECOND_PASS = "second_pass", "Second pass"
        RETRANSCRIBED = "retranscribed", "Transcribed again"
        IMPORTED = "imported", "Imported"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    model = models.CharField(max_length=100, blank=True)  # the engine or provider model that made it
    language = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["record", "number"], name="version_number_unique")]

    def __str__(self) -> str:
        return f"version {self.number} of {self.record_id}"


class Speaker(models.Model):
    """A voice in one record: the provider's label, and the name a person gave it."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="speakers")
    label = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "label"], name="speaker_label_unique")]

    def __str__(self) -> str:
        return self.name or self.label


class Segment(models.Model):
    """A timed run of words shown as one line. `text` and `words` follow edits; the verbatim source is in Message."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="segments")
    key = models.CharField(max_length=64)
    order = models.PositiveIntegerField()  # of arrival: breaks ties between segments that start together
    start_ms = models.BigIntegerField()
    end_ms = models.BigIntegerField()
    speaker = models.ForeignKey(Speaker, null=True, blank=True, on_delete=models.SET_NULL, related_name="segments")
    channel = models.PositiveSmallIntegerField(null=True, blank=True)
    language = models.CharField(max_length=16, blank=True)
    text = models.TextField(blank=True)
    words = models.JSONField(default=list, blank=True)  # one row per word, as values.word_row makes them
    removed = models.BooleanField(default=False)  # taken back by the person; the journal can restore it

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["start_ms", "order"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="segment_key_unique")]
        indexes = [models.Index(fields=["version", "start_ms", "order"])]

    def __str__(self) -> str:
        return f"segment {self.key}"


class Edit(models.Model):
    """One change by a person. The journal only grows: restoring is one more edit. It survives a new version.

    `before` and `after` hold what the change touched (text, words, bounds, speaker, title), so that either side can
    be put back, and so that the edit can find its words again in another version.
    """

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        REMOVED = "removed", "Removed"
        RESTORED = "restored", "Restored"
        SPLIT = "split", "Split"
        MERGED = "merged", "Merged"
        SPEAKER = "speaker", "Speaker"
        TITLE = "title", "Title"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="edits")
    version = models.ForeignKey(Version, null=True, blank=True, on_delete=models.SET_NULL, related_name="edits")
    segment_key = models.CharField(max_length=64, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} edit of {self.record_id}"


class Mark(models.Model):
    """A moment a person marked on the timeline."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="marks")
    at_ms = models.BigIntegerField()
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["at_ms"]
        constraints = [models.UniqueConstraint(fields=["record", "at_ms"], name="mark_unique")]

    def __str__(self) -> str:
        return f"mark at {self.at_ms}"


class Tag(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="tag_name_unique")]

    def __str__(self) -> str:
        return self.name


class Recording(models.Model):
    """The sealed audio of a record: FLAC, with its peaks for the waveform."""

    record = models.OneToOneField(Record, on_delete=models.CASCADE, related_name="recording")
    path = models.CharField(max_length=300)  # below settings.AUDIO_DIR
    sample_rate = models.PositiveIntegerField(default=16000)
    channels = models.PositiveSmallIntegerField(default=1)
    samples = models.BigIntegerField()
    size = models.BigIntegerField()  # bytes of the file
    pcm_sha256 = models.CharField(max_length=64)  # of the s16le samples: proves the seal lost nothing
    peaks = models.BinaryField(default=b"")  # one byte per 100 ms, 0-255
    sealed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"recording of {self.record_id}"


class Message(models.Model):
    """A provider's words, verbatim, as they arrived. A transcript can be folded again from these."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="messages")
    connection = models.PositiveIntegerField()  # 1 for the first connection to the gateway, 2 after a drop ...
    sequence = models.PositiveIntegerField()  # order of arrival within the connection
    offset_ms = models.BigIntegerField()  # where in the recording that connection's clock began
    dialect = models.CharField(max_length=32)
    arrived_at = models.DateTimeField()
    raw = models.BinaryField()  # bytes, because no text column takes every byte a provider may send

    class Meta:
        ordering = ["connection", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["record", "connection", "sequence"], name="message_order_unique")
        ]

    def __str__(self) -> str:
        return f"message {self.connection}.{self.sequence} of {self.record_id}"


class Job(models.Model):
    """Background work on a record: leased, renewed, retried, reaped. The task queue is only its doorbell."""

    class Kind(models.TextChoices):
        SEAL = "seal", "Seal the recording"
        SECOND_PASS = "second_pass", "Second pass"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()  # not before: a retry waits longer each time
    holder = models.CharField(max_length=36, blank=True)  # who has the lease; only they may report
    lease_until = models.DateTimeField(null=True, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)  # per cent of the audio done
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["status", "lease_until"])]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "kind"], condition=models.Q(status__in=["queued", "running"]), name="job_pending_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} job of {self.record_id}"
