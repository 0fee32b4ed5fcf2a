"""`./run setbalance AMOUNT|unlimited [--user U]`: what a person may still spend through the built-in gateway."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.management.people import person_named
from memweb.gateway import keys, ledger
from memweb.gateway.amounts import BadAmount, read_amount


class Command(BaseCommand):
    help = "Set the balance of somebody's gateway account, in US dollars."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("amount", help='dollars, as 12.50, or "unlimited"')
        parser.add_argument("--user", default="", help="whose balance; the owner's when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            balance = read_amount(options["amount"])
        except BadAmount as error:
            raise CommandError(str(error)) from None
        user = person_named(options["user"])
        ledger.set_balance(account_id=keys.account_of(user=user).pk, balance=balance)
        told = "unlimited" if balance is None else f"${balance}"
        self.stdout.write(f"{user.username}: {told}")
