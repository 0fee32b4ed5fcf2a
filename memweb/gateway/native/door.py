"""What every door for files shares: the key, the verb, and each way to say no in the provider's own shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from memweb.engines.errors import EngineError, EngineMissing, HintsRefused, UnreadableAudio
from memweb.gateway import keys, limits, tokens
from memweb.gateway.doors import Door, Refused
from memweb.gateway.guard import Forbidden, TooMuch
from memweb.gateway.guesses import guesses
from memweb.gateway.keys import Caller
from memweb.media.errors import NotMedia
from memweb.speech.dialects import RefusedParameter, strict
from memweb.speech.dialects.openai.transcriptions import UnknownModel


class Verb(Protocol):
    def __call__(self, request: HttpRequest, caller: Caller, **captured: str) -> HttpResponseBase: ...


View = Callable[..., HttpResponseBase]


def behind(door: Door, **verbs: Verb) -> View:
    """A view of one address: `get=`, `post=` ... are what it does, for callers with a key."""

    @csrf_exempt
    @never_cache
    def view(request: HttpRequest, **captured: str) -> HttpResponseBase:
        try:
            verb = verbs.get((request.method or "").lower().replace("head", "get"))
            if verb is None:
                return _wrong_verb(door, verbs)
            return verb(request, caller_of(door, request), **captured)
        except _EXPECTED as error:
            return refusal(door, refused(error), getattr(error, "name", None))

    return view


def caller_of(door: Door, request: HttpRequest) -> Caller:
    """Who asks. Raises Refused with 401, or 429 after too many wrong keys or too many requests."""
    token = request.GET.get(door.token_parameter or "", "")
    secret = door.secret({}, {name.lower(): value for name, value in request.headers.items()})
    if not token and not secret:
        raise Refused(401, "Unauthorized")
    caller = tokens.redeem(token, f"{door.name}-files") if token else keys.find(secret)
    if caller is None:
        wait = guesses.missed(request.META.get("REMOTE_ADDR") or "unknown")
        if wait:
            raise Refused(429, f"Too many wrong keys from this address. Try again in {wait} s.", wait)
        raise Refused(401, "Unauthorized")
    if not token:  # whoever has a token was counted when it was made, and could not use it a second time
        limits.admit(caller.account_id)
    return caller


_EXPECTED = (
    Refused, RefusedParameter, NotMedia, Forbidden, TooMuch, EngineError,
    RequestDataTooBig, SuspiciousOperation, UnreadablePostError, MultiPartParserError,
)  # fmt: skip


def refused(error: Exception) -> Refused:
    """The status and sentence for everything that may go wrong with a file."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnknownModel):
        return Refused(404, error.message)
    if isinstance(error, (TooMuch, RequestDataTooBig)):
        return Refused(413, str(error) or "The body is larger than this address takes.")
    if isinstance(error, EngineMissing):
        return Refused(503, str(error))
    if isinstance(error, EngineError) and not isinstance(error, (HintsRefused, UnreadableAudio)):
        return Refused(500, str(error))
    if isinstance(error, (SuspiciousOperation, UnreadablePostError, MultiPartParserError)):
        return Refused(400, "The body cannot be read.")
    return Refused(400, str(error))


def refusal(door: Door, refused: Refused, parameter: str | None = None) -> HttpResponse:
    body = door.body(refused.status, refused.message)
    if parameter and isinstance(body.get("error"), dict):
        body["error"]["param"] = parameter
    response = JsonResponse(body, status=refused.status)
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    return response


def _wrong_verb(door: Door, verbs: Mapping[str, Any]) -> HttpResponse:
    allowed = ", ".join(name.upper() for name in verbs)
    response = refusal(door, Refused(405, f"This address takes {allowed} only."))
    response["Allow"] = allowed
    return response


def form_of(request: HttpRequest) -> dict[str, list[str]]:
    """The fields of a multipart form, without its files. Raises Refused."""
    if request.content_type != "multipart/form-data":
        raise Refused(415, "The Content-Type must be multipart/form-data.")
    form = {name: [str(value) for value in request.POST.getlist(name)] for name in request.POST}
    if not all(strict.is_storable(text) for name, values in form.items() for text in (name, *values)):
        raise Refused(400, "The form has a character that no text may have.")
    return form
