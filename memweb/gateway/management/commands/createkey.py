"""`./run createkey [--user U] [--name N]`: a new gateway key, alone on stdout."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.models import User
from memweb.accounts.services import ensure_owner
from memweb.gateway import keys


class Command(BaseCommand):
    help = "Print a new gateway key. It is shown this once and kept only as a digest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="whose key; the owner of this machine when left out")
        parser.add_argument("--name", default="created from the shell", help="what the key is for")

    def handle(self, *args: Any, **options: Any) -> None:
        _, secret = keys.create_key(user=_person(options["user"]), name=options["name"][:100])
        self.stdout.write(secret)


def _person(name: str | None) -> User:
    if not name:
        return ensure_owner()
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f'There is no user "{name}".')
    return user
