"""`./run createuser NAME`: a further user, and the link that lets them in once, alone on stdout."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from memweb import doctor
from memweb.accounts import services
from memweb.accounts.forms import PersonForm


class Command(BaseCommand):
    """Add somebody and print their sign-in link."""

    help = "Add a user and print a link that signs them in, once, within 15 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The name, by the same rules as on the settings page."""
        parser.add_argument("name", help="how they are called")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Prints the link and nothing else. Raises CommandError for a name that is taken or cannot be used."""
        form = PersonForm({"name": name})
        if not form.is_valid():
            raise CommandError(" ".join(str(error) for error in form.errors["name"]))
        person = services.add_person(name=form.cleaned_data["name"])
        self.stdout.write(doctor.public_address() + reverse("sign-in-link", args=[services.make_link(user=person)]))
