"""The upload page's list: each file, how it stands, and what can be done with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Prefetch, Q

from memweb.accounts.models import User
from memweb.media.errors import DAMAGED, TOO_HARD, TOO_LARGE
from memweb.upstream.address import Gateway
from transcripts import archive, queries
from transcripts.files import asked, importing
from transcripts.files.options import Options
from transcripts.models import Job, Record, Upload, Version
from transcripts.shown import wording
from transcripts.shown.wording import State

SHOWN_FOR = timedelta(days=1)
"""What is done leaves the list after so long; it is in the library."""
MOST = 200
SOON = timedelta(seconds=10)
"""What has waited for longer is behind others, and will hardly stand otherwise two seconds later."""
AGAIN = "Drop the same file again, and it continues where it stopped."
ONCE_MORE = "Drop the same file again: nothing of it is here yet."


@dataclass(frozen=True, slots=True)
class Row:
    """One file."""

    upload: Upload
    title: str
    facts: list[str]
    state: State
    opens: Record | None = None
    """What was made of it, or is the same: its title leads there."""
    can_read: bool = False
    """Whether there is text: then a button leads there too."""
    percent: int | None = None
    can_dismiss: bool = True
    is_waiting: bool = False
    """Bytes are missing: this page may have the file, or not."""
    choices: list[str] = field(default_factory=list)
    price: str = ""
    """What the choice to have it heard again costs, in words."""
    is_queued: bool = False
    """Others are before it: the page asks after it less often, and not for the sum, which does not change by it."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What the listed recordings cost, in words."""

    whole: str
    so_far: str
    """Of those that are done; empty while none is, or once all are."""


def rows_of(user: User, now: datetime) -> list[Row]:
    """Everything that is on its way or was lately, the newest first."""
    gateway = asked.gateway_of(user)
    return [row_of(upload, now, gateway) for upload in _listed(user, now)]


def sum_of(user: User, now: datetime) -> Sum | None:
    """What they cost altogether, by the published prices; None where nothing of it has a price."""
    gateway = asked.gateway_of(user)
    whole, so_far = [], []
    for upload in _listed(user, now):
        job = _transcription(upload)
        cost = _cost(upload, job, gateway) if job else None
        if cost is not None:
            whole.append(cost)
            if job and job.status == Job.Status.DONE:
                so_far.append(cost)
    if not whole:
        return None
    is_part = 0 < len(so_far) < len(whole)
    return Sum(wording.dollars(sum(whole, Decimal())), wording.dollars(sum(so_far, Decimal())) if is_part else "")


def _listed(user: User, now: datetime) -> queries.UploadQuerySet:
    done = Q(status=Upload.Status.TAKEN, created_at__lt=now - SHOWN_FOR, record__status=Record.Status.READY)
    gone = Q(status=Upload.Status.TAKEN, record=None) | Q(record__deleted_at__isnull=False)
    return _with_jobs(user).listed().exclude(done).exclude(gone)[:MOST]


def _transcription(upload: Upload) -> Job | None:
    """The latest one of what was made of it."""
    jobs = upload.record.jobs.all() if upload.record else ()
    return next((job for job in reversed(jobs) if job.kind == Job.Kind.TRANSCRIBE), None)


def _cost(upload: Upload, job: Job, gateway: Gateway) -> Decimal | None:
    """None where there is no price, the length is not known, or it came to nothing."""
    record = upload.record
    if record is None or not record.duration_ms or job.status not in (*wording.WORKING, Job.Status.DONE):
        return None
    # One that was handed over here and is done here cost nothing, whoever is asked by now.
    if job.status == Job.Status.DONE and not job.gateway and not gateway.built_in:
        return None
    return asked.cost(Options.read(job.options), gateway, record.duration_ms)


def _with_jobs(user: User) -> queries.UploadQuerySet:
    jobs = Prefetch("record__jobs", Job.objects.order_by("id"))
    return Upload.objects.visible_to(user).select_related("record", "duplicate_of").prefetch_related(jobs)


def find(user: User, upload_id: uuid.UUID) -> Upload | None:
    """The upload as `row_of` wants it."""
    return _with_jobs(user).filter(pk=upload_id).first()


