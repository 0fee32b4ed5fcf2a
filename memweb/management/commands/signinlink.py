"""`manage.py signinlink`: a way in, printed alone so that scripts can use it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from memweb import doctor
from memweb.accounts import services
from memweb.accounts.models import User


class Command(BaseCommand):
    """Print one fresh sign-in link."""

    help = "Print a link that signs one person in, once, within 15 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--user NAME``; the owner when it is left out."""
        parser.add_argument("--user", default="", help="whose link (default: the owner's)")

    def handle(self, *args: Any, user: str = "", **options: Any) -> None:
        """Prints the link and nothing else. Raises CommandError when there is no such person."""
        person = User.objects.filter(username=user, is_active=True).first() if user else services.ensure_owner()
        if person is None:
            names = ", ".join(User.objects.filter(is_active=True).values_list("username", flat=True)) or "nobody yet"
            raise CommandError(f"There is no {user!r} here. People: {names}.")
        token = services.make_link(user=person)
        self.stdout.write(doctor.public_address() + reverse("sign-in-link", args=[token]))
