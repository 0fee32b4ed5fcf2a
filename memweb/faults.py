"""The pages that are shown when something goes wrong, and the number that finds it in the log."""

from __future__ import annotations

import secrets

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:
    """500, with a number that the log line of the same fault carries."""
    fault = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}"
    request.fault = fault  # type: ignore[attr-defined]  # read by memweb.logs
    # Without the request: the database, which knows the person, may be what is broken.
    return HttpResponse(render_to_string("500.html", {"fault": fault}), status=500)
