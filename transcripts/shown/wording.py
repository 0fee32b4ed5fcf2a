"""What the library says: lengths, days, languages and states, in words. Pure, save for the time zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf.locale import LANG_INFO
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from transcripts.jobs import AGAIN
from transcripts.models import Job, Record
from transcripts.services import ATTENDED, UNHEARD
from transcripts.streams import ASKED, SOURCE_ENDED, UNTIL

WORKING = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.AWAITING)
SILENT = timedelta(seconds=15)
"""So long a stream may bring nothing before that is worth a word: its source may be away, or nobody speaks."""
AWAY = "If its source is away, it is tried again by itself."
CALLS_BACK = "The gateway works on it and will call back."
LEFT_OPEN = "This dictation was not finished. What was said is safe: continue it, or finish it."


@dataclass(frozen=True, slots=True)
class State:
    """How a record stands: words, how they look, and what may follow."""

    words: str
    look: str = "done"
    """live, bad, stopped, done, or empty: work going on."""
    percent: int | None = None
    reason: str = ""
    retries: int | None = None
    """The job that is started over by Retry: the one whose reason is told."""
    can_continue: bool = False
    can_cancel: bool = False
    can_stop: bool = False
    """Whether it is a stream on the air, and its gateway was not asked yet to end it."""
    can_start_again: bool = False
    """Whether it is a stream that ended though nobody stopped it."""
    is_over: bool = False
    """Whether it is one that came to its end, by a person or by its source: it may be started again as well."""
    can_hear_again: bool = False
    """Whether the text lacks words that the recording has."""
    left: str = ""
    """About how long it will take, once that can be told."""
    changes: bool = False
    """Whether it changes without the person: then the page asks again."""

    @property
    def can_retry(self) -> bool:
        return self.retries is not None

    @property
    def is_calm(self) -> bool:
        """Whether its reason is news that asks nothing of the person."""
        if self.look == "stopped" or self.reason.endswith(AGAIN):
            return True
        return self.reason == CALLS_BACK or self.reason.startswith(SOURCE_ENDED)


def state_of(record: Record, jobs: Iterable[Job], *, edited: bool, now: datetime) -> State:
    """The state of a record with these jobs, oldest first."""
    latest = {job.kind: job for job in jobs}
    if record.status == Record.Status.LIVE:
        if record.source == Record.Source.STREAM:
            return _on_air(latest.get(Job.Kind.STREAM), now - (record.last_heard_at or record.started_at))
        attended = record.last_heard_at is not None and now - record.last_heard_at < ATTENDED
        if attended:
            return State("Live", "live", can_continue=record.source == Record.Source.DICTATION, changes=True)
        return State("Not finished", "bad", reason=LEFT_OPEN, can_continue=True)
    if record.status == Record.Status.FINISHING and record.source != Record.Source.DICTATION:
        return _coming(latest, now)
    if record.status == Record.Status.FINISHING:
        seal = latest.get(Job.Kind.SEAL)
        return State("Finishing", "", reason=seal.reason if seal else "", changes=True)
    if record.status == Record.Status.FAILED:
        job = _stopped(latest)
        look = "stopped" if job and job.status == Job.Status.CANCELLED else "bad"
        return State(_failed(job), look, reason=record.status_reason, retries=job.pk if job else None)
    again = latest.get(Job.Kind.TRANSCRIBE)
    if again and again.status in WORKING:
        return _transcribing(again, now)
    speakers = latest.get(Job.Kind.SPEAKERS)
    if speakers and speakers.status not in (Job.Status.DONE, Job.Status.CANCELLED):
        return _speakers(speakers, edited=edited)
    if again and again.status == Job.Status.FAILED:
        return State(_settled(edited), reason=f"Not transcribed again. {again.reason}", retries=again.pk)
    stream = latest.get(Job.Kind.STREAM)
    broke_off = stream is not None and stream.status == Job.Status.FAILED
    if did_not_start(stream):
        return State("Did not start", "bad", reason=record.status_reason, can_start_again=True)
    is_over = stream is not None and stream.status == Job.Status.DONE
    state = replace(_ready(latest.get(Job.Kind.SECOND_PASS), edited=edited), is_over=is_over)
    if not record.status_reason:
        return state
    can_hear_again = not state.changes and record.status_reason.startswith(UNHEARD)
    reason = " ".join(filter(None, [record.status_reason, state.reason]))
    return replace(state, reason=reason, can_hear_again=can_hear_again, can_start_again=broke_off)


def retried_of(record: Record) -> int | None:
    """The job that Retry starts over as the record stands now."""
    return state_of(record, record.jobs.order_by("id"), edited=False, now=timezone.now()).retries


def _on_air(job: Job | None, silence: timedelta) -> State:
    """A stream: whether it is heard, until when, and whether it may still be stopped."""
    if job is not None and ASKED in job.options:
        return State("Stopping, the last words follow", "", changes=True)
    can_stop = job is not None
    if silence > SILENT:
        words = f"Nothing heard for {clock(int(silence.total_seconds() * 1000))}"
        return State(words, "bad", reason=AWAY, can_stop=can_stop, changes=True)
    if job is not None and job.begun_at is None:
        return State("Connecting", "", can_stop=True, changes=True)
    until = stops_at(job) if job else ""
    return State(f"Live, stops {until}" if until else "Live", "live", can_stop=can_stop, changes=True)


def did_not_start(job: Job | None) -> bool:
    """Whether a stream failed before anything was heard; who stops one that early has not failed."""
    return job is not None and job.status == Job.Status.FAILED and job.begun_at is None


def end_of(job: Job | None) -> str:
    """How a stream ended, in a word or two; its record's reason says more."""
    if did_not_start(job):
        return "Did not start"
    if job is None or job.status == Job.Status.FAILED:
        return "Ended"
    return "Ended" if job.reason.startswith(SOURCE_ENDED) else "Stopped"


