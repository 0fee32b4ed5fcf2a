"""`manage.py hookurl`: where a gateway should post its callbacks, printed alone so that scripts can use it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from memweb.accounts.management.people import person_named
from transcripts.callbacks import hooks


class Command(BaseCommand):
    """Print one person's callback address."""

    help = "Print the address for a gateway's callbacks (webhook). Whoever knows it can post to this library."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--user NAME``: the owner when it is left out. ``--new``: replace the address first."""
        parser.add_argument("--user", default="", help="whose address (default: the owner's)")
        parser.add_argument("--new", action="store_true", help="make a new address; the former stops working")

    def handle(self, *args: Any, user: str = "", new: bool = False, **options: Any) -> None:
        """Prints the address and nothing else. Raises CommandError when there is no such person."""
        person = person_named(user)
        if new:
            hooks.replace(user=person)
        self.stdout.write(hooks.address_of(person))
