"""Streams that a person starts and stops; `streams` is what happens between."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from memweb import addresses
from memweb.accounts.models import User
from memweb.upstream import errors as upstream
from memweb.upstream.address import Gateway
from memweb.upstream.http import Client
from memweb.whereabouts import own_address
from transcripts import streams
from transcripts.callbacks import hooks
from transcripts.errors import Later, LibraryError, Refused, Useless
from transcripts.files import asked
from transcripts.models import Job, Record

logger = logging.getLogger(__name__)

LAST_WORDS = timedelta(minutes=2)
"""So long after it was asked to stop a gateway may go without a word; then the stream is over all the same."""
QUIET = timedelta(hours=12)
"""A stream of which nothing at all is told for so long is over, or of no use: it costs, and shows Live for ever."""
CALLBACK = "memweb_callback_url"
"""How the built-in gateway is told where this app is; a hosted one has its own setting for it."""


def start(*, user: User, address: str, provider: str, language: str = "", title: str = "", minutes: int = 0) -> Record:
    """Have this person's gateway pull an address, and keep what it hears; stop after so many minutes, if any.

    Raises LibraryError with a sentence: Refused where the gateway would not have this address.
    """
    gateway = asked.gateway_of(user)
    parameters = {"language_code": language} if language and provider == "elevenlabs" else {}
    if gateway.built_in:
        parameters[CALLBACK] = own_address() + hooks.path_of(user)
    try:
        with Client(gateway) as client:
            task_id = client.start_stream(address, provider, parameters)
            try:
                shown = _shown(address)
                until = (timezone.now() + timedelta(minutes=minutes)).isoformat() if minutes else ""
                return streams.begin(
                    owner_id=user.pk, title=title or _name_of(address), provider=provider, language=language,
                    gateway=gateway.address, task_id=task_id,
                    options={
                        streams.ADDRESS: shown, streams.LACKS: shown.lower() != address.lower(), streams.UNTIL: until,
                        "provider": provider,
                    },
                )  # fmt: skip
            except Exception:  # without a record nobody could stop it, and it costs
                with suppress(upstream.UpstreamError):
                    client.stop_stream(task_id)
                raise
    except upstream.UpstreamError as error:
        if error.said:  # by the gateway, of what it was asked for
            raise Refused(_why(error, gateway, user)) from error
        raise (Later if error.retry else Useless)(error.advice) from error


def stop(*, record: Record) -> None:
    """Ask the gateway to stop; its last callback closes the record. Raises LibraryError with a sentence.

    One that refuses has ended it: asked before, it has stopped.
    """
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
        stopped = streams.ASKED in job.options
        streams.end(job=job, sentence="" if stopped else streams.UNKNOWN_END, well=stopped)
    except upstream.UpstreamError as error:
        raise Refused(error.advice) from error
    else:
        _note_asked(job)


@transaction.atomic
def _note_asked(job: Job) -> None:
    """The first time counts."""
    row = Job.objects.select_for_update().get(pk=job.pk)
    row.options = {streams.ASKED: timezone.now().isoformat(), **row.options}
    row.save(update_fields=["options"])


def look_after(*, now: datetime | None = None) -> int:
    """Stop the streams whose time is over, once; end those of which nothing is told any more. How many."""
    now = now or timezone.now()
    on_air = Job.objects.filter(kind=Job.Kind.STREAM, status=Job.Status.AWAITING).select_related("record__owner")
    return sum(_look_after(job, now) for job in on_air)


def _look_after(job: Job, now: datetime) -> bool:
    heard = job.record.last_heard_at or job.record.started_at
    told = _moment(job, streams.ASKED)
    if told is not None and now - max(told, heard) > LAST_WORDS:
        streams.end(job=job, sentence=streams.UNTOLD_END, well=True)
        return True
    if now - heard > QUIET:
        _stopped(job)  # it need not answer: that it is gone is the likeliest reason
        streams.end(job=job, sentence=streams.QUIET_END.format(hours=QUIET // timedelta(hours=1)))
        return True
    until = _moment(job, streams.UNTIL)
    return told is None and until is not None and until <= now and _stopped(job)


def _moment(job: Job, name: str) -> datetime | None:
    return parse_datetime(str(job.options.get(name) or ""))


def _stopped(job: Job) -> bool:
    try:
        stop(record=job.record)
    except LibraryError:
        logger.warning("stream of record %s could not be stopped; tried again", job.record_id)
        return False
    return True


def _why(error: upstream.UpstreamError, gateway: Gateway, user: User) -> str:
    """What the gateway built in says is said by memweb itself; a setting's name is only for who can set it."""
    if not gateway.built_in:
        return error.advice
    said = error.said.removeprefix("audio_url: ")
    return said if user.is_superuser else said.replace(addresses.LIST_IT, "Ask who runs this memweb.")


def _name_of(address: str) -> str:
    split = urlsplit(address)
    return f"{split.hostname or 'Stream'}{split.path}"[:300]


def _shown(address: str) -> str:
    """The address without a password or a key in it."""
    split = urlsplit(address)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname or ""
    port = f":{split.port}" if split.port else ""
    return f"{split.scheme}://{host}{port}{split.path}"[:500]
