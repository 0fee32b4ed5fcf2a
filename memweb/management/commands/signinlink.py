"""`manage.py signinlink`: a way in, printed alone so that scripts can use it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.urls import reverse

from memweb import doctor
from memweb.accounts import services
from memweb.accounts.management.people import person_named


class Command(BaseCommand):
    """Print one fresh sign-in link."""

    help = "Print a link that signs one person in, once, within 15 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--user NAME``; the owner when it is left out."""
        parser.add_argument("--user", default="", help="whose link (default: the owner's)")

    def handle(self, *args: Any, user: str = "", **options: Any) -> None:
        """Prints the link and nothing else. Raises CommandError when there is no such person."""
        token = services.make_link(user=person_named(user))
        self.stdout.write(doctor.public_address() + reverse("sign-in-link", args=[token]))