def stops_at(job: Job) -> str:
    """When a stream stops by itself; empty where it does not."""
    until = parse_datetime(str(job.options.get(UNTIL) or ""))
    return moment(until) if until else ""


def _coming(latest: dict[str, Job], now: datetime) -> State:
    """A file or a stream's recording on its way to be text."""
    job = latest.get(Job.Kind.TRANSCRIBE)
    if job is not None:
        return _transcribing(job, now)
    prepare = latest.get(Job.Kind.PREPARE)
    if prepare is None or prepare.status != Job.Status.RUNNING:
        return State("Queued", "", reason=prepare.reason if prepare else "", changes=True, can_cancel=True)
    done = prepare.progress or None
    words = f"Reading the file{f' {done} %' if done else ''}"
    return State(words, "", percent=done, reason=prepare.reason, changes=True, can_cancel=True)


def _transcribing(job: Job, now: datetime) -> State:
    doing = State("Transcribing", "", reason=job.reason, changes=True, can_cancel=True)
    if job.status == Job.Status.AWAITING:
        return replace(doing, reason=CALLS_BACK)
    if job.status == Job.Status.QUEUED or (job.task_id and job.begun_at is None):
        ahead = Job.objects.ahead_of(job).count()
        return replace(doing, words=f"Queued, {ahead} ahead" if ahead else "Queued")
    if not job.asset_id:
        return replace(doing, words="Handing over")
    if not job.progress:
        return doing
    words = f"Transcribing {job.progress} %"
    return replace(doing, words=words, percent=job.progress, left=_left(job, now))


def _left(job: Job, now: datetime) -> str:
    """Not before a twentieth is done: until then it would be a guess."""
    if job.progress < 5 or job.begun_at is None:
        return ""
    seconds = (now - job.begun_at).total_seconds() * (100 - job.progress) / job.progress
    return f"about {max(round(seconds / 60), 1)} min left" if seconds > 50 else "less than a minute left"


def _speakers(job: Job, *, edited: bool) -> State:
    if job.status == Job.Status.FAILED:
        return State(_settled(edited), reason=f"Speakers are not told apart. {job.reason}", retries=job.pk)
    percent = job.progress or None
    words = f"Telling speakers apart{f' {percent} %' if percent else ''}"
    return State(words, "", percent=percent, reason=job.reason, changes=True, can_cancel=True)


