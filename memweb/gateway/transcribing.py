"""Transcriptions in the background: begun, leased, renewed, ended once. The task queue is only their doorbell.

A worker that is killed lets its lease run out; `reap` rings for what nobody holds. Result, bill and callback are
written in one transaction.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django_tasks import task

from memweb import stopping
from memweb.gateway import kept, outbox, reading
from memweb.gateway.models import Transcription
from memweb.stopping import LetGo

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW = timedelta(seconds=15)
UNHEARD = timedelta(seconds=60)
AGAIN = timedelta(seconds=10)
"""Between two looks at what the real provider has."""
ATTEMPTS = 3
GAVE_OUT = "The server stopped while it was at this, several times. Send it again."
UNEXPECTED = "Something unexpected stopped this transcription. Send it again."


class Lost(Exception):
    """The lease is somebody else's, or what it was for is gone."""


class Later(Exception):
    """Nothing to do now: look again in a while."""


Work = Callable[[Transcription, Callable[[], None]], "Outcome"]


class Outcome:
    """What a transcription came to."""

    def __init__(self, result: Any = None, *, audio_ms: int = 0, speakers: bool = False, error: str = "") -> None:
        self.result = result
        self.audio_ms = audio_ms
        self.speakers = speakers
        self.error = error


def begin(
    *,
    account_id: int,
    provider: str,
    audio_url: str,
    asked: Mapping[str, Any],
    upload: str = "",
    remote_id: str = "",
) -> Transcription:
    """A new one, and its bell. `remote_id` names one that the real provider has."""
    with transaction.atomic():
        made = Transcription.objects.create(
            account_id=account_id,
            transcription_id=remote_id or str(uuid.uuid4()),
            provider=provider,
            remote=bool(remote_id),
            upload=upload,
            audio_url=audio_url,
            asked=dict(asked),
        )
        bell = watch if made.remote else ring
        transaction.on_commit(lambda: bell.enqueue(made.pk))
    return made


def of(account_id: int, provider: str) -> QuerySet[Transcription]:
    """Those of one account, newest first."""
    return Transcription.objects.filter(account_id=account_id, provider=provider).order_by("-pk")


def forget(*, transcription: Transcription) -> None:
    """What was said goes; that it was asked for stays."""
    Transcription.objects.filter(pk=transcription.pk).update(result=None, error="", asked={}, audio_url="", upload="")


@task(queue_name="long")
def ring(pk: int) -> None:
    """Have one read here, if nobody does."""
    from memweb.gateway import deeds  # which know this module

    run(pk, deeds.work)


@task()
def watch(pk: int) -> None:
    """Look what the real provider has made of one: a moment's work."""
    ring.call(pk)


def run(pk: int, work: Work) -> None:
    """Take one, do the work, keep what it came to."""
    lease = uuid.uuid4().hex
    taken = _take(pk, lease)
    if taken is None:
        return
    renewed = timezone.now()

    def beat() -> None:
        nonlocal renewed
        stopping.look()
        if timezone.now() - renewed >= RENEW:
            renewed = timezone.now()
            if not _mine(pk, lease).update(leased_until=renewed + LEASE):
                raise Lost

    try:
        outcome = work(taken, beat)
    except Lost:
        return
    except Later:
        _put_off(pk, lease)
        return
    except LetGo:
        _put_back(pk, lease)
        return
    except Exception:
        logger.exception("Transcription %s stopped", taken.transcription_id)
        outcome = Outcome(error=UNEXPECTED)
    _end(taken, lease, outcome)


def _put_off(pk: int, lease: str) -> None:
    due = timezone.now() + AGAIN
    _mine(pk, lease).update(leased_until=due, attempts=0)
    watch.using(run_after=due + timedelta(seconds=1)).enqueue(pk)


def _put_back(pk: int, lease: str) -> None:
    """This process is about to end: let another begin it at once."""
    put = _mine(pk, lease).update(
        state=Transcription.State.QUEUED, lease="", leased_until=None, attempts=F("attempts") - 1
    )
    if put:
        ring.enqueue(pk)


def reap() -> None:
    """Ring again for what was not heard, or whose worker has gone; let go of old uploads."""
    kept.sweep()
    now = timezone.now()
    unheard = Q(state=Transcription.State.QUEUED, created_at__lt=now - UNHEARD)
    left = Q(state=Transcription.State.PROCESSING, leased_until__lt=now)
    for pk, remote in Transcription.objects.filter(unheard | left).values_list("pk", "remote")[:100]:
        (watch if remote else ring).enqueue(pk)


def _mine(pk: int, lease: str) -> QuerySet[Transcription]:
    return Transcription.objects.filter(pk=pk, lease=lease, state=Transcription.State.PROCESSING)


def _take(pk: int, lease: str) -> Transcription | None:
    now = timezone.now()
    free = Q(state=Transcription.State.QUEUED) | Q(state=Transcription.State.PROCESSING, leased_until__lt=now)
    taken = Transcription.objects.filter(free, pk=pk).update(
        state=Transcription.State.PROCESSING, lease=lease, leased_until=now + LEASE, attempts=F("attempts") + 1
    )
    if not taken:
        return None
    found = Transcription.objects.get(pk=pk)
    if found.attempts <= ATTEMPTS:
        return found
    _end(found, lease, Outcome(error=GAVE_OUT))
    return None


def _end(taken: Transcription, lease: str, outcome: Outcome) -> None:
    with transaction.atomic():
        held = _mine(taken.pk, lease).select_for_update().first()
        if held is None:
            return
        held.state = Transcription.State.ERROR if outcome.error else Transcription.State.COMPLETED
        held.result, held.error = outcome.result, outcome.error[:500]
        held.ended_at, held.leased_until = timezone.now(), None
        held.save()
        if not outcome.error:
            reading.charge(held.account_id, held.provider, held.transcription_id, outcome.audio_ms, outcome.speakers)
        _try_to_call_back(held)


def _try_to_call_back(ended: Transcription) -> None:
    """A message that cannot be written undoes no end: undone, the same file would be read again and again for it."""
    try:
        with transaction.atomic():
            _call_back(ended)
    except (InterfaceError, OperationalError):
        raise  # the database, not the message: end it again later, with its message
    except Exception:
        logger.exception("Transcription %s ended, but its callback could not be written", ended.transcription_id)


def _call_back(ended: Transcription) -> None:
    """Tell whoever asked to be told. The real provider tells by itself."""
    asked = ended.asked
    if ended.remote or (ended.provider == "assemblyai" and not asked.get("webhook_url")):
        return
    if ended.provider == "assemblyai":
        body = {"transcript_id": ended.transcription_id, "status": ended.state}
        header = str(asked.get("webhook_auth_header_name") or ""), str(asked.get("webhook_auth_header_value") or "")
        _post(ended, body, str(asked["webhook_url"]), header)
        return
    data: dict[str, Any] = {"request_id": ended.transcription_id, "transcription": ended.result}
    if ended.error:
        data["error"] = ended.error
    if asked.get("webhook_metadata"):
        data["webhook_metadata"] = json.loads(asked["webhook_metadata"][-1])
    event = {"type": "speech_to_text_transcription", "event_timestamp": int(timezone.now().timestamp()), "data": data}
    _post(ended, event)


def _post(ended: Transcription, body: Mapping[str, Any], url: str = "", header: tuple[str, str] = ("", "")) -> None:
    outbox.enqueue(
        account_id=ended.account_id,
        task_id=ended.transcription_id,
        body=json.dumps(body, separators=(",", ":")).encode(),
        url=url,
        header=header,
    )
