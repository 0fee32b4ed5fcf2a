"""AssemblyAI itself, for live sound: where it is, and how it takes the operator's key."""

from __future__ import annotations

from django.conf import settings

from memweb.gateway.providers.binding import Binding

PATH = "/v3/ws"


def binding() -> Binding | None:
    """None where no key is set: the engine on this machine answers then."""
    key = settings.ASSEMBLYAI_API_KEY
    return Binding("assemblyai", settings.ASSEMBLYAI_WS_URL + PATH, "authorization", key) if key else None
