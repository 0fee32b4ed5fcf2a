"""The gateway's REST API at /serve/api/v2: one door by key, one wrapping, and a router for each group of endpoints."""

from __future__ import annotations

from django.urls import register_converter
from ninja import NinjaAPI

from memweb.gateway.api import assets, audio_stream, providers, speech_to_text, tasks, transcriptions, webhooks
from memweb.gateway.api.door import KeyAuth
from memweb.gateway.api.edges import JsonParser, answer_failures


class _AssetId:
    """An asset's id in a path of its own, where nothing else says what it is."""

    regex = "re_[0-9]{1,30}"

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


register_converter(_AssetId, "asset")
api = NinjaAPI(
    title="memweb gateway",
    version="2",
    description="The audio API of the hosted gateway, served by memweb.",
    urls_namespace="gateway-api",
    auth=KeyAuth(),
    parser=JsonParser(),
    docs_url=None,
)
answer_failures(api)
api.add_router("", providers.router)
api.add_router("/audio-stream", audio_stream.router)
api.add_router("", webhooks.router)
api.add_router("/transcriptions", transcriptions.router)
api.add_router("/transcriptions", speech_to_text.router)
api.add_router("/tasks", tasks.router)
api.add_router("", assets.router)
