"""The gateway's HTTP routes. Its sockets' addresses answer a plain request with 426."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from memweb.gateway.api import api
from memweb.gateway.api.edges import unknown
from memweb.gateway.native import tokens
from memweb.gateway.native.urls import urlpatterns as native
from memweb.gateway.pages import keys, reference, usage, webhook
from memweb.gateway.routing import websocket_paths

urlpatterns: list[URLPattern | URLResolver] = [
    path("serve/api/v2/", api.urls),
    re_path(r"^serve/api/v2(?:/|$)", csrf_exempt(unknown)),
    *native,
    path("settings/webhook/", webhook.webhook, name="webhook"),
    path("settings/webhook/secret/", webhook.webhook_secret, name="webhook-secret"),
    path("settings/webhook/state/", webhook.webhook_state, name="webhook-state"),
    path("settings/webhook/removal/", webhook.webhook_removal, name="webhook-removal"),
    path("settings/webhook/trial/", webhook.webhook_trial, name="webhook-trial"),
    path("settings/webhook/deliveries/", webhook.deliveries, name="deliveries"),
    path("settings/webhook/deliveries/<int:pk>/replay/", webhook.replay, name="delivery-replay"),
    path("settings/keys/", keys.keys, name="keys"),
    path("settings/keys/<int:pk>/revocation/", keys.revocation, name="key-revocation"),
    path("reference/", reference.reference, name="reference"),
    path("reference/<slug:part>/", reference.reference, name="reference-part"),
    path("settings/usage/", usage.usage_page, name="usage"),
    path("settings/usage/csv/", usage.usage_csv, name="usage-csv"),
    path("settings/usage/balance/<int:pk>/", usage.balance, name="balance"),
    *(path(address.lstrip("/"), tokens.upgrade_required) for address in websocket_paths),
]
