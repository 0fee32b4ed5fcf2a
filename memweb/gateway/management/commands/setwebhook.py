"""`./run setwebhook URL [--user U]`: where callbacks go; the signing secret, alone on stdout. `--none` removes it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.management.people import person_named
from memweb.gateway import guard, keys, webhooks


class Command(BaseCommand):
    help = "Set the address callbacks are posted to, and print the secret they are signed with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", nargs="?", default="", help="the receiver's address, https://...")
        parser.add_argument("--user", default="", help="whose callbacks; the owner's when left out")
        parser.add_argument("--none", action="store_true", help="post callbacks nowhere from now on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the secret; nothing with --none. Raises CommandError for an address that may not be posted to."""
        if bool(options["url"]) == options["none"]:
            raise CommandError("Give the address to post to, or --none to post nowhere.")
        account = keys.account_of(user=person_named(options["user"]))
        if options["none"]:
            webhooks.remove(account_id=account.pk)
            return
        try:
            endpoint, _ = webhooks.set_address(account_id=account.pk, url=options["url"])
        except guard.Forbidden as error:
            raise CommandError(str(error)) from error
        self.stdout.write(endpoint.secret)
