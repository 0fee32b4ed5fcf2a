#!/usr/bin/env python
"""Django's door. `./run` calls it inside the virtual environment."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError
    from environs import EnvError

    try:
        execute_from_command_line(sys.argv)
    except (EnvError, ImproperlyConfigured) as error:
        sys.exit(f"memweb cannot start. {error}")
    except DatabaseError:
        from memweb import health

        reason = health.trouble()
        if not reason:
            raise
        sys.exit(f"memweb cannot do this. {reason}")


if __name__ == "__main__":
    main()
