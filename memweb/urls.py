"""Every HTTP route of memweb. `/` is the dictation page."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from memweb import health

handler500 = "memweb.faults.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("", include("memweb.accounts.urls")),
    path("", include("memweb.gateway.urls")),
    path("", include("memweb.dictation.urls")),
    path("", include("transcripts.urls")),
]
