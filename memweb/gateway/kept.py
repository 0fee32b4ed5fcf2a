"""Files sent to a provider's own upload address: kept for a day under a name that cannot be guessed."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import transaction

from memweb.gateway.doors import Refused
from memweb.gateway.guard import TooMuch
from memweb.gateway.models import Account

KEPT_S = 24 * 3600
MOST_FILES = 200
"""Of one account at once."""
PIECE = 1 << 20
_ID = re.compile(r"[0-9a-f]{32}")
_ADDRESS = re.compile(r"https?://[\w.:\[\]-]{1,260}/v2/upload/([0-9a-f]{32})", re.ASCII)


def keep(account_id: int, read: Callable[[int], bytes], room: Callable[..., int]) -> str:
    """Write everything `read` gives to disk, piece by piece, as far as there is `room` (see `assets`); the name it is
    kept by.

    Raises TooMuch, Refused.
    """
    most = room(account_id)
    folder = _folder(account_id)
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.iterdir()) >= MOST_FILES:
        raise Refused(429, f"{MOST_FILES} uploads of this account are kept already. Try again in an hour.", 3600)
    id = secrets.token_hex(16)
    draft = folder / f"{id}.part"
    try:
        with draft.open("wb") as file:
            for piece in _limited(read, most):
                file.write(piece)
            size = file.tell()
        if not size:
            raise Refused(400, "The body is empty: send the file itself.")
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=account_id)  # two at once may each have seen room for themselves
            if size > (most := room(account_id, coming=False)):
                raise _too_much(most)
            os.replace(draft, folder / id)
    finally:
        draft.unlink(missing_ok=True)
    return id


def _limited(read: Callable[[int], bytes], most: int) -> Iterator[bytes]:
    size = 0
    while piece := read(PIECE):
        size += len(piece)
        if size > most:
            raise _too_much(most)
        yield piece


def _too_much(most: int) -> TooMuch:
    return TooMuch(f"The file is larger than this account may bring now ({most / 1_000_000:.0f} MB).")


def named_in(url: str) -> str:
    """The name in an address that the upload answered; empty for any other."""
    found = _ADDRESS.fullmatch(url)
    return found[1] if found else ""


def find(account_id: int, id: str) -> Path:
    """Raises Refused(400) for what is not there, or another's."""
    path = _folder(account_id) / id
    if not _ID.fullmatch(id) or not path.is_file():
        raise Refused(400, "There is no such upload, or it is older than a day. Upload the file again.")
    return path


def size_of(account_id: int, *, coming: bool = True) -> int:
    """Bytes kept for this account; of what is `coming`, too."""
    size = 0
    for path in _folder(account_id).glob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size if coming or path.suffix != ".part" else 0
    return size


def sweep() -> None:
    """Let go of what is older than a day."""
    old = time.time() - KEPT_S
    for path in (Path(settings.DATA_DIR) / "kept").glob("*/*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < old:
                path.unlink()


def _folder(account_id: int) -> Path:
    return Path(settings.DATA_DIR) / "kept" / str(account_id)
