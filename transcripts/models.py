"""The library's rows. Values of the same name live in memweb.speech; rows are bare, values are qualified.

Nothing here has behaviour: reads are in queries, writes in services.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from transcripts.queries import (
    JobQuerySet,
    RecordQuerySet,
    SegmentQuerySet,
    ShareQuerySet,
    UploadQuerySet,
    VersionQuerySet,
)


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
    language = models.CharField(max_length=16, blank=True)  # as asked for, else as found; "" means to be detected
    provider = models.CharField(max_length=32, blank=True)
    gateway = models.CharField(max_length=200, blank=True)  # its address; "" is the one built in
    duration_ms = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)  # when a live session was last attended
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)  # in the bin
    archived_at = models.DateTimeField(null=True, blank=True)  # out of the list, still found
    pinned_at = models.DateTimeField(null=True, blank=True)  # above the rest
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
        TRANSCRIBED = "transcribed", "Transcript"
        RETRANSCRIBED = "retranscribed", "Transcribed again"
        IMPORTED = "imported", "Imported"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    model = models.CharField(max_length=100, blank=True)  # the engine or provider model that made it
    language = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Edits of another version that found no place in this one: [start_ms, end_ms, before, after] each.
    unplaced = models.JSONField(default=list, blank=True)

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

    # No index of its own: each of those below begins with it.
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="segments", db_index=False)
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
    opens = models.BooleanField(null=True, blank=True)  # whether a paragraph begins here, where a person said so
    revision = models.PositiveIntegerField(default=0)  # grows with every edit: who saw an older one is told, not obeyed

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["start_ms", "order"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="segment_key_unique")]
        indexes = [
            models.Index(fields=["version", "start_ms", "order"]),
            # All that queries.talk_time reads: it never touches the rows, which carry text and words.
            models.Index(fields=["version", "speaker", "removed", "start_ms", "end_ms"]),
        ]

    def __str__(self) -> str:
        return f"segment {self.key}"


class Passage(models.Model):
    """A segment (or, without one, a record's title) as the search index knows it. Written by transcripts.search alone.

    `said` and `about` hold terms: see search._words and search._index. PostgreSQL has them under GIN, SQLite in FTS5.
    No constraint is checked for each row: whatever deletes a segment deletes this.
    """

    # In the order of time: see search._index. On SQLite only such a field is the row's own id, found in one step.
    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, null=True, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    record = models.ForeignKey(Record, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    about = models.TextField()
    said = models.TextField()

    def __str__(self) -> str:
        return f"passage {self.pk}"


class Edit(models.Model):
    """One change by a person. The journal only grows: restoring is one more edit. It survives a new version.

    `before` and `after` hold what the change touched, so that either side can be put back: {"segments": {key: fields}}
    (None for a segment that is not there), or {"title"}, or {"speakers": {label: name}}.
    """

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        REMOVED = "removed", "Removed"
        RESTORED = "restored", "Restored"
        SPLIT = "split", "Split"
        MERGED = "merged", "Merged"
        SPEAKER = "speaker", "Speaker"
        TITLE = "title", "Title"
        NAME = "name", "Speaker's name"
        CARRIED = "carried", "Carried over"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="edits")
    version = models.ForeignKey(Version, null=True, blank=True, on_delete=models.SET_NULL, related_name="edits")
    segment_key = models.CharField(max_length=64, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} edit of {self.record_id}"


class Mark(models.Model):
    """A moment a person marked on the timeline, with a note; where a chapter begins, with its title; or where the sound
    of a stream is missing, with what the gateway says of it.
    """

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="marks")
    at_ms = models.BigIntegerField()
    note = models.CharField(max_length=500, blank=True)  # of a chapter: its title
    is_chapter = models.BooleanField(default=False)
    is_gap = models.BooleanField(default=False)

    class Meta:
        ordering = ["at_ms"]
        constraints = [models.UniqueConstraint(fields=["record", "at_ms"], name="mark_unique")]

    def __str__(self) -> str:
        return f"mark at {self.at_ms}"


class Share(models.Model):
    """A link by which anybody may read one record. Its token is found by digest, and told its owner from its seal."""

    class Kind(models.TextChoices):
        TEXT = "text", "Transcript"
        CAPTIONS = "captions", "Live captions"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="shares")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.TEXT)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token
    sealed = models.BinaryField()  # the token, encrypted: see accounts.seal
    with_audio = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ShareQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"share {self.pk} of {self.record_id}"


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

    # No index of its own: the one below begins with it, and ten rows a second come from each live session.
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="messages", db_index=False)
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
        PREPARE = "prepare", "Read the file"
        TRANSCRIBE = "transcribe", "Transcribe"
        SPEAKERS = "speakers", "Tell speakers apart"
        STREAM = "stream", "Listen to a stream"  # awaiting as long as it runs; its callbacks are its work

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        AWAITING = (
            "awaiting",
            "Awaiting a callback",
        )  # the gateway works on it and will call; due_at is when to ask why not
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()  # not before: a retry waits longer each time
    holder = models.CharField(max_length=36, blank=True)  # who has the lease; only they may report
    lease_until = models.DateTimeField(null=True, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)  # per cent of the audio done
    reason = models.CharField(max_length=500, blank=True)
    options = models.JSONField(default=dict, blank=True)  # what the person asked for, as choices.Options keeps it
    gateway = models.CharField(max_length=200, blank=True)  # its address; "" is the one built in
    asset_id = models.CharField(max_length=100, blank=True)  # once the gateway holds the recording
    task_id = models.CharField(max_length=100, blank=True)  # once the gateway has begun a task for it
    begun_at = models.DateTimeField(null=True, blank=True)  # when the gateway began to listen: what "left" is made from
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["status", "lease_until"])]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "kind"],
                condition=models.Q(status__in=["queued", "running", "awaiting"]),
                name="job_pending_once",
            ),
            models.UniqueConstraint(
                fields=["gateway", "task_id"], condition=~models.Q(task_id=""), name="job_task_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} job of {self.record_id}"


class Upload(models.Model):
    """A file on its way in, by tus or by a form. `offset` bytes of it are safe; only then was the offset told."""

    class Status(models.TextChoices):
        RECEIVING = "receiving", "Receiving"
        DUPLICATE = "duplicate", "Already here"  # whole, and the same bytes made `duplicate_of`: the person decides
        TAKEN = "taken", "Taken"  # whole, and `record` is made of it
        REFUSED = "refused", "Refused"  # see reason; kept until it is dismissed
        BROUGHT_IN = "brought_in", "Brought in"  # an archive: reason says what came of it, until it is dismissed

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=300)
    size = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    fingerprint = models.CharField(
        max_length=200, blank=True
    )  # by which the page knows the file when it is dropped again
    sha256 = models.CharField(max_length=64, blank=True)  # of the whole file
    status = models.CharField(max_length=16, choices=Status, default=Status.RECEIVING)
    reason = models.CharField(max_length=500, blank=True)
    options = models.JSONField(default=dict, blank=True)
    record = models.ForeignKey(Record, null=True, blank=True, on_delete=models.SET_NULL, related_name="uploads")
    duplicate_of = models.ForeignKey(Record, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField()  # when a byte last came: what is abandoned is swept
    dismissed_at = models.DateTimeField(null=True, blank=True)  # off the list: what it knows is still needed

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-created_at"]),
            models.Index(fields=["owner", "sha256"]),
            models.Index(fields=["status", "touched_at"]),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"


from transcripts.callbacks.inbox import Callback, Hook  # noqa: E402, F401 - further rows of this app
