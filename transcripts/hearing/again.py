"""A recording heard once more, as a version of its own; what can be read now stays, and corrections go over."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from transcripts import services
from transcripts.errors import Refused
from transcripts.models import Job, Record, Recording

LIVE = "This is being recorded. Finish it first; then it can be transcribed again."
SAVING = "The recording is still being saved. Try again in a moment."
NOTHING = (
    "There is no recording here to listen to, only text. Upload the recording, and it is transcribed as a new record."
)
PENDING: dict[str, str] = {
    Job.Kind.SEAL: SAVING,
    Job.Kind.PREPARE: SAVING,
    Job.Kind.TRANSCRIBE: "This recording is being transcribed already. Wait for that, or stop it first.",
    Job.Kind.SPEAKERS: "Its speakers are being told apart. Wait for that, or stop it first.",
    Job.Kind.SECOND_PASS: "The second pass is being made. Wait for that, or stop it first.",
}


def why_not(record: Record) -> str:
    """A sentence for why this record cannot be transcribed again just now; empty where it can."""
    if record.status == Record.Status.LIVE:
        return LIVE
    pending = Job.objects.pending().filter(record=record, kind__in=list(PENDING)).order_by("id").first()
    if pending is not None:
        return PENDING[pending.kind]
    return "" if Recording.objects.filter(record=record).exists() else NOTHING


@transaction.atomic
def start(*, record_id: uuid.UUID, options: Mapping[str, Any]) -> Job:
    """Have the recording heard once more, as `options.Options.kept` tells. Raises Refused with a sentence."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    reason = why_not(record)
    if reason:
        raise Refused(reason)
    if record.status == Record.Status.FAILED:  # it has no text yet: this may give it one
        record.status, record.status_reason = Record.Status.FINISHING, ""
        record.save(update_fields=["status", "status_reason", "updated_at"])
    return services.transcribe_again(record_id=record_id, options=options)
