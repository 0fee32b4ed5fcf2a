"""The page socket's route."""

from __future__ import annotations

from django.urls import URLPattern, path

from memweb.dictation.consumers import dictation_socket

websocket_urlpatterns: list[URLPattern] = [
    path("ws/dictation/<uuid:record_id>/", dictation_socket),  # type: ignore[arg-type]
]
