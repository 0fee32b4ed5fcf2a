"""Every HTTP route of memweb. `/` is the dictation page."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from memweb import health

handler500 = "memweb.faults.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
]
# `find_spec` only while the rooms are being built.
_rooms = ("memweb.accounts.urls", "memweb.gateway.urls", "memweb.dictation.urls", "transcripts.urls")
urlpatterns += [path("", include(room)) for room in _rooms if find_spec(room)]