def row_of(upload: Upload, now: datetime, gateway: Gateway) -> Row:
    """How it stands."""
    if upload.status == Upload.Status.REFUSED:
        facts = [wording.megabytes(upload.size)]
        return Row(upload, upload.name, facts, State(_refused(upload), "bad", reason=upload.reason))
    if upload.status == Upload.Status.BROUGHT_IN:
        facts = [wording.megabytes(upload.size), str(upload.options.get("told", ""))]
        look = "bad" if upload.reason else "ok"
        return Row(upload, upload.name, facts, State("Brought in", look, reason=upload.reason))
    if upload.status == Upload.Status.DUPLICATE:
        return _already_here(upload, gateway)
    if upload.record is not None:
        return _taken(upload, upload.record, now, gateway)
    size = wording.megabytes(upload.size)
    if not upload.offset:
        return Row(upload, upload.name, [size, ONCE_MORE], State("Not begun", "bad"), is_waiting=True)
    percent = upload.offset * 100 // upload.size
    state = State(f"{percent} % uploaded", "bad")
    return Row(upload, upload.name, [size, AGAIN], state, percent=percent, is_waiting=True)


def _refused(upload: Upload) -> str:
    """By what its name says that it is; what begins as media does and was refused is a recording all the same."""
    if archive.is_archive(upload.name):
        return "Not brought in"
    if importing.is_transcript(upload.name):
        return "Not a transcript"
    if upload.reason.startswith(DAMAGED):
        return "Damaged"
    return "Cannot be read" if upload.reason in (TOO_HARD, TOO_LARGE) else "Not a recording"


def _already_here(upload: Upload, gateway: Gateway) -> Row:
    former = upload.duplicate_of
    if former is None or former.deleted_at is not None:
        facts = [wording.megabytes(upload.size), "the same recording was here and is gone"]
        return Row(upload, upload.name, facts, State("Removed", "done"))
    since = wording.unbroken(wording.moment(former.started_at))
    facts = [wording.megabytes(upload.size), f"the same recording is in your library since {since}"]
    return Row(
        upload,
        upload.name,
        facts,
        State("Already here", "done"),
        opens=former,
        can_read=True,
        choices=["again"],
        price=asked.price(asked.options_of(upload.owner), gateway, former.duration_ms),
    )


def _taken(upload: Upload, record: Record, now: datetime, gateway: Gateway) -> Row:
    jobs = list(record.jobs.all())
    state = wording.state_of(record, jobs, edited=False, now=now)
    facts = [wording.megabytes(upload.size)]
    if record.duration_ms:
        facts.append(wording.clock(record.duration_ms))
    if state.left:
        facts.append(state.left)
    ready = record.status == Record.Status.READY
    if ready and not state.changes:
        facts = [*_kind(upload), wording.clock(record.duration_ms), *_found(record), *_took(jobs)]
    job = _transcription(upload)
    cost = _cost(upload, job, gateway) if job else None
    if cost is not None:
        facts.append(wording.dollars(cost))
    look = "ok" if ready and state.words.startswith("Ready") and not state.reason else state.look
    return Row(
        upload,
        record.title.strip() or upload.name,
        facts,
        replace(state, look=look, left=""),
        opens=record,
        can_read=ready,
        percent=state.percent,
        can_dismiss=not state.changes,
        is_queued=_is_queued(jobs, now),
    )  # fmt: skip


def _is_queued(jobs: list[Job], now: datetime) -> bool:
    """Whether it waits, here or at the gateway, and has for a while."""
    going = [job for job in jobs if job.status in wording.WORKING]
    waiting = [job for job in going if job.status == Job.Status.QUEUED or (job.task_id and job.begun_at is None)]
    return bool(going) and len(waiting) == len(going) and all(now - job.created_at > SOON for job in waiting)


def _kind(upload: Upload) -> list[str]:
    """Of a transcript: recordings of one name are told apart by how long they are."""
    if not importing.is_transcript(upload.name):
        return []
    return [f"{upload.name.rpartition('.')[2].upper()} transcript"]


def _found(record: Record) -> list[str]:
    """How many speak, and in what."""
    version = Version.objects.filter(record=record, pk=record.current_version_id or 0).first()
    if version is None:
        return []
    voices = len(queries.talk_time(version.pk))
    language = wording.language(version.language or record.language)
    return [*([f"{voices} speakers"] if voices > 1 else []), *([language] if language else [])]


def _took(jobs: list[Job]) -> list[str]:
    done = [job for job in jobs if job.kind == Job.Kind.TRANSCRIBE and job.ended_at and job.begun_at]
    if not done or done[-1].ended_at is None or done[-1].begun_at is None:
        return []
    seconds = max(round((done[-1].ended_at - done[-1].begun_at).total_seconds()), 1)
    took = f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"
    where = "at the gateway" if done[-1].gateway else "on this machine"
    return [f"took {took} {where}"]
