"""The routes of the page's socket and of an audience's."""

from __future__ import annotations

from django.urls import URLPattern, path

from memweb.dictation.captions import captions_socket
from memweb.dictation.consumers import dictation_socket

# ASGI applications, as Channels' URLRouter takes them; Django's types know views alone.
websocket_urlpatterns: list[URLPattern] = [
    path("ws/dictation/<uuid:record_id>/", dictation_socket),  # type: ignore[arg-type]
    path("ws/captions/<str:token>/", captions_socket),  # type: ignore[arg-type]
]