def _stopped(latest: dict[str, Job]) -> Job | None:
    """What keeps a record from being ready."""
    found = [latest[kind] for kind in (Job.Kind.TRANSCRIBE, Job.Kind.PREPARE, Job.Kind.SEAL) if kind in latest]
    return next((job for job in found if job.status in (Job.Status.FAILED, Job.Status.CANCELLED)), None)


def _failed(job: Job | None) -> str:
    """Where it stopped, in a few words."""
    if job is None or job.kind == Job.Kind.SEAL:
        return "Failed while saving"
    if job.status == Job.Status.CANCELLED:
        return f"Stopped at {job.progress} %" if job.progress else "Stopped"
    return "Failed while reading" if job.kind == Job.Kind.PREPARE else "Failed while transcribing"


def _settled(edited: bool) -> str:
    return "Ready, edited" if edited else "Ready"


def _ready(second: Job | None, *, edited: bool) -> State:
    if second and second.status == Job.Status.RUNNING:
        return State(f"Second pass {second.progress} %", "", percent=second.progress, changes=True, can_cancel=True)
    if second and second.status == Job.Status.QUEUED:
        return State("Waiting for the second pass", "", reason=second.reason, changes=True, can_cancel=True)
    ready = _settled(edited)
    if second and second.status == Job.Status.FAILED:
        return State(ready, "done", reason=f"No second pass. {second.reason}", retries=second.pk)
    return State(ready)


def clock(ms: int) -> str:
    """0:07, 13:17, 1:02:15."""
    seconds = max(ms, 0) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def length_of(record: Record) -> str:
    """How long it is; empty for a file that nobody has read yet."""
    is_unread = record.source == Record.Source.FILE and record.status != Record.Status.READY
    return "" if is_unread and not record.duration_ms else clock(record.duration_ms)


def title_of(record: Record) -> str:
    """Its title, or what stands in for one."""
    return record.title or f"{record.get_source_display()}, {moment(record.started_at)}"


def day(when: datetime) -> str:
    """18 November 2026."""
    local = timezone.localtime(when)
    return f"{local.day} {local:%B %Y}"


def moment(when: datetime) -> str:
    """18 Nov, 14:05."""
    local = timezone.localtime(when)
    return f"{local.day} {local:%b}, {local:%H:%M}"


def unbroken(words: str) -> str:
    """The same, which no line breaks within."""
    return words.replace(" ", "\u00a0")


def instant(when: datetime) -> str:
    """18 Nov, 14:05:09."""
    return f"{moment(when)}:{timezone.localtime(when):%S}"


def shelf_of(when: datetime, now: datetime) -> str:
    """The heading a settled record stands under: Today, Yesterday, This week, then its month."""
    local, today = timezone.localtime(when), timezone.localtime(now)
    days = (today.date() - local.date()).days
    if days <= 1:
        return "Yesterday" if days == 1 else "Today"
    return "This week" if days <= today.weekday() else f"{local:%B %Y}"


def language(code: str) -> str:
    """English for en; the code itself where it has no name here; nothing for none."""
    known = LANG_INFO.get(code.lower()) or LANG_INFO.get(code.lower().split("-")[0]) or {}
    return str(known.get("name", code))


def megabytes(size: int) -> str:
    """31 kB, 3.4 MB, 412 MB, 1.2 GB, 4 GB: as `size` in progress.js."""
    if size < 999_500:
        return f"{max(round(size / 1e3), 1)} kB"
    if 99_950_000 <= size < 999_500_000:
        return f"{size / 1e6:.0f} MB"
    number, unit = (size / 1e6, "MB") if size < 99_950_000 else (size / 1e9, "GB")
    return f"{number:.1f}".removesuffix(".0") + f" {unit}"


def dollars(amount: Decimal) -> str:
    """about $1.20, less than $0.01: a price that is not yet a bill."""
    return f"about ${amount:.2f}" if amount >= Decimal("0.01") else "less than $0.01"


def spell(ms: int) -> str:
    """96 hours, 1 hour, 12 minutes, 40 seconds: how much there is, roughly."""
    for unit, size in (("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        count = ms // size
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 seconds"
