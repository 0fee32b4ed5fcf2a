"""`GET /providers`: who answers under each provider's name. Not part of the hosted contract."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from memweb.gateway.api.shapes import FAILURES, Answer, Shape
from memweb.gateway.providers.bindings import answering

router = Router(tags=["providers"])


class Provider(Shape):
    """One name, and who answers live sound under it."""

    provider: str
    """elevenlabs or assemblyai."""
    live: str
    """Who answers live sound under this name: a host, or `this machine`."""


@router.get("/providers", response={200: Answer[list[Provider]], **FAILURES})
def providers(request: HttpRequest) -> dict[str, Any]:
    """Every provider, and whether it is the provider itself or an engine on this machine."""
    return {"data": [{"provider": name, "live": host} for name, host in answering().items()]}
