"""`./run archive FILE`: a whole account as one file, to keep or to bring in elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.management.people import person_named
from transcripts import archive
from transcripts.archive.packing import written_to
from transcripts.management.progress import Progress
from transcripts.shown import wording


class Command(BaseCommand):
    """Pack an account."""

    help = "Write everything of one person's library into a file, which `bringin` brings in anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--user NAME``: the owner when it is left out."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the archive, a zip; it must not be there yet")
        parser.add_argument("--user", default="", help="whose library (default: the owner's)")
        parser.add_argument("--without-audio", action="store_true", help="leave the recordings out")

    def handle(self, *args: Any, file: Path, user: str = "", **options: Any) -> None:
        """Says how large it became. Raises CommandError; then there is no file."""
        owner = person_named(user)
        if file.exists():
            raise CommandError(f"{file} is there already. Name another file.")
        progress = Progress(file.name)
        try:
            size = written_to(file, archive.pack(owner=owner, sound=not options["without_audio"], progress=progress))
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror or error}.") from error
        finally:
            progress.end()
        self.stdout.write(f"{file}: {wording.megabytes(size)}")
