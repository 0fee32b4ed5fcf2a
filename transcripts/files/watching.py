"""A folder that is watched: what is put into it is transcribed, and left where it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import BinaryIO

from django.conf import settings

from memweb.accounts.services import ensure_owner
from transcripts import uploads
from transcripts.errors import UploadError
from transcripts.files import asked
from transcripts.models import Upload

logger = logging.getLogger(__name__)

EVERY_S = 5.0
STILL_S = 5.0
"""A file that was changed within so long may still be being written."""


def look() -> int:
    """Take what is new in the folder, for the owner of this machine; how many files. Nothing where none is watched."""
    folder = settings.WATCH_DIR
    if not folder:
        return 0
    taken = 0
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and not _is_hidden(path, Path(folder)) and time() - path.stat().st_mtime > STILL_S:
            taken += _take(path)
    return taken


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "~")) for part in path.relative_to(folder).parts)


def _take(path: Path) -> int:
    """1 where the file was new. The same file, unchanged, is taken once, also when what came of it was removed."""
    found = path.stat()
    fingerprint = f"{uploads.WATCHED}{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    owner = ensure_owner()
    upload = Upload.objects.filter(owner=owner, fingerprint=fingerprint).first()
    if found.st_size == 0 or (upload is not None and upload.status != Upload.Status.RECEIVING):
        return 0
    try:
        upload = upload or uploads.begin(
            owner_id=owner.pk, name=path.name, size=found.st_size, fingerprint=fingerprint,
            options=asked.options_of(owner).kept(),
        )  # fmt: skip
        with path.open("rb") as file:
            file.seek(upload.offset)  # where it was interrupted
            uploads.append(upload_id=upload.pk, offset=upload.offset, pieces=_pieces(file))
    except (UploadError, OSError, Upload.DoesNotExist) as error:
        logger.warning("A file of the watched folder could not be taken: %s", type(error).__name__)
        return 0
    uploads.take(upload_id=upload.pk)
    return 1


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(uploads.PIECE):
        yield piece
