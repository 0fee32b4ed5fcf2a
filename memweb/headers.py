"""What every answer says about itself, beyond what Django's own middleware sets."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

# The microphone is for memweb's own pages; nothing else on the device is asked for.
PERMISSIONS = (
    "microphone=(self), screen-wake-lock=(self), camera=(), geolocation=(), payment=(), usb=(), browsing-topics=()"
)


def page_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the permissions policy, and no copies of private pages in shared or later caches."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
        return response

    return answer
