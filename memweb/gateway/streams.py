"""A pulled stream's life, as rows: queued, running under a lease, ended with a status of the contract exactly once.

Whatever a stream says is enqueued for its account's webhook in the transaction that checks the lease: a holder that
lost it says nothing more, and after the end nobody does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from memweb.gateway import guard, ledger, outbox
from memweb.gateway.doors import Refused
from memweb.gateway.keys import Caller, usable
from memweb.gateway.models import Account, StreamTask
from memweb.gateway.providers.bindings import live_binding
from memweb.speech import envelope, meter
from memweb.speech.dialects import PROVIDERS, RefusedParameter, live_server
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.parameters import Parameters, query_of
from memweb.speech.envelope import StreamStatus
from memweb.whereabouts import own_address

SCHEMES = ("rtmp", "rtmps", "rtsp", "rtsps", "http", "https")
LEASE = timedelta(seconds=12)
ATTEMPTS = 5
"""A stream whose holders died so often, with nothing new told in between, is ended: it may be what kills them."""
LONGEST_MS = 24 * 3_600_000
NO_WEBHOOK = "An async request requires at least one webhook."
STOPPED = "Stream stopped by user"
CALLBACK = "memweb_callback_url"
"""Where memweb's own app, on this very server, wants to be told; nobody else can name it."""
OURS = {"audio_url", "provider", "audio_start_from", "audio_end_at", "api_key", "token", CALLBACK}
"""What the gateway itself uses; everything else in a request goes to the provider."""
BOUNDS = ("audio_start_from", "audio_end_at")
SOUND: Mapping[str, Mapping[str, list[str]]] = {
    "elevenlabs": {"audio_format": ["pcm_16000"]},
    "assemblyai": {"sample_rate": ["16000"], "encoding": ["pcm_s16le"]},
}
"""How the gateway sends the sound, whatever a request says."""
UNASKED: Mapping[str, Mapping[str, list[str]]] = {"elevenlabs": {"commit_strategy": ["vad"]}, "assemblyai": {}}
"""Nobody commits by hand in a stream that is pulled."""
LACKING: Mapping[str, Mapping[str, str]] = {
    "elevenlabs": {},
    "assemblyai": {
        **transcripts.LACKING,
        "multichannel": "a stream is heard as one channel",
        "dual_channel": "a stream is heard as one channel",
        "disfluencies": "hesitations are left to the engine",
    },
}
"""What a published request for a stream may name, that no live session knows and the engine here does not do."""
State = StreamTask.State


def start(*, caller: Caller, body: Mapping[str, Any]) -> StreamTask:
    """Queue a stream for whoever pulls next. Raises Refused with the contract's statuses; nothing is written then."""
    if not caller.streams_allowed:
        raise Refused(403, "This account is not enabled for live streams.")
    provider = body.get("provider")
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise Refused(400, f"provider must be one of: {', '.join(PROVIDERS)}")
    url = _url(body.get("audio_url"))
    parameters = _parameters(provider, body)
    callback_url = _callback_url(caller, body)
    if not callback_url and not outbox.has_webhook(caller.account_id):
        raise Refused(400, NO_WEBHOOK)
    if not ledger.can_begin(account_id=caller.account_id, rate=meter.RATES[provider]):
        raise Refused(402, "The balance does not pay for the first 5 seconds. Add to it, then start again.")
    return _queue(caller, provider, url, parameters, callback_url)


def _callback_url(caller: Caller, body: Mapping[str, Any]) -> str:
    """The app's own door for callbacks, on this very server: the courier takes nothing past the guard to another."""
    given = body.get(CALLBACK)
    is_app = caller.key_id is None and isinstance(given, str)
    return str(given) if is_app and str(given).startswith(f"{own_address()}/hooks/") and len(str(given)) <= 500 else ""


