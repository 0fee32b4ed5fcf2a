"""HTTP and WebSocket entry point: the only place, with urls, that knows every room."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
