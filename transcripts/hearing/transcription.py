"""A recording becomes text at whichever gateway is configured: handed over, listened to, kept.

Each step that worked is kept on the job, so a worker that takes over goes on there, and a retry repeats only what
failed. The gateway built in tells how far it is; a hosted one calls back, or is waited for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from memweb import stopping
from memweb.accounts.gateways import gateway_in_use
from memweb.speech import envelope
from memweb.speech import transcript as speech
from memweb.speech.dialects import batch
from memweb.speech.text import line
from memweb.upstream import errors as upstream
from memweb.upstream.address import Gateway
from memweb.upstream.http import Client, TaskState
from transcripts import jobs, queries, services
from transcripts.editor import carrying
from transcripts.errors import Later, LeaseLost, LibraryError, Useless
from transcripts.files.options import WHISPER, Options
from transcripts.jobs import Lease
from transcripts.models import Job, Record, Recording, Version
from transcripts.recordings import audio_path

logger = logging.getLogger(__name__)

SHORT_MS = 600_000
"""What is longer is not waited for on an open line, where the gateway can call back."""
ASK_EVERY_S = 1.0
SOON_S = 0.25
"""So soon is a gateway asked again that may just have begun, or that has begun and can tell no per cent yet."""
OF_VERSION = "of_version"
"""Among a speakers job's options: the number of the version whose speakers they are. Others may come meanwhile."""
NO_WORDS = "Nothing was said in this recording, or nothing that could be understood. It is kept, and can be played."
GONE = "The recording itself is missing. Upload it again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gateway answered, as it came, and in which dialect."""

    raw: bytes
    dialect: str
    """One of speech.dialects.batch.PROVIDERS."""


def transcribe(lease: Lease) -> None:
    """The work of a transcription job. Raises LibraryError with a sentence; what was done so far is kept."""
    job = Job.objects.select_related("record__owner").get(pk=lease.job_id)
    recording = Recording.objects.filter(record_id=lease.record_id).first()
    if recording is None:
        raise Useless(GONE)
    options = Options.read(job.options)
    outcome = at_gateway(lease, job, recording, lambda client, asset: _listen(lease, job, options, client, asset))
    if outcome is not None:
        keep(job_id=job.pk, outcome=outcome, holder=lease.holder)
        let_go(job)


def let_go(job: Job) -> None:
    """Have the gateway forget the recording, which it may charge for, unless its speakers are still to be told."""
    if Job.objects.pending().filter(record_id=job.record_id, kind=Job.Kind.SPEAKERS).exists():
        return
    gateway = gateway_of(job.record)
    if gateway.address != job.gateway:  # its owner has chosen another since, which knows nothing of it
        return
    try:
        with Client(gateway) as client:
            client.delete(job.asset_id)
    except upstream.UpstreamError as error:
        logger.info("job %s: its asset stays at the gateway (%s)", job.pk, type(error).__name__)


def let_go_later(job: Job) -> None:
    """The same, once this transaction is committed: the gateway is not waited for while the record is locked."""
    from transcripts import tasks

    tasks.ring_let_go.enqueue(job.pk)


def let_go_of(*, job_id: int) -> None:
    """The gateway forgets the recording of this job, if there still is such a job."""
    job = Job.objects.select_related("record__owner").filter(pk=job_id).first()
    if job is not None:
        let_go(job)


def at_gateway(
    lease: Lease, job: Job, recording: Recording, ask: Callable[[Client, str], Outcome | None]
) -> Outcome | None:
    """Hand the recording over unless the gateway has it, then ask. One that has forgotten it is given it once more."""
    gateway = gateway_of(job.record)
    held = bool(job.asset_id) and job.gateway == gateway.address
    try:
        with Client(gateway) as client:
            asset = job.asset_id if held else _hand_over(lease, job, recording, client, gateway)
            try:
                return ask(client, asset)
            except upstream.Refused:
                if not held:
                    raise
            return ask(client, _hand_over(lease, job, recording, client, gateway))
    except upstream.UpstreamError as error:
        raise (Later if error.retry else Useless)(error.sentence) from error


def gateway_of(record: Record) -> Gateway:
    """The gateway its owner has chosen."""
    return gateway_in_use(record.owner)


