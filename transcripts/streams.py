"""Records of streams that a gateway pulls: begun with its task, filled by its callbacks, closed by its last one."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from memweb.speech import envelope
from memweb.speech.dialects import PROVIDERS
from memweb.speech.dialects.identity import identity, provider_of
from memweb.speech.envelope import StreamMessage, StreamStatus
from memweb.speech.stream import StreamFold, Told, interim
from memweb.speech.text import clean, plain
from transcripts import search, services
from transcripts.callbacks.inbox import Callback
from transcripts.hearing import folding
from transcripts.models import Job, Record, Segment, Version

FRESH = timedelta(seconds=10)
"""Words being said that nothing followed for so long are being said no more."""
NEVER = timedelta(days=3650)
"""A stream may go on for ever: `streaming.look_after` says when silence is an end, and no callback is overdue."""
ADDRESS = "address"
"""Among a job's options: where the stream comes from, without a password or a key."""
LACKS = "address_lacks"
"""Whether there was one, or anything else that is not kept."""
ASKED = "stop_asked"
"""When its gateway was asked to stop."""
UNTIL = "until"
"""And when it is to be."""
_REMEMBERED = 8

ENDS: dict[int, str] = {
    StreamStatus.FAILED: "The stream broke off.",
    StreamStatus.STOPPED: "",
    StreamStatus.CAPACITY: "The gateway had no place left for this stream.",
    StreamStatus.BALANCE: "The gateway's account has no balance left.",
}
THEN: dict[int, str] = {
    StreamStatus.CAPACITY: "Start it again later.",
    StreamStatus.BALANCE: "Add to it, then start the stream again.",
}
"""What to do about it, where "Start again" is not enough."""
SOURCE_ENDED = "The source ended this stream."
NOT_BEGUN = "The gateway does not say why."
"""Beside the state, which says that it did not start."""
UNTOLD_END = "The gateway was asked to stop this stream and has told nothing since."
QUIET_END = "The gateway has told nothing of this stream for {hours} hours, so it was stopped."
UNKNOWN_END = "The stream ended, and the gateway did not say why."
EXPLAINED_END = "The stream ended."
KEPT = "What was said is kept."


@dataclass(slots=True)
class _Known:
    """A fold in memory, and the callbacks it was made of: with any others it is worth nothing."""

    fold: StreamFold
    count: int
    last: int


# By job. The rows are the record; this only spares reading all of them for each further callback.
_folds: OrderedDict[int, _Known] = OrderedDict()


@transaction.atomic
def begin(
    *,
    owner_id: int,
    title: str,
    provider: str,
    language: str = "",
    gateway: str = "",
    task_id: str,
    options: dict[str, Any] | None = None,
) -> Record:
    """The record of a stream that a gateway has begun to pull under this task id ("" is the gateway built in)."""
    from transcripts.callbacks import applying

    now = timezone.now()
    record = Record.objects.create(
        id=uuid.uuid4(), owner_id=owner_id, title=plain(title)[:300], source=Record.Source.STREAM,
        provider=clean(provider)[:32], language=clean(language)[:16], gateway=clean(gateway)[:200],
        started_at=now, last_heard_at=now,
    )  # fmt: skip
    record.current_version = Version.objects.create(
        record=record, number=1, kind=Version.Kind.LIVE, language=record.language
    )
    record.save(update_fields=["current_version"])
    Job.objects.create(
        record=record, kind=Job.Kind.STREAM, status=Job.Status.AWAITING, due_at=now + NEVER,
        gateway=record.gateway, task_id=task_id, options=options or {},
    )  # fmt: skip
    search.index_title(record_id=record.pk)
    applying.claim(owner_id=owner_id, task_id=task_id)
    return record


def apply(job: Job, told: Sequence[tuple[Callback, StreamMessage | envelope.TaskFailed]]) -> None:
    """Put what these callbacks say into the live text. Call with the record's row locked, in a transaction."""
    version = Version.objects.live_of(job.record_id).latest("number")
    messages = [_told(row, read) for row, read in told if isinstance(read, StreamMessage) and read.goes_on]
    if messages:
        known = _gone_on(job, messages) or _from_start(job, messages)
        fold, whole = known.fold, known.count == 0
        _note_begun(job, messages)
        changed = {segment.key for segment in fold.transcript.segments} if whole else fold.changed
        folding.write(version=version, segments={key: fold.segment(key) for key in changed}, whole=whole)
        _note(job, version, fold)
        _mark_gaps(job, fold, whole=whole)
        fold.changed.clear()
        remembered = _Known(fold, job.callbacks.filter(state="applied").count() + len(told), messages[-1].number)
        transaction.on_commit(lambda: _remember(job.pk, remembered))
    for _, read in told:
        if isinstance(read, envelope.TaskFailed) or not read.goes_on:
            _close(job, read)


def _mark_gaps(job: Job, fold: StreamFold, *, whole: bool) -> None:
    """Where sound is missing. With all told anew, what came late may have moved it."""
    if whole:
        job.record.marks.filter(is_gap=True).exclude(at_ms__in=fold.gaps).delete()
    for at_ms, said in fold.gaps.items():
        services.add_mark(record_id=job.record_id, at_ms=at_ms, note=said, is_gap=True)
    fold.gaps.clear()


def _told(row: Callback, read: StreamMessage) -> Told:
    return Told(row.pk, read.transcript, row.digest, row.sequence, bool(row.delivery_id), read.gap)


