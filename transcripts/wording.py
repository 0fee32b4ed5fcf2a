"""What the library says: lengths, days, languages and states, in words. Pure, save for the time zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf.locale import LANG_INFO
from django.utils import timezone

from transcripts.models import Job, Record
from transcripts.services import ATTENDED

LEFT_OPEN = "This dictation was not finished. What was said is safe: continue it, or finish it."


@dataclass(frozen=True, slots=True)
class State:
    """How a record stands: words, how they look, and what may follow."""

    words: str
    look: str = "done"
    """live, bad, done, or empty: work going on."""
    percent: int | None = None
    reason: str = ""
    can_retry: bool = False
    can_continue: bool = False
    changes: bool = False
    """Whether it changes without the person: then the page asks again."""


def state_of(record: Record, jobs: Iterable[Job], *, edited: bool, now: datetime) -> State:
    """The state of a record with these jobs, oldest first."""
    latest = {job.kind: job for job in jobs}
    if record.status == Record.Status.LIVE:
        if record.last_heard_at and now - record.last_heard_at < ATTENDED:
            return State("Live", "live", can_continue=True, changes=True)
        return State("Not finished", "bad", reason=LEFT_OPEN, can_continue=True)
    if record.status == Record.Status.FINISHING:
        seal = latest.get(Job.Kind.SEAL)
        return State("Finishing", "", reason=seal.reason if seal else "", changes=True)
    if record.status == Record.Status.FAILED:
        return State("Failed while saving", "bad", reason=record.status_reason, can_retry=True)
    return _ready(latest.get(Job.Kind.SECOND_PASS), edited=edited)


def _ready(second: Job | None, *, edited: bool) -> State:
    if second and second.status == Job.Status.RUNNING:
        return State(f"Second pass {second.progress} %", "", percent=second.progress, changes=True)
    if second and second.status == Job.Status.QUEUED:
        return State("Waiting for the second pass", "", reason=second.reason, changes=True)
    ready = "Ready, edited" if edited else "Ready"
    if second and second.status == Job.Status.FAILED:
        return State(ready, "done", reason=f"No second pass: {second.reason}", can_retry=True)
    return State(ready)


def clock(ms: int) -> str:
    """0:07, 13:17, 1:02:15."""
    seconds = max(ms, 0) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


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
    """3.4 MB; what is small is given in kB."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(round(size / 1e3), 1)} kB"


def spell(ms: int) -> str:
    """96 hours, 1 hour, 12 minutes, 40 seconds: how much there is, roughly."""
    for unit, size in (("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        count = ms // size
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 seconds"
