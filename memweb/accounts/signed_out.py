"""What a page's own requests are told once its reader is signed out."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse


def parts_are_refused(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: htmx follows a redirect and would put the whole sign-in page in place of a part. It gets a 401."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # Going back restores a whole page: there the sign-in page is in its place.
        is_part = "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers
        if not is_part or response.status_code != 302:
            return response
        if urlsplit(response.headers["Location"]).path != reverse("sign-in"):
            return response
        return HttpResponse("You are signed out. Sign in again.", status=401, content_type="text/plain; charset=utf-8")

    return answer
