"""`./run createkey [--user U] [--name N] [--no-streams] [--expires DAYS]`: a new gateway key, alone on stdout."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from memweb.accounts.management.people import person_named
from memweb.gateway import keys

LONGEST_DAYS = 3650


class Command(BaseCommand):
    help = "Print a new gateway key. It is shown this once and kept only as a digest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="", help="whose key; the owner of this machine when left out")
        parser.add_argument("--name", default="created from the shell", help="what the key is for")
        parser.add_argument("--no-streams", action="store_true", help="a key for files only, not for live sound")
        parser.add_argument("--expires", type=_days, metavar="DAYS", help="the key stops working after so many days")

    def handle(self, *args: Any, **options: Any) -> None:
        _, secret = keys.create_key(
            user=person_named(options["user"]),
            name=options["name"][:100],
            streams_allowed=not options["no_streams"],
            expires_in=options["expires"],
        )
        self.stdout.write(secret)


def _days(given: str) -> timedelta:
    if not (given.isascii() and given.isdigit() and 0 < int(given[:9]) <= LONGEST_DAYS):
        raise ArgumentTypeError(f"{given!r} is not a whole number of days from 1 to {LONGEST_DAYS}")
    return timedelta(days=int(given))