def _hand_over(lease: Lease, job: Job, recording: Recording, client: Client, gateway: Gateway) -> str:
    size = max(recording.size, 1)
    if job.asset_id:  # what it had of this one is no more: until it has it again, nothing is transcribed
        lease.note(asset_id="", task_id="")
    with audio_path(recording).open("rb") as file:
        asset = client.upload(file, f"{recording.record_id}.flac", lambda sent: lease.progress(sent * 100 // size))
    job.asset_id, job.gateway, job.task_id = asset, gateway.address, ""
    lease.note(asset_id=asset, gateway=gateway.address, task_id="", begun_at=timezone.now())
    lease.progress(0)
    return asset


def _listen(lease: Lease, job: Job, options: Options, client: Client, asset: str) -> Outcome | None:
    """What was heard; None where it will be called back."""
    if options.provider != WHISPER:
        return Outcome(client.speech_to_text(options.provider, options.parameters(asset)).raw, options.provider)
    return in_time(
        lease, job, client, WHISPER,
        begin=lambda: client.begin_transcribing(asset, language=options.language),
        waited=lambda: Outcome(client.transcribe(asset, language=options.language).raw, WHISPER),
    )  # fmt: skip


def in_time(
    lease: Lease, job: Job, client: Client, dialect: str, *, begin: Callable[[], str], waited: Callable[[], Outcome]
) -> Outcome | None:
    """As a task where that is possible and worth it, else on an open line. None where it will be called back."""
    built_in = not job.gateway
    if not built_in and (job.options.get("wait") or job.record.duration_ms <= SHORT_MS):
        return waited()
    if not job.task_id:
        try:
            job.task_id = begin()
        except upstream.Refused:  # nobody has told the gateway where to call
            return waited()
        lease.note(task_id=job.task_id, begun_at=None)
    if built_in:
        return _watched(lease, job, client, dialect) or waited()
    patience = timedelta(milliseconds=job.record.duration_ms) + timedelta(minutes=30)
    jobs.await_call(job_id=job.pk, holder=lease.holder, until=timezone.now() + patience)
    return None


def _watched(lease: Lease, job: Job, client: Client, dialect: str) -> Outcome | None:
    """Ask how the task stands until it is done. None where the gateway knows nothing of it."""
    wait_s = SOON_S / 2
    while (state := client.task(job.task_id)) is not None:
        if state.callback is not None:
            return Outcome(state.callback, dialect)
        if state.status not in ("queued", "running"):
            lease.note(task_id="")
            raise LibraryError(_why(state))
        try:
            _tell(lease, job, state)
        except LeaseLost:  # somebody stopped it: the engine need not go on for nobody
            if not Job.objects.pending().filter(pk=job.pk).exists():
                client.cancel(job.task_id)
            raise
        begins = state.status == "running" and not lease.percent
        wait_s = SOON_S if begins else min(2 * wait_s, ASK_EVERY_S)
        stopping.wait(wait_s)
    lease.note(task_id="")
    return None


def _tell(lease: Lease, job: Job, state: TaskState) -> None:
    """How far it is, and since when: anew where another worker begins it again, and not while it waits for one."""
    percent = min(state.done_ms * 100 // state.total_ms, 99) if state.total_ms else 0
    is_running = state.status == "running"
    if is_running != (job.begun_at is not None) or percent < lease.percent:
        job.begun_at = timezone.now() if is_running else None
        lease.note(begun_at=job.begun_at)
    lease.progress(percent)
    lease.hold()


def _why(state: TaskState) -> str:
    return line(state.message) or "The gateway could not transcribe this and does not say why. Retry."


def payload_of(outcome: Outcome) -> object:
    """What lies in an answer or a callback, for the dialects. Raises Useless where it is a refusal."""
    called = envelope.read_callback(outcome.raw)
    if isinstance(called, envelope.TaskRows) and called.task_id:
        return {"items": list(called.rows), "usage_metadata": dict(called.usage)}
    answer = envelope.read(200, outcome.raw)
    if isinstance(answer, envelope.Refusal):
        raise Useless(f"The gateway could not do this. It says: {answer.message or 'nothing'}")
    return answer.data


@transaction.atomic
def keep(*, job_id: int, outcome: Outcome, holder: str | None = None) -> Version | None:
    """Keep what was heard: the answer verbatim, its text as a version, the record ready; then have speakers told.

    By the job's holder, or (None) for a job that awaits this call. None where the job is no longer waiting for it.
    Raises LibraryError with a sentence where the outcome is none.
    """
    record = Record.objects.select_for_update(of=("self",)).get(jobs=job_id)
    job = _waiting(job_id, holder)
    if job is None:
        return None
    result = batch.read(outcome.dialect, payload_of(outcome))
    if result.failure:
        raise Useless(f"The provider could not transcribe this. It says: {line(result.failure)}")
    options = Options.read(job.options)
    services.keep_result(record_id=record.pk, dialect=outcome.dialect, raw=outcome.raw)
    if options.provider == WHISPER and job.gateway:  # a hosted gateway's Whisper is told no language
        options = replace(options, language="")
    version = _version(record, options, result.transcript)
    jobs.complete(job=job)
    if outcome.dialect == WHISPER and options.tells_speakers and result.transcript.segments:
        jobs.enqueue(record_id=record.pk, kind=Job.Kind.SPEAKERS, options={**job.options, OF_VERSION: version.number})
        Job.objects.pending().filter(record=record, kind=Job.Kind.SPEAKERS).update(
            asset_id=job.asset_id, gateway=job.gateway
        )
    return version


def _waiting(job_id: int, holder: str | None) -> Job | None:
    if holder is not None:
        return jobs.hold(job_id=job_id, holder=holder)
    return Job.objects.select_for_update().filter(pk=job_id, status=Job.Status.AWAITING).first()


def _version(record: Record, options: Options, transcript: speech.Transcript) -> Version:
    first = not record.versions.exists()
    version = services.add_version(
        record_id=record.pk,
        kind=Version.Kind.TRANSCRIBED if first else Version.Kind.RETRANSCRIBED,
        model=options.model or options.provider,
        language=transcript.language or options.language,
        segments=transcript.segments,
    )
    edited = queries.is_edited(record.pk)
    if first or (transcript.segments and not edited and record.status != Record.Status.LIVE):
        services.show_version(record_id=record.pk, number=version.number)
    elif transcript.segments and edited and record.current_version is not None:
        later = options.provider == WHISPER and options.tells_speakers
        carrying.carry_over(source=record.current_version, target=version, speakers_follow=later)
    services.become_ready(record_id=record.pk, reason=NO_WORDS if first and not transcript.segments else None)
    return version
