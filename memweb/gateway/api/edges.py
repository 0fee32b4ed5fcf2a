"""What goes wrong before, around and after an endpoint, said in the contract's wrapping.

Endpoints raise doors.Refused(status, sentence). Everything else that is not an answer of theirs becomes the same
shape here: a body that is no JSON, a value of the wrong kind, an unknown path, a wrong method, a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

from memweb.gateway.assets import TooLarge
from memweb.gateway.doors import Refused
from memweb.media.errors import NotMedia
from memweb.speech import envelope
from memweb.speech.dialects import strict

PREFIX = "/serve/api/v2/"
STREAMS = PREFIX + "audio-stream/"
INVALID = "Invalid request parameters"
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "{method} not supported",
    413: "The body is larger than this endpoint takes.",
    500: "Something unexpected stopped this request.",
}


class JsonParser(Parser):
    """The body of a request, which is a JSON object or nothing at all; a null is a value left out. Raises Refused."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        body = request.body
        if not body:
            return {}
        if request.content_type not in ("", "application/json"):
            raise Refused(415, "The Content-Type must be application/json.")
        try:
            content = strict.read_object(body)
        except strict.Unread as error:
            raise Refused(400, f"{INVALID}: {error}.") from None
        return {name: value for name, value in content.items() if value is not None}


def failure(request: HttpRequest, status: int, message: str, retry_after: int = 0) -> HttpResponse:
    """A refusal in the shape of the group of endpoints that the path belongs to."""
    shape = envelope.stream_failure if request.path.startswith(STREAMS) else envelope.failure
    response = JsonResponse(shape(status, message), status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def unknown(request: HttpRequest) -> HttpResponse:
    """Every path below the prefix that is no endpoint."""
    return failure(request, 404, _SENTENCES[404])


def answer_failures(api: NinjaAPI) -> None:
    """Make the API say every exception in the contract's wrapping."""
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(NotMedia, _sentence(400))
    api.add_exception_handler(TooLarge, _sentence(413))
    for kind, status in ((RequestDataTooBig, 413), (MultiPartParserError, 400), (UnreadablePostError, 400)):
        api.add_exception_handler(kind, _said(status))


def _refused(request: HttpRequest, refused: Any) -> HttpResponse:
    return failure(request, refused.status, refused.message, refused.retry_after)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """Which value is wrong, and how; not the value, which may be secret."""
    first = error.errors[0] if error.errors else {}
    name = ".".join(str(part) for part in first.get("loc", ())[2:])
    if first.get("type") in ("missing", "string_too_short"):
        said = f"{name} cannot be null or empty" if name else f"{INVALID}: the body is missing."
    else:
        said = f"{INVALID}: {name}: {first.get('msg', 'not valid')}" if name else INVALID
    return failure(request, 400, said[:300])


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    """ninja hides what the parser said behind an error of its own."""
    if isinstance(error.__cause__, Refused):
        return _refused(request, error.__cause__)
    return failure(request, error.status_code, str(error))


def _said(status: int) -> Callable[[HttpRequest, Any], HttpResponse]:
    def answer(request: HttpRequest, error: Any) -> HttpResponse:
        return failure(request, status, _SENTENCES.get(status, f"{INVALID}: the body cannot be read."))

    return answer


def _sentence(status: int) -> Callable[[HttpRequest, Any], HttpResponse]:
    def answer(request: HttpRequest, error: Any) -> HttpResponse:
        return failure(request, status, str(error))

    return answer


def in_envelope(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: below the API's prefix an error is never a page."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIX):
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        sentence = _SENTENCES.get(response.status_code, INVALID).format(method=request.method)
        wrapped = failure(request, response.status_code, sentence)
        if response.has_header("Allow"):
            wrapped["Allow"] = response["Allow"]
        return wrapped

    return answer
