"""`manage.py refold`: make transcripts again from what their providers said, word for word."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcripts.hearing import refold
from transcripts.models import Record
from transcripts.shown import wording


class Command(BaseCommand):
    """Fold records again."""

    help = "Make transcripts again from what was kept of their providers. Corrections stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``RECORD...``: their ids, as in a record's address; all records when left out."""
        parser.add_argument("records", nargs="*", type=uuid.UUID, metavar="RECORD")

    def handle(self, *args: Any, records: list[uuid.UUID], **options: Any) -> None:
        """One line for each record. Raises CommandError for an id that is not here, before anything is done."""
        found = Record.objects.filter(pk__in=records) if records else Record.objects.order_by("started_at")
        missing = set(records) - {record.pk for record in found} if records else set()
        if missing:
            raise CommandError(f"There is no record {', '.join(map(str, sorted(missing)))} here.")
        for record in found:
            self.stdout.write(f"{wording.title_of(record)}: {_told(refold.refold(record_id=record.pk))}")


def _told(changed: int | None) -> str:
    if changed is None:
        return "nothing is kept to fold again"
    return f"{changed} {'line' if changed == 1 else 'lines'} came out otherwise" if changed else "the same"
