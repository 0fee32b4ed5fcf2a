"""A plain Django view that stores a callback as the receiver does, row for row: the peer of `benchmarks.receiver`.

Same settings, same tables, same durability; no middleware at all. Served by stock Daphne.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

import django
from django.conf import settings

django.setup()
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = []

from django.core.asgi import get_asgi_application
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from transcripts.callbacks.hooks import digest_of
from transcripts.callbacks.inbox import Callback, Hook


@csrf_exempt
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    hook = Hook.objects.filter(digest=digest_of(secret), user__is_active=True).first()
    if hook is None:
        return HttpResponseNotFound()
    with contextlib.suppress(IntegrityError):  # this delivery is here already
        Callback.objects.create(
            owner_id=hook.user_id,
            arrived_at=timezone.now(),
            delivery_id=request.headers.get("webhook-id", ""),
            headers={"content-type": request.headers.get("content-type", "")},
            raw=request.body,
            digest=hashlib.sha256(request.body).hexdigest(),
        )
    return HttpResponse("Stored.")


urlpatterns = [path("hooks/<str:secret>/", receive)]
application = get_asgi_application()
