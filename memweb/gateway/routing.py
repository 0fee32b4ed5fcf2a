"""The gateway's sockets by path: plain ASGI applications, opened by key from any origin."""

from __future__ import annotations

from memweb.gateway.doors import ASSEMBLYAI, ELEVENLABS, GATEWAY
from memweb.gateway.socket import App, behind

websocket_paths: dict[str, App] = {
    "/serve/ws/v2/audio-stream": behind(GATEWAY),
    "/v1/speech-to-text/realtime": behind(ELEVENLABS),
    "/v3/ws": behind(ASSEMBLYAI),
}
