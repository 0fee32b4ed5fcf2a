"""AssemblyAI's own addresses for files, so that its clients work by base URL alone.

Where the real provider is bound, requests go on to it byte for byte; what is kept here is whose each transcript is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from memweb.gateway import assets, guard, kept, ledger, transcribing
from memweb.gateway.deeds import assemblyai_request
from memweb.gateway.doors import ASSEMBLYAI, Refused
from memweb.gateway.keys import Caller
from memweb.gateway.models import Transcription
from memweb.gateway.native.door import behind
from memweb.gateway.providers import rest
from memweb.speech.dialects import strict, wire
from memweb.speech.dialects.assemblyai import parts, transcripts

PROVIDER = "assemblyai"
LONGEST_BODY = 256 * 1024
MOST_LISTED = 200
MOST_WORDS = 100
_CLEARED = "Deleted by user."


def _upload(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    upstream = rest.bound(PROVIDER)
    if upstream:
        ledger_allows(caller)
        pieces = iter(lambda: request.read(rest.PIECE), b"")
        return _answered(
            rest.passed(upstream, "POST", "/v2/upload", body=pieces, content_type="application/octet-stream")
        )
    id = kept.keep(caller.account_id, request.read, assets.room)
    return JsonResponse({"upload_url": request.build_absolute_uri(f"/v2/upload/{id}")})


def _create(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    asked = _object(request)
    url = asked.get("audio_url")
    if not isinstance(url, str) or not url:
        raise Refused(400, "audio_url is required: a URL, or what /v2/upload answered.")
    ledger_allows(caller)
    upstream = rest.bound(PROVIDER)
    if upstream:
        return _created_there(upstream, request, caller, url)
    made = assemblyai_request(asked)
    check_webhook(asked)
    upload = kept.named_in(url)
    if upload:
        kept.find(caller.account_id, upload)
    else:
        guard.check(url)
    begun = transcribing.begin(
        account_id=caller.account_id, provider=PROVIDER, audio_url=url, asked=asked, upload=upload
    )
    return JsonResponse(transcripts.waiting(made, id=begun.transcription_id, status="queued", audio_url=url))


def _created_there(upstream: rest.Upstream, request: HttpRequest, caller: Caller, url: str) -> HttpResponse:
    answer = rest.passed(
        upstream, "POST", "/v2/transcript", body=request.body, content_type=request.headers.get("content-type", "")
    )
    made = wire.read_object(answer.body)
    if answer.status == 200 and made and isinstance(made.get("id"), str):
        transcribing.begin(
            account_id=caller.account_id, provider=PROVIDER, audio_url=url[:2000], asked={}, remote_id=made["id"][:64]
        )
    return _answered(answer)


def ledger_allows(caller: Caller) -> None:
    """Raises Refused(402) where the balance holds not even the least."""
    if not ledger.can_begin(account_id=caller.account_id, rate=ledger.rate_of(PROVIDER)):
        raise Refused(402, "The balance is too low.")


def check_webhook(asked: Mapping[str, Any]) -> None:
    url, name = asked.get("webhook_url"), asked.get("webhook_auth_header_name")
    if url is None and name is None:
        return
    if not isinstance(url, str):
        raise Refused(400, "webhook_url is not a URL.")
    guard.check(url)
    value = asked.get("webhook_auth_header_value")
    if name is None and value is None:
        return
    if not _is_header(name, value):
        raise Refused(400, "webhook_auth_header_name and webhook_auth_header_value do not make a header.")


def _is_header(name: object, value: object) -> bool:
    if not (isinstance(name, str) and isinstance(value, str) and len(name) <= 100 and len(value) <= 1000):
        return False
    token = name.replace("-", "").replace("_", "")
    return token.isascii() and token.isalnum() and value.isascii() and value.isprintable()


def _shown(found: Transcription) -> dict[str, Any]:
    """The transcript as it stands."""
    if not found.audio_url:
        return {"id": found.transcription_id, "status": found.state, "audio_url": _CLEARED, "text": _CLEARED}
    if found.result is not None:
        return dict(found.result)
    made = assemblyai_request(found.asked)
    return transcripts.waiting(
        made,
        id=found.transcription_id,
        status=found.state,
        audio_url=found.audio_url,
        more={"error": found.error} if found.error else None,
    )


def _find(caller: Caller, id: str) -> Transcription:
    known = transcribing.of(caller.account_id, PROVIDER).filter(transcription_id=id)
    found = known.first() if strict.is_storable(id) else None
    if found is None:
        raise Refused(404, "Transcript lookup error, transcript id not found")
    return found


def _get(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    found = _find(caller, captured["id"])
    return _from_there(found, request, "") if found.remote else JsonResponse(_shown(found))


def _delete(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    found = _find(caller, captured["id"])
    if found.remote:
        return _from_there(found, request, "")
    if found.state not in (Transcription.State.COMPLETED, Transcription.State.ERROR):
        raise Refused(400, "A transcript can be deleted once it is completed, or has failed.")
    transcribing.forget(transcription=found)
    found.audio_url = ""
    return JsonResponse(_shown(found))


def _from_there(found: Transcription, request: HttpRequest, part: str) -> HttpResponse:
    upstream = rest.bound(PROVIDER)
    if upstream is None:
        raise Refused(502, "The provider that has this transcript is not configured any more.")
    path = f"/v2/transcript/{found.transcription_id}{part}"
    return _answered(rest.passed(upstream, request.method or "GET", path, query=request.META.get("QUERY_STRING", "")))


def _answered(answer: rest.Passed) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    return response


def _part(name: str, made: Callable[[HttpRequest, Mapping[str, Any]], HttpResponse]) -> Any:
    """The view of something cut from a completed transcript."""

    def get(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
        found = _find(caller, captured["id"])
        if found.remote:
            return _from_there(found, request, f"/{name}")
        if found.result is None:
            raise Refused(400, f"This transcript has a status of '{found.state}'. Transcripts must be completed first.")
        return made(request, found.result)

    return behind(ASSEMBLYAI, get=get)


def _captions(extension: str, media_type: str) -> Callable[[HttpRequest, Mapping[str, Any]], HttpResponse]:
    def made(request: HttpRequest, transcript: Mapping[str, Any]) -> HttpResponse:
        columns = _number(request, "chars_per_caption", 10, 1000)
        return HttpResponse(parts.captions(transcript, extension, columns), content_type=media_type)

    return made


def _words(request: HttpRequest, transcript: Mapping[str, Any]) -> HttpResponse:
    wanted = [word for word in request.GET.get("words", "").split(",") if word.strip()]
    if not wanted or len(wanted) > MOST_WORDS:
        raise Refused(400, f"words is required: up to {MOST_WORDS}, with commas between.")
    return JsonResponse(parts.search(transcript, wanted))


def _redacted(request: HttpRequest, transcript: Mapping[str, Any]) -> HttpResponse:
    raise Refused(400, "Nothing is redacted on this machine: redact_pii_audio is not available here.")


def _list(request: HttpRequest, caller: Caller, **captured: str) -> HttpResponse:
    limit = _number(request, "limit", 1, MOST_LISTED) or 10
    rows = list(_filtered(request, caller)[: limit + 1])
    newer_first = rows[:limit]
    if request.GET.get("after_id"):
        newer_first.reverse()
    return JsonResponse(
        {
            "page_details": _page(request, limit, newer_first, len(rows) > limit),
            "transcripts": [_row(request, row) for row in newer_first],
        }
    )


def _filtered(request: HttpRequest, caller: Caller) -> QuerySet[Transcription]:
    rows = transcribing.of(caller.account_id, PROVIDER)
    status = request.GET.get("status")
    if status:
        if status not in Transcription.State.values:
            raise Refused(400, f"status must be one of: {', '.join(Transcription.State.values)}.")
        rows = rows.filter(state=status)
    if request.GET.get("created_on"):
        rows = rows.filter(created_at__range=_day(request.GET["created_on"]))
    if request.GET.get("before_id"):
        rows = rows.filter(pk__lt=_find(caller, request.GET["before_id"]).pk)
    if request.GET.get("after_id"):
        rows = rows.filter(pk__gt=_find(caller, request.GET["after_id"]).pk).order_by("pk")
    return rows


def _day(given: str) -> tuple[datetime, datetime]:
    """A day as `created` tells it, in UTC. Raises Refused."""
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise Refused(400, "created_on must be a date such as 2026-01-31.") from None
    return datetime.combine(day, time.min, UTC), datetime.combine(day, time.max, UTC)


def _page(request: HttpRequest, limit: int, rows: list[Transcription], more: bool) -> dict[str, Any]:
    """`prev_url` leads to older ones, `next_url` to newer ones."""
    after = bool(request.GET.get("after_id"))
    older, newer = after or more, more if after else bool(request.GET.get("before_id"))

    def url(name: str, row: Transcription) -> str:
        return request.build_absolute_uri(f"/v2/transcript?limit={limit}&{name}={row.transcription_id}")

    return {
        "limit": limit,
        "result_count": len(rows),
        "current_url": request.build_absolute_uri(),
        "prev_url": url("before_id", rows[-1]) if rows and older else None,
        "next_url": url("after_id", rows[0]) if rows and newer else None,
    }


def _row(request: HttpRequest, row: Transcription) -> dict[str, Any]:
    return {
        "id": row.transcription_id,
        "resource_url": request.build_absolute_uri(f"/v2/transcript/{row.transcription_id}"),
        "status": row.state,
        "created": row.created_at.isoformat(),
        "completed": row.ended_at.isoformat() if row.ended_at else None,
        "audio_url": row.audio_url or _CLEARED,
        "error": row.error or None,
    }


def _number(request: HttpRequest, name: str, least: int, most: int) -> int | None:
    given = request.GET.get(name)
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and least <= int(given) <= most):
        raise Refused(400, f"{name} must be a whole number from {least} to {most}.")
    return int(given)


def _object(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refused(415, "The Content-Type must be application/json.")
    if len(request.body) > LONGEST_BODY:
        raise Refused(413, "The body is larger than this address takes.")
    try:
        return strict.read_object(request.body)
    except strict.Unread as error:
        raise Refused(400, f"{error.name or 'The body'} {error.what}.") from None


upload = behind(ASSEMBLYAI, post=_upload)
collection = behind(ASSEMBLYAI, get=_list, post=_create)
transcript = behind(ASSEMBLYAI, get=_get, delete=_delete)
sentences = _part("sentences", lambda request, made: JsonResponse(parts.sentences(made)))
paragraphs = _part("paragraphs", lambda request, made: JsonResponse(parts.paragraphs(made)))
srt = _part("srt", _captions("srt", "text/plain; charset=utf-8"))
vtt = _part("vtt", _captions("vtt", "text/vtt; charset=utf-8"))
word_search = _part("word-search", _words)
redacted_audio = _part("redacted-audio", _redacted)
