"""`/transcriptions/speech-to-text`: ElevenLabs' or AssemblyAI's answer for a whole file, waited for.

The engine of this machine gives it in the provider's shape; or, where the operator has set the provider's key, the
provider itself.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from memweb.gateway import assets, guard, ledger, outbox, reading
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.edges import JsonParser
from memweb.gateway.api.shapes import FAILURES, FAULTS, Answer
from memweb.gateway.api.transcriptions import UNKNOWN
from memweb.gateway.deeds import WEBHOOK
from memweb.gateway.doors import Refused
from memweb.gateway.keys import Caller
from memweb.gateway.models import Asset
from memweb.gateway.native.assemblyai import check_webhook
from memweb.gateway.native.door import refused
from memweb.gateway.native.elevenlabs import refuse_webhook
from memweb.gateway.providers import rest
from memweb.speech.dialects import PROVIDERS
from memweb.speech.dialects.assemblyai import transcripts
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.parameters import query_of
from memweb.speech.recognition import Recognised

router = Router(tags=["transcriptions"])
SOURCES = ("asset_id", "url", "source_url")
OWN = ("provider", "api_key", *SOURCES)


@dataclass(frozen=True, slots=True)
class Where:
    """The recording: an asset of the account, or a URL."""

    asset_id: str = ""
    url: str = ""


@router.post(
    "/speech-to-text",
    response={200: Answer[dict[str, Any]], **FAILURES, **FAULTS},
    operation_id="speech-to-text",
    summary="Transcribe a file as ElevenLabs or AssemblyAI does",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {
        "type": "object",
        "properties": {
            "provider": {
                "type": "string", "enum": list(PROVIDERS), "default": "elevenlabs",
                "description": "In whose shape, and with whose parameters.",
            },
            "asset_id": {"type": "string", "maxLength": 64, "description": "A file that was brought."},
            "url": {
                "type": "string", "maxLength": guard.LONGEST_URL, "description": "Where the file is: http or https.",
            },
            "source_url": {
                "type": "string", "maxLength": guard.LONGEST_URL, "description": "The same, by its other name.",
            },
        },
        "additionalProperties": True,
        "description": "One source, in this order of priority: asset_id, url, source_url. All else is the provider's.",
    }}}}},
)  # fmt: skip
def speech_to_text(request: HttpRequest) -> Any:
    """The provider's object in `data`: ElevenLabs' in seconds, AssemblyAI's in milliseconds."""
    body = JsonParser().parse_body(request)
    try:
        return {"data": transcribed(caller_of(request), body)}
    except reading.EXPECTED as error:
        raise refused(error) from None


def transcribed(caller: Caller, body: Mapping[str, Any]) -> dict[str, Any]:
    """Raises Refused, RefusedParameter, and whatever else may be wrong with a file."""
    provider = body.get("provider") or "elevenlabs"
    if provider not in PROVIDERS:
        raise Refused(400, f"provider must be one of: {', '.join(PROVIDERS)}")
    where = _source(body)
    values = {name: value for name, value in body.items() if name not in OWN}
    upstream = rest.bound(provider)
    if upstream:
        return _there(upstream, caller, where, values)
    return (_scribed if provider == "elevenlabs" else _transcript)(caller, where, values)


def _source(body: Mapping[str, Any]) -> Where:
    for name in SOURCES:
        given = body.get(name)
        if given in (None, ""):
            continue
        if not isinstance(given, str):
            raise Refused(400, f"{name} is not a text.")
        if name == "asset_id":
            return Where(asset_id=given)
        if given.startswith("gs://"):
            raise Refused(400, f"{name} cannot be a gs:// path here: upload the file, or give an https URL.")
        guard.check(given)
        return Where(url=given)
    raise Refused(400, "One of asset_id, url and source_url is required.")


def _there(upstream: rest.Upstream, caller: Caller, where: Where, values: Mapping[str, Any]) -> dict[str, Any]:
    if upstream.provider == "elevenlabs":
        refuse_webhook(query_of(values).get("webhook", ()))
    if not ledger.can_begin(account_id=caller.account_id, rate=ledger.rate_of(upstream.provider)):
        raise Refused(402, "The balance is too low.")
    with reading.passing.served():
        if where.url:
            result, length = rest.transcribe(upstream, rest.Source(url=where.url), values)
        else:
            with _opened(caller.account_id, where) as sound:
                result, length = rest.transcribe(upstream, rest.Source(sound.path, sound.name), values)
    reading.charge(caller.account_id, upstream.provider, str(uuid.uuid4()), length)
    return result


def _read(job: reading.Job, where: Where) -> Recognised:
    with _opened(job.account_id, where) as sound:
        return job.now(sound)


def _opened(account_id: int, where: Where) -> reading.Sound:
    """The file to be read: the account's own asset, or what is behind the URL."""
    if where.url:
        return reading.fetched_now(account_id, where.url)
    asset = assets.find(account_id=account_id, asset_id=where.asset_id)
    if asset is None or asset.status != Asset.Status.SUCCESS:
        raise Refused(400, UNKNOWN)
    return reading.Sound(assets.path_of(asset), asset.name)


def _scribed(caller: Caller, where: Where, values: Mapping[str, Any]) -> dict[str, Any]:
    asked = scribe.read_request(query_of(values))
    job = reading.Job(caller.account_id, "elevenlabs", str(uuid.uuid4()), asked.order)
    found = _read(job, where)
    result = scribe.result(asked, found, job.session)
    job.charge(found)
    return result


def _transcript(caller: Caller, where: Where, values: Mapping[str, Any]) -> dict[str, Any]:
    asked = transcripts.read_request(query_of(values), values, WEBHOOK)
    check_webhook(values)
    job = reading.Job(caller.account_id, "assemblyai", str(uuid.uuid4()), asked.order)
    found = _read(job, where)
    result = transcripts.completed(asked, found, id=job.session, audio_url=where.url or where.asset_id)
    with transaction.atomic():
        job.charge(found)
        if values.get("webhook_url"):
            outbox.enqueue(
                account_id=caller.account_id,
                task_id=job.session,
                body=json.dumps({"transcript_id": job.session, "status": "completed"}).encode(),
                url=values["webhook_url"],
                header=(
                    values.get("webhook_auth_header_name") or "",
                    values.get("webhook_auth_header_value") or "",
                ),
            )
    return result
