"""`python -m memweb.server`: serve memweb on settings.HOST and settings.PORT."""

from __future__ import annotations

import os
import sys

from memweb.server.life import serve


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from environs import EnvError

    try:
        from memweb import asgi, bodies
    except (EnvError, ImproperlyConfigured) as error:
        sys.exit(f"memweb cannot start. {error}")
    return serve(settings.HOST, settings.PORT, application=asgi.application, longest_body=bodies.longest, ask=asgi.ask)


if __name__ == "__main__":
    sys.exit(main())
