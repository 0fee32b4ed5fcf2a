"""The gateway's HTTP routes. Its sockets' addresses answer a plain request with 426."""

from __future__ import annotations

from django.urls import URLPattern, path

from memweb.gateway import native, views
from memweb.gateway.routing import websocket_paths

urlpatterns: list[URLPattern] = [
    path("v1/single-use-token/realtime_scribe", native.single_use_token, name="single-use-token"),
    path("v3/token", native.temporary_token, name="temporary-token"),
    path("settings/keys/", views.keys, name="keys"),
    path("settings/keys/<int:pk>/revocation/", views.revocation, name="key-revocation"),
    *(path(address.lstrip("/"), native.upgrade_required) for address in websocket_paths),
]
