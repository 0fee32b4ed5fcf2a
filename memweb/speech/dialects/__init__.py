"""The languages of the providers. Each has a client half, which speaks it, and a server half, which answers in it.

    client = live_client("assemblyai")                 one per connection
    client.query(options)                              -> the handshake's parameters
    client.read(message)                               -> events

    server = live_server("assemblyai", params, id)     one per connection; refuses parameters in words
    server.begins(now_s)                               -> the first frames
    server.accept(message)                             -> commands: audio, commit, terminate ...
    server.says(event)                                 -> frames

What each parameter does is told in the two `server` modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memweb.speech.dialects.assemblyai.client import AssemblyAIClient
from memweb.speech.dialects.assemblyai.server import AssemblyAIServer
from memweb.speech.dialects.contract import (
    PROVIDERS,
    Audio,
    Bad,
    Command,
    Commit,
    Configure,
    KeepAlive,
    LiveClient,
    LiveOptions,
    LiveServer,
    RefusedParameter,
    ServerSettings,
    Terminate,
)
from memweb.speech.dialects.elevenlabs.client import ElevenLabsClient
from memweb.speech.dialects.elevenlabs.server import ElevenLabsServer
from memweb.speech.dialects.failures import FAILURES, Failure, failed, refused

__all__ = [
    "FAILURES",
    "PROVIDERS",
    "Audio",
    "Bad",
    "Command",
    "Commit",
    "Configure",
    "Failure",
    "KeepAlive",
    "LiveClient",
    "LiveOptions",
    "LiveServer",
    "RefusedParameter",
    "ServerSettings",
    "Terminate",
    "failed",
    "live_client",
    "live_server",
    "refused",
]


def live_client(provider: str) -> LiveClient:
    """A client half for one connection. Raises KeyError for a provider that is not in PROVIDERS."""
    return _CLIENTS[provider]()


def live_server(provider: str, params: Mapping[str, list[str]], session_id: str) -> LiveServer:
    """A server half for one connection, from the parsed query without key and provider.

    Raises RefusedParameter for a value that cannot be honoured, KeyError for a provider not in PROVIDERS.
    """
    return _SERVERS[provider](params, session_id)


_CLIENTS: Mapping[str, Callable[[], LiveClient]] = {
    "elevenlabs": ElevenLabsClient,
    "assemblyai": AssemblyAIClient,
}
_SERVERS: Mapping[str, Callable[[Mapping[str, list[str]], str], LiveServer]] = {
    "elevenlabs": ElevenLabsServer,
    "assemblyai": AssemblyAIServer,
}
