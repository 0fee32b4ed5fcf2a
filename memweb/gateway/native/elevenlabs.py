"""ElevenLabs' own addresses for files, so that its clients work by base URL alone.

Where the real provider is bound, a request goes on to it byte for byte.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParser

from memweb.gateway import assets, guard, kept, ledger, outbox, reading, tokens, transcribing
from memweb.gateway.deeds import ELEVENLABS_OWN
from memweb.gateway.doors import ELEVENLABS, Refused
from memweb.gateway.keys import Caller
from memweb.gateway.models import Transcription
from memweb.gateway.native.door import behind, form_of
from memweb.gateway.providers import rest
from memweb.speech.dialects import RefusedParameter, strict, wire
from memweb.speech.dialects.elevenlabs import scribe
from memweb.speech.dialects.parameters import Parameters

PROVIDER = "elevenlabs"
TOKEN_SECONDS = 15 * 60
URLS = ("source_url", "cloud_storage_url")
LONGEST_METADATA = 16 * 1024


def _convert(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    upstream = rest.bound(PROVIDER)
    if upstream:
        return _converted_there(upstream, request, caller)
    form = form_of(request)
    if "enable_logging" in request.GET:
        form["enable_logging"] = request.GET.getlist("enable_logging")
    asked = scribe.read_request(form, ELEVENLABS_OWN)
    webhook = Parameters(form).flag("webhook")
    metadata = _metadata(form)
    if metadata and not webhook:
        raise RefusedParameter("webhook_metadata", "webhook_metadata needs webhook.")
    url = _url(form, request)
    if webhook:
        return _later(request, caller, form, url, metadata)
    job = reading.Job(caller.account_id, PROVIDER, str(uuid.uuid4()), asked.order)
    with reading.fetched_now(caller.account_id, url) if url else reading.uploaded(request, "file") as sound:
        found = job.now(sound)
    result = scribe.result(asked, found, job.session)
    job.charge(found)
    return JsonResponse(result)


def _url(form: dict[str, list[str]], request: HttpRequest) -> str:
    """The URL to read from, where no file was sent. Raises RefusedParameter, Forbidden."""
    given = [(name, value) for name in URLS for value in form.get(name, []) if value]
    if len(given) + len(request.FILES) != 1:
        raise RefusedParameter("file", "Send either a file, or source_url, or cloud_storage_url.")
    if not given:
        return ""
    name, url = given[0]
    if url.startswith("gs://"):
        raise RefusedParameter(name, f"{name} cannot be a gs:// path here: give an https URL.")
    guard.check(url)
    return url


def _metadata(form: dict[str, list[str]]) -> dict[str, Any] | None:
    """What goes back with the webhook's message; None where it is not given. Raises RefusedParameter."""
    name = "webhook_metadata"
    given = next((value for value in form.get(name, []) if value not in ("", "null")), "")
    if not given:
        return None
    if len(given.encode()) > LONGEST_METADATA:
        raise RefusedParameter(name, f"{name} may have {LONGEST_METADATA} bytes.")
    found = Parameters({name: [given]}).objects(name)
    if len(found) != 1:
        raise RefusedParameter(name, f"{name} is not one JSON object.")
    [read] = found
    if any(isinstance(inner, (dict, list)) for value in read.values() for inner in _inside(value)):
        raise RefusedParameter(name, f"{name} may be two levels deep.")
    return read


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _later(
    request: HttpRequest, caller: Caller, form: dict[str, list[str]], url: str, metadata: dict[str, Any] | None
) -> HttpResponse:
    if not outbox.has_webhook(caller.account_id):
        raise RefusedParameter("webhook", "webhook needs a webhook of the account: set one in Settings.")
    if not ledger.can_begin(account_id=caller.account_id, rate=ledger.rate_of(PROVIDER)):
        raise Refused(402, "The balance is too low.")
    upload = ""
    if not url:
        with reading.uploaded(request, "file") as sound, sound.path.open("rb") as file:
            upload = kept.keep(caller.account_id, file.read, assets.room)
    asked = {name: values for name, values in form.items() if values not in ([""], ["null"])}
    asked.pop("webhook_metadata", None)  # of several values, only the one that was looked at is kept
    if metadata is not None:
        asked["webhook_metadata"] = [json.dumps(metadata)]
    begun = transcribing.begin(
        account_id=caller.account_id, provider=PROVIDER, audio_url=url, asked=asked, upload=upload
    )
    id = begun.transcription_id
    return JsonResponse({"message": "Request processed successfully", "request_id": id, "transcription_id": id})


