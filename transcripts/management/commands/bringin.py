"""`./run bringin FILE`: what is in an archive, into a library."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.management.people import person_named
from transcripts import archive
from transcripts.errors import NoRoom, Refused
from transcripts.management.progress import Progress


class Command(BaseCommand):
    """Unpack an archive into an account."""

    help = "Bring an archive into one person's library. Nothing is overwritten; the same again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--user NAME``: the owner when it is left out."""
        parser.add_argument("file", metavar="FILE", type=Path, help="an archive that memweb made")
        parser.add_argument("--user", default="", help="whose library (default: the owner's)")

    def handle(self, *args: Any, file: Path, user: str = "", **options: Any) -> None:
        """Says what came of it. Raises CommandError, also where some of it did not come in."""
        owner, progress = person_named(user), Progress(file.name)
        try:
            brought = archive.bring_in(file, owner=owner, progress=progress)
        except (Refused, NoRoom) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror or error}.") from error
        finally:
            progress.end()
        self.stdout.write(brought.counted)
        if brought.trouble:
            raise CommandError("\n".join(brought.trouble))