def _url(given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise Refused(400, "audio_url cannot be null or empty")
    try:
        guard.resolve(given.strip(), schemes=SCHEMES)
    except guard.Forbidden as error:
        raise Refused(400, f"audio_url: {error}") from None
    return given.strip()


def _parameters(provider: str, body: Mapping[str, Any]) -> dict[str, list[str]]:
    """The provider's query, with the bounds of what is to be heard beside it."""
    try:
        bounds = Parameters(query_of({name: body[name] for name in BOUNDS if name in body}))
        first = bounds.whole("audio_start_from", 0, LONGEST_MS, 0)
        last = bounds.whole("audio_end_at", 0, LONGEST_MS, 0)
        query = query_of({name: value for name, value in body.items() if name not in OURS})
        query = {**UNASKED[provider], **query, **SOUND[provider]}
        if live_binding(provider) is None:  # the provider itself says what it does not take
            live_server(provider, query, "")
            Parameters(query).refuse(LACKING[provider])
    except RefusedParameter as error:
        raise Refused(400, error.message) from None
    if last and last <= first:
        raise Refused(400, "audio_end_at must be later than audio_start_from.")
    return query | {"audio_start_from": [str(first)], "audio_end_at": [str(last)]}


@transaction.atomic
def _queue(caller: Caller, provider: str, url: str, parameters: dict[str, list[str]], callback_url: str) -> StreamTask:
    Account.objects.select_for_update().get(pk=caller.account_id)  # so that two at once are counted
    limit = settings.MAX_STREAMS
    if StreamTask.objects.filter(account_id=caller.account_id).exclude(state=State.ENDED).count() >= limit:
        raise Refused(429, f"This account may have {limit} streams at once. Stop one, or wait until one has ended.", 5)
    return StreamTask.objects.create(
        account_id=caller.account_id,
        key_id=caller.key_id,
        task_id=str(uuid.uuid4()),
        provider=provider,
        url=url,
        parameters=parameters,
        callback_url=callback_url,
    )


@transaction.atomic
def stop(*, caller: Caller, task_id: object) -> StreamTask:
    """Ask for the end; one that nobody pulls yet ends here. Raises Refused(400) for no running stream of theirs."""
    known = str(task_id)[:64] if isinstance(task_id, str) and "\0" not in task_id else ""
    own = StreamTask.objects.select_for_update().filter(account_id=caller.account_id, task_id=known)
    stream = own.exclude(state=State.ENDED).first()
    if stream is None:
        raise Refused(400, "There is no running stream with this task_id.")
    stream.stop_asked_at = stream.stop_asked_at or timezone.now()
    stream.save(update_fields=["stop_asked_at"])
    if stream.state == State.QUEUED:
        _end(stream, StreamStatus.STOPPED, STOPPED)
    return stream


# For whoever pulls.


def free(now: Any) -> QuerySet[StreamTask]:
    """Streams that nobody pulls, though somebody should."""
    lost = Q(state=State.RUNNING) & (Q(leased_until=None) | Q(leased_until__lt=now))
    return StreamTask.objects.filter(Q(state=State.QUEUED) | lost).order_by("pk")


def claim(*, lease: str, most: int) -> list[StreamTask]:
    """Lease up to `most` streams. One whose holders keep dying is ended instead."""
    now = timezone.now()
    if most < 1 or not free(now).exists():
        return []
    taken: list[StreamTask] = []
    with transaction.atomic():
        for stream in free(now).select_for_update(skip_locked=True)[:most]:
            if stream.attempts >= ATTEMPTS:
                _end(stream, StreamStatus.FAILED, "What pulled this stream stopped again and again.")
                continue
            stream.state, stream.lease, stream.leased_until = State.RUNNING, lease, now + LEASE
            stream.attempts += 1
            stream.started_at = stream.started_at or now
            stream.save()
            taken.append(stream)
    return taken


def renew(*, lease: str, stream_ids: list[int]) -> None:
    """Hold these streams for longer. One that nobody pulls any more is left out, and can be taken up again."""
    held = StreamTask.objects.filter(lease=lease, pk__in=stream_ids, state=State.RUNNING)
    held.update(leased_until=timezone.now() + LEASE)


def release(*, stream_id: int, lease: str, audio_ms: int, told_ms: int) -> None:
    """Let go of a stream that is to go on elsewhere; that was no death of its holder."""
    held = StreamTask.objects.filter(pk=stream_id, lease=lease, state=State.RUNNING)
    held.update(lease="", leased_until=None, audio_ms=audio_ms, told_ms=told_ms, attempts=F("attempts") - 1)


def to_be_cut(*, lease: str) -> dict[int, str]:
    """Of the streams under this lease, those that must end now: by pk, why. "" is the user's own wish."""
    held = StreamTask.objects.filter(lease=lease, state=State.RUNNING)
    asked = held.filter(stop_asked_at__isnull=False).values_list("pk", flat=True)
    barred = Q(account__streams_allowed=False) | Q(account__user__is_active=False)
    dead_key = Q(key__isnull=False) & ~Q(key__in=usable())
    reasons = dict.fromkeys(held.filter(barred | dead_key).values_list("pk", flat=True), "The key is no longer valid.")
    return reasons | dict.fromkeys(asked, "")


def tell(*, stream_id: int, lease: str, messages: Iterable[tuple[str | None, str]], told_ms: int) -> bool:
    """Write what the provider said, in order: (our remark or None, its JSON), and up to where in the stream all of it
    is said. False once the stream is not ours. Who comes further is not what kills its holders: deaths before no longer
    count."""
    with transaction.atomic():
        stream = _held(stream_id, lease)
        if stream is None:
            return False
        for remark, verbatim in messages:
            body = envelope.stream_callback(stream.task_id, StreamStatus.RUNNING, remark, verbatim)
            _tell(stream, body)
        attempts = 1 if told_ms > stream.told_ms else stream.attempts
        StreamTask.objects.filter(pk=stream.pk).update(told_ms=told_ms, attempts=attempts)
    return True


def charge(*, stream_id: int, lease: str, audio_ms: int, opening: str = "") -> bool | None:
    """Charge the units begun by `audio_ms` of sound in all, before it is sent, and keep what is known of the source's
    first sound. False: the balance does not pay for it; None: the stream is not ours any more."""
    with transaction.atomic():
        stream = _held(stream_id, lease)
        if stream is None:
            return None
        rate = meter.RATES[stream.provider]
        paid = ledger.paid_units(account_id=stream.account_id, session=stream.task_id)
        if meter.units_of(audio_ms) > paid:
            if not ledger.can_begin(account_id=stream.account_id, rate=rate):
                return False
            ledger.charge_heard([ledger.Heard(stream.account_id, stream.task_id, stream.provider, rate, audio_ms)])
        StreamTask.objects.filter(pk=stream.pk).update(audio_ms=audio_ms, opening=opening or stream.opening)
    return True


def end(*, stream_id: int, lease: str, status: StreamStatus, message: str, audio_ms: int) -> bool:
    """End it, and tell the webhook so: once, whoever asks. False where it had ended, or is not ours."""
    with transaction.atomic():
        stream = _held(stream_id, lease)
        if stream is None:
            return False
        stream.audio_ms = audio_ms
        _end(stream, status, message)
    return True


def _held(stream_id: int, lease: str) -> StreamTask | None:
    held = StreamTask.objects.select_for_update().filter(pk=stream_id, lease=lease, state=State.RUNNING)
    return held.first()


def _end(stream: StreamTask, status: StreamStatus, message: str) -> None:
    stream.state, stream.status, stream.message = State.ENDED, status, message[:500]
    stream.ended_at, stream.lease, stream.leased_until = timezone.now(), "", None
    stream.save()
    body = envelope.stream_callback(stream.task_id, status, message[:500])
    _tell(stream, body)


def _tell(stream: StreamTask, body: bytes) -> None:
    outbox.enqueue(account_id=stream.account_id, task_id=stream.task_id, body=body, url=stream.callback_url)
