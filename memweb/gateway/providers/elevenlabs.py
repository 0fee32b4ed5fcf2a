"""ElevenLabs itself, for live sound: where it is, and how it takes the operator's key."""

from __future__ import annotations

from django.conf import settings

from memweb.gateway.providers.binding import Binding

PATH = "/v1/speech-to-text/realtime"


def binding() -> Binding | None:
    """None where no key is set: the engine on this machine answers then."""
    key = settings.ELEVENLABS_API_KEY
    return Binding("elevenlabs", settings.ELEVENLABS_WS_URL + PATH, "xi-api-key", key) if key else None