def _converted_there(upstream: rest.Upstream, request: HttpRequest, caller: Caller) -> HttpResponse:
    if not ledger.can_begin(account_id=caller.account_id, rate=ledger.rate_of(PROVIDER)):
        raise Refused(402, "The balance is too low.")
    query = request.GET.copy()
    query.pop("token", None)
    content_type = request.headers.get("content-type", "")
    with reading.passing.served(), tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as body:
        shutil.copyfileobj(request, body, rest.PIECE)
        refuse_webhook(_values(body, content_type, "webhook"))
        body.seek(0)
        answer = rest.passed(
            upstream,
            "POST",
            "/v1/speech-to-text",
            query=query.urlencode(),
            content_type=content_type,
            body=iter(lambda: body.read(rest.PIECE), b""),
        )
    made = wire.read_object(answer.body)
    if answer.status == 200 and made:
        length = rest.audio_ms(PROVIDER, made)
        reading.charge(caller.account_id, PROVIDER, str(uuid.uuid4()), length)
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    return response


def refuse_webhook(given: Iterable[str]) -> None:
    """Of the real provider it would be told at the operator's webhook, and its bill would be nobody's.

    Raises RefusedParameter.
    """
    if any(Parameters({"webhook": [value]}).flag("webhook") for value in given):
        raise RefusedParameter(
            "webhook", "webhook is not available here: ElevenLabs answers by itself. Leave it out, and wait."
        )


class _Unread(FileUploadHandler):
    """Of a form whose fields alone are wanted: its files are not kept."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None: ...

    def file_complete(self, file_size: int) -> None: ...


def _values(body: IO[bytes], content_type: str, name: str) -> list[str]:
    """The values of one field of a multipart form, from its bytes. Raises Refused, MultiPartParserError."""
    if not content_type.startswith("multipart/form-data"):
        raise Refused(415, "The Content-Type must be multipart/form-data.")
    about = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": body.tell()}
    body.seek(0)
    fields, _ = MultiPartParser(about, cast(Any, body), [_Unread()]).parse()
    return [str(value) for value in fields.getlist(name)]


def _find(caller: Caller, id: str) -> Transcription:
    known = transcribing.of(caller.account_id, PROVIDER).filter(transcription_id=id).exclude(asked={})
    found = known.first() if strict.is_storable(id) else None
    if found is None:
        raise Refused(404, "There is no such transcript.")
    return found


def _get(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    found = _find(caller, captured["id"])
    if found.error:
        raise Refused(400, found.error)
    if found.result is None:
        raise Refused(404, "The transcript is not ready yet.")
    return JsonResponse(found.result)


def _delete(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    found = _find(caller, captured["id"])
    if found.state not in (Transcription.State.COMPLETED, Transcription.State.ERROR):
        raise Refused(400, "A transcript can be deleted once it is ready.")
    transcribing.forget(transcription=found)
    return JsonResponse({"message": "Delete completed successfully."})


def _token(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    if request.GET.get("token"):
        raise Refused(401, "Unauthorized")  # a token cannot mint another
    return HttpResponse(
        json.dumps({"token": tokens.mint(caller=caller, door="elevenlabs-files", seconds=TOKEN_SECONDS)}),
        content_type="application/json",
    )


convert = behind(ELEVENLABS, post=_convert)
transcript = behind(ELEVENLABS, get=_get, delete=_delete)
batch_token = behind(ELEVENLABS, post=_token)
