"""The providers' own addresses for tokens, and what a socket's address answers to a plain request."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from memweb.gateway import tokens
from memweb.gateway.doors import ASSEMBLYAI, ELEVENLABS, GATEWAY, Door, Refused, admit
from memweb.gateway.keys import Caller

SCRIBE_TOKEN_SECONDS = 15 * 60
TOKEN_SECONDS = (1, 600)
SESSION_SECONDS = (60, 10_800)


@csrf_exempt
@never_cache
def single_use_token(request: HttpRequest) -> HttpResponse:
    """POST: {"token"} that opens one realtime session within 15 minutes."""
    if request.method != "POST":
        return _wrong_verb(ELEVENLABS, "POST")
    try:
        caller = _caller(ELEVENLABS, request)
    except Refused as refused:
        return _refusal(ELEVENLABS, refused)
    return JsonResponse({"token": tokens.mint(caller=caller, door="elevenlabs", seconds=SCRIBE_TOKEN_SECONDS)})


@csrf_exempt
@never_cache
def temporary_token(request: HttpRequest) -> HttpResponse:
    """GET: {"token", "expires_in_seconds"} that opens one session within the asked time."""
    if request.method != "GET":
        return _wrong_verb(ASSEMBLYAI, "GET")
    try:
        caller = _caller(ASSEMBLYAI, request)
        seconds = _number(request, "expires_in_seconds", TOKEN_SECONDS)
        if seconds is None:
            raise Refused(400, "expires_in_seconds is required: a whole number from 1 to 600.")
        longest = _number(request, "max_session_duration_seconds", SESSION_SECONDS)
    except Refused as refused:
        return _refusal(ASSEMBLYAI, refused)
    token = tokens.mint(caller=caller, door="assemblyai", seconds=seconds, session_seconds=longest)
    return JsonResponse({"token": token, "expires_in_seconds": seconds})


@csrf_exempt
@never_cache
def upgrade_required(request: HttpRequest) -> HttpResponse:
    """What a socket's address answers to a plain request."""
    response = JsonResponse(GATEWAY.body(426, "This address takes WebSocket connections only."), status=426)
    response["Upgrade"] = "websocket"
    response["Connection"] = "Upgrade"
    return response


def _wrong_verb(door: Door, method: str) -> HttpResponse:
    response = _refusal(door, Refused(405, f"This address takes {method} only."))
    response["Allow"] = method
    return response


def _caller(door: Door, request: HttpRequest) -> Caller:
    """Who asks, by key: a token cannot mint another."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return async_to_sync(admit)(door, {}, headers, request.META.get("REMOTE_ADDR") or "unknown", by_key_only=True)


def _number(request: HttpRequest, name: str, bounds: tuple[int, int]) -> int | None:
    given = request.GET.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and bounds[0] <= int(given) <= bounds[1]):
        raise Refused(400, f"{name} must be a whole number from {bounds[0]} to {bounds[1]}.")
    return int(given)


def _refusal(door: Door, refused: Refused) -> HttpResponse:
    response = JsonResponse(door.body(refused.status, refused.message), status=refused.status)
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    return response
