"""Streams that a person starts and stops; `streams` is what happens between."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from memweb.accounts.models import User
from memweb.upstream import errors as upstream
from memweb.upstream.http import Client
from memweb.whereabouts import own_address
from transcripts import streams
from transcripts.callbacks import hooks
from transcripts.errors import LibraryError, Refused
from transcripts.files import asked
from transcripts.models import Job, Record

logger = logging.getLogger(__name__)

CALLBACK = "memweb_callback_url"
"""How the built-in gateway is told where this app is; a hosted one has its own setting for it."""


def start(*, user: User, address: str, provider: str, language: str = "", title: str = "", minutes: int = 0) -> Record:
    """Have this person's gateway pull an address, and keep what it hears; stop after so many minutes, if any.

    Raises LibraryError with a sentence.
    """
    gateway = asked.gateway_of(user)
    parameters = {"language_code": language} if language and provider == "elevenlabs" else {}
    if gateway.built_in:
        parameters[CALLBACK] = own_address() + hooks.path_of(user)
    try:
        with Client(gateway) as client:
            task_id = client.start_stream(address, provider, parameters)
            try:
                until = (timezone.now() + timedelta(minutes=minutes)).isoformat() if minutes else ""
                return streams.begin(
                    owner_id=user.pk, title=title or _name_of(address), provider=provider, language=language,
                    gateway=gateway.address, task_id=task_id,
                    options={"address": _shown(address), "until": until, "provider": provider},
                )  # fmt: skip
            except Exception:  # without a record nobody could stop it, and it costs
                with suppress(upstream.UpstreamError):
                    client.stop_stream(task_id)
                raise
    except upstream.UpstreamError as error:
        raise Refused(error.sentence) from error


def stop(*, record: Record) -> None:
    """Ask the gateway to stop; its last callback closes the record. Raises LibraryError with a sentence."""
    job = Job.objects.filter(record=record, kind=Job.Kind.STREAM, status=Job.Status.AWAITING).first()
    if job is None:
        return
    gateway = asked.gateway_of(record.owner)
    if job.gateway != gateway.address[:200]:
        raise Refused(
            "Another gateway pulls this stream than the one in your settings. Go back to it there, then stop."
        )
    try:
        with Client(gateway) as client:
            client.stop_stream(job.task_id)
    except upstream.Refused:  # it has ended there, or was never known: nobody will call any more
        _end(job, streams.UNKNOWN_END)
    except upstream.UpstreamError as error:
        raise Refused(error.sentence) from error


def stop_due(*, now: datetime | None = None) -> int:
    """Stop the streams whose time is over. How many."""
    now, stopped = now or timezone.now(), 0
    for job in Job.objects.filter(kind=Job.Kind.STREAM, status=Job.Status.AWAITING).select_related("record__owner"):
        until = parse_datetime(str(job.options.get("until") or ""))
        if until is not None and until <= now:
            try:
                stop(record=job.record)
                stopped += 1
            except LibraryError:
                logger.warning("stream of record %s could not be stopped; tried again", job.record_id)
    return stopped


@transaction.atomic
def _end(job: Job, sentence: str) -> None:
    job.status, job.reason, job.ended_at = Job.Status.FAILED, sentence, timezone.now()
    job.save(update_fields=["status", "reason", "ended_at"])
    Record.objects.filter(pk=job.record_id, status=Record.Status.LIVE).update(
        status=Record.Status.READY, status_reason=sentence, ended_at=timezone.now(), updated_at=timezone.now()
    )


def _name_of(address: str) -> str:
    split = urlsplit(address)
    return f"{split.hostname or 'Stream'}{split.path}"[:300]


def _shown(address: str) -> str:
    """The address without a password or a key in it."""
    split = urlsplit(address)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname or ""
    port = f":{split.port}" if split.port else ""
    return f"{split.scheme}://{host}{port}{split.path}"[:500]
