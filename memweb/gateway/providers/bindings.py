"""Who answers under each provider's name, by the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from memweb.gateway.providers import assemblyai, elevenlabs
from memweb.gateway.providers.binding import Binding
from memweb.speech.dialects import PROVIDERS

_LIVE = {"elevenlabs": elevenlabs.binding, "assemblyai": assemblyai.binding}


def live_binding(provider: str) -> Binding | None:
    """Where live sound for this provider goes; None where an engine on this machine answers."""
    return _LIVE[provider]()


def answering() -> dict[str, str]:
    """By provider: the host that answers live sound under its name, or "this machine"."""
    bound = {provider: live_binding(provider) for provider in PROVIDERS}
    return {name: (urlsplit(to.url).hostname or "") if to else "this machine" for name, to in bound.items()}