def _gone_on(job: Job, messages: Sequence[Told]) -> _Known | None:
    """The fold in memory, with these; None where it is not of all that came before, or one of these comes late."""
    known = _folds.pop(job.pk, None)
    if known is None or known.count != job.callbacks.filter(state="applied").count():
        return None
    if messages[0].number < known.last or not all(map(known.fold.add, messages)):
        return None
    return known


def _from_start(job: Job, messages: Sequence[Told]) -> _Known:
    """Everything that came, folded again. Its `count` is 0: nothing of it is written yet."""
    everything = sorted([*kept(job), *messages], key=lambda one: one.number)
    return _Known(StreamFold.of(provider(job, everything), everything), 0, 0)


def being_said(record: Record) -> str:
    """Words of a stream on the air that may still change: what its last callback says, if that is all it says."""
    job = record.jobs.filter(kind=Job.Kind.STREAM, status=Job.Status.AWAITING).last()
    return being_said_to(job) if job else ""


def being_said_to(job: Job) -> str:
    """The same for one whose job is at hand."""
    row = job.callbacks.order_by("id").last() if job.status == Job.Status.AWAITING else None
    if row is None or timezone.now() - row.arrived_at > FRESH:
        return ""
    read = envelope.read_callback(bytes(row.raw))
    if not isinstance(read, StreamMessage):
        return ""
    return interim(provider(job, [_told(row, read)]), read.transcript)


def kept(job: Job) -> Iterator[Told]:
    """What the job's callbacks said, as far as they are applied, in order of arrival."""
    for row in job.callbacks.filter(state="applied").order_by("id").iterator(chunk_size=500):
        read = envelope.read_callback(bytes(row.raw))
        if isinstance(read, StreamMessage) and read.goes_on:
            yield _told(row, read)


def provider(job: Job, told: Sequence[Told]) -> str:
    """Whose words they are: as asked for, else as they look."""
    if job.record.provider in PROVIDERS:
        return job.record.provider
    return provider_of(next((one.message for one in told if one.message), None))


def _remember(job_id: int, known: _Known) -> None:
    _folds[job_id] = known
    while len(_folds) > _REMEMBERED:
        _folds.popitem(last=False)


def _note_begun(job: Job, messages: Sequence[Told]) -> None:
    """When sound was first heard of: the beginning of a session comes before its source is connected to."""
    if job.begun_at is None:
        name = provider(job, messages)
        if any(identity(name, one.message).kind != "other" for one in messages):
            job.begun_at = timezone.now()
            job.save(update_fields=["begun_at"])


def _note(job: Job, version: Version, fold: StreamFold) -> None:
    """What the record's page shows besides the text."""
    end = max((segment.end_ms for key in fold.changed if (segment := fold.segment(key))), default=0)
    Record.objects.filter(pk=job.record_id).update(
        last_heard_at=timezone.now(), updated_at=timezone.now(), duration_ms=Greatest(F("duration_ms"), end)
    )
    if fold.model and fold.model != version.model:
        Version.objects.filter(pk=version.pk).update(model=clean(fold.model)[:100])


def _close(job: Job, read: StreamMessage | envelope.TaskFailed) -> None:
    """The stream is over: the record says how, and can be read. What comes later still finds its place."""
    is_well = read.status == StreamStatus.STOPPED or _came_to_its_end(job, read)
    status = Job.Status.DONE if is_well else Job.Status.FAILED
    _end(job, status, _why(job, read), THEN.get(read.status, ""))


def _why(job: Job, read: StreamMessage | envelope.TaskFailed) -> str:
    """How it ended, in the gateway's words too where ours do not say the same."""
    if read.status in (StreamStatus.STOPPED, StreamStatus.CAPACITY, StreamStatus.BALANCE):
        return ENDS[read.status]
    if _came_to_its_end(job, read):
        return SOURCE_ENDED
    if read.status == StreamStatus.FAILED:
        sentence = ENDS[StreamStatus.FAILED] if job.begun_at else "" if read.message else NOT_BEGUN
    else:
        sentence = EXPLAINED_END if read.message else UNKNOWN_END
    said = read.message.rstrip(".")
    return f"{sentence} The gateway says: {said}.".strip() if said else sentence


def _came_to_its_end(job: Job, read: StreamMessage | envelope.TaskFailed) -> bool:
    """Whether it was heard, and its source had no more."""
    return isinstance(read, StreamMessage) and read.ended_by_its_source and job.begun_at is not None


@transaction.atomic
def end(*, job: Job, sentence: str, well: bool = False) -> None:
    """The stream is over and its gateway does not say so. What it says of that later takes the sentence's place."""
    Record.objects.select_for_update(of=("self",)).get(pk=job.record_id)
    waiting = Job.objects.select_for_update().filter(pk=job.pk, status=Job.Status.AWAITING).first()
    if waiting is not None:
        _end(waiting, Job.Status.DONE if well else Job.Status.FAILED, sentence)


def _end(job: Job, status: Job.Status, sentence: str, then: str = "") -> None:
    """An end that was told before is told anew: the first may have been our own guess."""
    now, former = timezone.now(), job.reason
    has_words = Segment.objects.filter(version__record_id=job.record_id).shown().exists()
    reason = " ".join(filter(None, [sentence, KEPT if sentence and has_words else "", then]))
    job.status, job.reason, job.ended_at = status, reason[:500], now
    job.save(update_fields=["status", "reason", "ended_at"])
    record = Record.objects.filter(pk=job.record_id)
    record.filter(status=Record.Status.READY, status_reason=former).update(status_reason=job.reason, updated_at=now)
    record.filter(status=Record.Status.LIVE).update(
        status=Record.Status.READY, status_reason=job.reason, ended_at=now, updated_at=now
    )
