"""Who speaks when, told after the text: a pass of its own, which can fail without harming what can be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db import transaction

from memweb.speech import transcript as speech
from memweb.speech.dialects import batch
from transcripts import jobs, services
from transcripts.editor import carrying
from transcripts.errors import Useless
from transcripts.files.options import PYANNOTE, Options
from transcripts.hearing import results
from transcripts.hearing.transcription import GONE, OF_VERSION, Outcome, at_gateway, in_time, let_go, payload_of
from transcripts.jobs import Lease
from transcripts.models import Job, Record, Recording, Version
from transcripts.values import segment_value


def tell(lease: Lease) -> None:
    """The work of a speakers job. Raises LibraryError with a sentence; the text stays as it is."""
    job = Job.objects.select_related("record__owner").get(pk=lease.job_id)
    recording = Recording.objects.filter(record_id=lease.record_id).first()
    if recording is None:
        raise Useless(GONE)
    most = max(0, Options.read(job.options).speakers)
    outcome = at_gateway(
        lease,
        job,
        recording,
        lambda client, asset: in_time(
            lease,
            job,
            client,
            PYANNOTE,
            begin=lambda: client.begin_telling_speakers(asset, most=most),
            waited=lambda: Outcome(client.tell_speakers(asset, most=most).raw, PYANNOTE),
        ),
    )
    if outcome is not None:
        keep(job_id=job.pk, outcome=outcome, holder=lease.holder)
        let_go(job)


@transaction.atomic
def keep(*, job_id: int, outcome: Outcome, holder: str | None = None) -> None:
    """Give the text that was heard its speakers; by the job's holder, or (None) for a job that awaits this call."""
    record = Record.objects.select_for_update(of=("self",)).get(jobs=job_id)
    job = (
        jobs.hold(job_id=job_id, holder=holder)
        if holder is not None
        else Job.objects.select_for_update().filter(pk=job_id, status=Job.Status.AWAITING).first()
    )
    if job is None:
        return
    turns = batch.read(PYANNOTE, payload_of(outcome)).transcript.segments
    version = _version_of(job)
    told_of = results.connection_of(version) if version else None
    services.keep_result(record_id=record.pk, dialect=PYANNOTE, raw=outcome.raw, of=told_of)
    if version is not None:
        said = [segment_value(row) for row in version.segments.shown()]
        services.set_speakers(version=version, speakers=assign(said, turns))
        _call_as_before(record, version)
    jobs.complete(job=job)


def _call_as_before(record: Record, version: Version) -> None:
    """By the names that the same voices have in the version that is shown, or was until this one."""
    other = record.current_version
    if other is None or other == version:
        other = record.versions.exclude(pk=version.pk).order_by("-number").first()
    if other is not None:
        carrying.carry_names(source=other, target=version)


def _version_of(job: Job) -> Version | None:
    """The reading it was asked for; the newest that was heard, where an older memweb asked and did not say."""
    versions = job.record.versions.exclude(kind__in=[Version.Kind.LIVE, Version.Kind.IMPORTED])
    number = job.options.get(OF_VERSION)
    return (versions.filter(number=number) if isinstance(number, int) else versions.order_by("-number")).first()


def assign(said: Sequence[speech.Segment], turns: Sequence[speech.Segment]) -> Mapping[str, str]:
    """By segment key, the label of who speaks through most of it. Who nobody is heard in is left out. Pure."""
    found: dict[str, str] = {}
    for segment in said:
        heard: dict[str, int] = defaultdict(int)
        for turn in turns:
            overlap = min(segment.end_ms, turn.end_ms) - max(segment.start_ms, turn.start_ms)
            if overlap > 0 and turn.speaker is not None:
                heard[turn.speaker] += overlap
        if heard:
            found[segment.key] = max(heard, key=lambda label: heard[label])
    return found
