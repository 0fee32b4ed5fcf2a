"""What is carried of each row of the library, and why the rest is not. A test walks all models and misses none."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Model

from memweb.accounts.models import Preferences
from transcripts.callbacks.inbox import Callback
from transcripts.models import (
    Edit,
    Job,
    Mark,
    Message,
    Record,
    Recording,
    Segment,
    Speaker,
    Upload,
    Version,
)

NUMBER = "Rows are numbered anew by each database; what points to one names it otherwise."
OWNER = "Whose it is: of whoever brings it in."
WITHIN = "It lies among the lines of its record."


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of line in an archive."""

    name: str
    model: type[Model]
    carried: tuple[str, ...]
    order: tuple[str, ...]
    """Of the lines: the same rows give the same lines in every database."""
    left_out: dict[str, str] = field(default_factory=dict)
    """By field: why it is not carried."""
    links: dict[str, str] = field(default_factory=dict)
    """Fields that point to a row: to which kind. A version is named by its number, a speaker by its label, an edit or
    a job by its place among its record's, from 1."""
    aside: tuple[str, ...] = ()
    """Fields by which two records are not told apart: where a record lies says nothing of what it holds, and names
    that others gave must not meet twice in one place."""


RECORD = Kind(
    "record",
    Record,
    (
        "title", "source", "status", "status_reason", "language", "provider", "gateway", "duration_ms", "started_at",
        "ended_at", "last_heard_at", "created_at", "updated_at", "deleted_at", "archived_at", "pinned_at",
        "current_version",
    ),
    order=("pk",),
    left_out={"id": "It is the name of the record's file in the archive.", "owner": OWNER},
    links={"current_version": "version"},
    aside=("updated_at", "deleted_at", "archived_at", "pinned_at", "tags"),
)  # fmt: skip
SPEAKER = Kind("speaker", Speaker, ("label", "name"), ("pk",), {"id": NUMBER, "record": WITHIN})
VERSION = Kind(
    "version",
    Version,
    ("number", "kind", "model", "language", "created_at", "unplaced"),
    ("number",),
    {"id": NUMBER, "record": WITHIN},
)
SEGMENT = Kind(
    "segment",
    Segment,
    (
        "version", "key", "order", "start_ms", "end_ms", "speaker", "channel", "language", "text", "words", "removed",
        "opens", "revision",
    ),
    ("version__number", "start_ms", "order", "key"),
    {"id": NUMBER},
    {"version": "version", "speaker": "speaker"},
)  # fmt: skip
EDIT = Kind(
    "edit",
    Edit,
    ("version", "segment_key", "user", "kind", "before", "after", "undoes", "made_at"),
    ("pk",),
    {"id": NUMBER, "record": WITHIN},
    {"version": "version", "undoes": "edit", "user": "owner"},
)
MARK = Kind("mark", Mark, ("at_ms", "note", "is_chapter", "is_gap"), ("at_ms",), {"id": NUMBER, "record": WITHIN})
MESSAGE = Kind(
    "message",
    Message,
    ("connection", "sequence", "offset_ms", "dialect", "arrived_at", "raw"),
    ("connection", "sequence"),
    {"id": NUMBER, "record": WITHIN},
)
JOB = Kind(
    "job",
    Job,
    (
        "kind", "status", "attempts", "due_at", "progress", "reason", "options", "gateway", "asset_id", "task_id",
        "begun_at", "created_at", "ended_at",
    ),
    ("pk",),
    {
        "id": NUMBER,
        "record": WITHIN,
        "holder": "The worker that is at it belongs to the old house.",
        "lease_until": "So does that worker's lease.",
    },
    aside=("asset_id", "task_id"),
)  # fmt: skip
CALLBACK = Kind(
    "callback",
    Callback,
    (
        "arrived_at", "delivery_id", "sequence", "repeats", "signed", "headers", "raw", "digest", "state", "reason",
        "task_id", "job", "applied_at",
    ),
    ("pk",),
    {"id": NUMBER, "owner": OWNER},
    {"job": "job"},
    aside=("delivery_id",),
)  # fmt: skip
RECORDING = Kind(
    "recording",
    Recording,
    ("sample_rate", "channels", "samples", "size", "pcm_sha256", "peaks", "sealed_at"),
    ("pk",),
    {"id": NUMBER, "record": WITHIN, "path": "Each house names its files itself; this one is beside the record's."},
)
UPLOAD = Kind(
    "upload",
    Upload,
    (
        "name", "size", "offset", "fingerprint", "sha256", "status", "reason", "options", "created_at", "touched_at",
        "dismissed_at",
    ),
    ("created_at", "sha256", "name"),
    {
        "id": "It is an address of the old house.",
        "owner": OWNER,
        "record": WITHIN,
        "duplicate_of": "Only uploads that became a record are carried, and those are no duplicates.",
    },
    aside=("dismissed_at",),
)  # fmt: skip
PREFERENCES = Kind(
    "preferences",
    Preferences,
    (
        "provider", "language", "even_loudness", "remove_noise", "cancel_echo", "pause_after", "single_keys",
        "second_pass", "file_options", "export_options",
    ),
    ("pk",),
    {
        "id": NUMBER,
        "user": OWNER,
        "gateway_url": "It is of no use without its key, and another house has another way to it.",
        "gateway_key": "Keys leave the house in no way.",
    },
)  # fmt: skip

OF_A_RECORD = (RECORD, SPEAKER, VERSION, SEGMENT, EDIT, MARK, MESSAGE, JOB, CALLBACK, RECORDING, UPLOAD)
"""In the order of their lines: what is pointed to comes before what points to it, save `current_version`."""
SOUND = (RECORDING, UPLOAD)
"""Carried only with the recordings."""
BY_NAME = {kind.name: kind for kind in (*OF_A_RECORD, PREFERENCES)}

OTHERWISE = {
    "Tag": "By name: on the line of each record that has it, and in account.json.",
    "Passage": "The search index. It is made of the other rows.",
    "Share": "Links are secrets of the old house, and lead there. Who still wants one makes it in the new one.",
    "Hook": "The secret in a callback address is of the old house. The new one makes its own.",
}
"""Models that have no lines, and why."""
