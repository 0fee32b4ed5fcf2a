"""What is done for a transcription in the background: read by the engine here, or watched at the real provider."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from memweb.gateway import reading, recognise
from memweb.gateway.doors import Refused
from memweb.gateway.models import Transcription
from memweb.gateway.native.door import refused
from memweb.gateway.providers import rest
from memweb.gateway.transcribing import Later, Outcome
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.parameters import query_of
from memweb.speech.recognition import Recognised

WEBHOOK = ("webhook_url", "webhook_auth_header_name", "webhook_auth_header_value")
SOURCES = ("audio_url",)
PASSING = frozenset({429, 502, 503, 504})
"""Refusals of a provider that say nothing of the transcript that was asked after."""
ELEVENLABS_OWN = ("webhook", "webhook_metadata", "cloud_storage_url", "source_url")
Beat = Callable[[], None]


def work(taken: Transcription, beat: Beat) -> Outcome:
    """Whatever is expected to go wrong is an outcome too."""
    try:
        return _watch(taken) if taken.remote else _read(taken, beat)
    except reading.EXPECTED as error:
        return Outcome(error=refused(error).message)


def _read(taken: Transcription, beat: Beat) -> Outcome:
    if taken.provider == "assemblyai":
        asked = assemblyai_request(taken.asked)
        order = asked.order
    else:
        scribed = scribe.read_request(taken.asked, ELEVENLABS_OWN)
        order = scribed.order
    job = reading.Job(taken.account_id, taken.provider, taken.transcription_id, order)
    kept = reading.kept(taken.account_id, taken.upload) if taken.upload else None
    with kept or reading.fetched(taken.audio_url, beat) as sound:
        job.admit(sound)
        found = recognise.recognise(sound.path, order, lambda _: beat())
    if taken.provider == "assemblyai":
        result = transcripts.completed(asked, found, id=taken.transcription_id, audio_url=taken.audio_url)
    else:
        result = scribe.result(scribed, found, taken.transcription_id)
    return _outcome(result, found, order.speakers)


def _outcome(result: dict[str, Any], found: Recognised, speakers: bool) -> Outcome:
    return Outcome(result, audio_ms=found.heard_ms, speakers=speakers)


def assemblyai_request(asked: dict[str, Any]) -> transcripts.TranscriptRequest:
    """Raises RefusedParameter."""
    return transcripts.read_request(query_of(asked), asked, (*WEBHOOK, *SOURCES))


def _watch(taken: Transcription) -> Outcome:
    """Ask the real provider, for the bill: its client asks for the words itself, and may have them though this poll
    was in vain. Raises Later, and Refused."""
    upstream = rest.bound(taken.provider)
    if upstream is None:
        return Outcome(error="The provider's key is not set any more.")
    is_late = timezone.now() - taken.created_at > timedelta(seconds=rest.LONGEST_POLL_S)
    try:
        made = rest.asked_once(upstream, taken.transcription_id)
    except Refused as error:
        if is_late or error.status not in PASSING:
            raise
        raise Later from None
    if made is not None:
        return Outcome(audio_ms=rest.audio_ms(taken.provider, made))
    if is_late:
        return Outcome(error="The provider has not finished within four hours.")
    raise Later
