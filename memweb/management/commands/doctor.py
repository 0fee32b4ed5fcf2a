"""`manage.py doctor`: what works on this machine, and how to mend what does not."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from memweb.doctor import findings


class Command(BaseCommand):
    """Look at everything memweb stands on."""

    help = "Say what works here, and how to mend what does not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--json`` for machines."""
        parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 0 when everything works, else 1."""
        found = findings()
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_dict() for finding in found], indent=2))
        else:
            for finding in found:
                self.stdout.write(f"{'ok  ' if finding.works else 'MEND'}  {finding.name}: {finding.seen}")
                if not finding.works and finding.mend:
                    self.stdout.write(f"      {finding.mend}")
        if not all(finding.works for finding in found):
            raise SystemExit(1)
