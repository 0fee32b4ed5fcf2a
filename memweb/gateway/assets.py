"""Files held for accounts: taken in piece by piece, looked at, given out again, deleted, swept.

Bytes are written beside their place under a name of their own, made durable, looked at as media, and only then does a
row name them: what breaks off on the way leaves a stray file, which `sweep` takes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Self

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from memweb.gateway import kept
from memweb.gateway.models import Account, Asset
from memweb.media import decode
from memweb.media.errors import NotMedia
from memweb.media.kinds import is_image
from memweb.speech import text

SIGNED_SECONDS = 93_600
ABANDONED = timedelta(seconds=SIGNED_SECONDS + 3600)
STRAY_S = 24 * 3600.0
"""A file that no row names is left alone for so long: its upload may still be going on."""
_SALT = "memweb.gateway.asset"


class TooLarge(Exception):
    """The file is larger than one may be, or than what the account's quota has left. `str()` is a sentence."""


class Taken(Exception):
    """The asset has its file already, or was deleted meanwhile."""


def path_of(asset: Asset) -> Path:
    """Where the bytes lie."""
    return _folder() / asset.stored[:2] / asset.stored


def find(*, account_id: int, asset_id: str) -> Asset | None:
    """The account's own asset; somebody else's does not exist."""
    if not asset_id.isascii() or not asset_id.isprintable():
        return None  # no database need be asked, and not every one could be
    return Asset.objects.filter(account_id=account_id, asset_id=asset_id).first()


def expect(*, account_id: int, name: str) -> Asset:
    """An asset whose bytes are still to come, by a signed URL."""
    return Asset.objects.create(account_id=account_id, asset_id=_fresh_id(), name=_plain(name))


def signed(asset: Asset) -> str:
    """The token that lets anybody who has it bring this asset's bytes."""
    return signing.dumps(asset.asset_id, salt=_SALT)


def of_token(token: str, asset_id: str) -> Asset | None:
    """The asset a token was signed for; None when it is wrong, late, or the asset is gone."""
    try:
        if signing.loads(token, salt=_SALT, max_age=SIGNED_SECONDS) != asset_id:
            return None
    except signing.BadSignature:
        return None
    return Asset.objects.filter(asset_id=asset_id, account__user__is_active=True).first()


def room(account_id: int, *, coming: bool = True) -> int:
    """How many bytes more this account may bring, and in one file. What it keeps at a provider's own address counts; of
    what is `coming` there, too.
    """
    used = Asset.objects.filter(account_id=account_id).aggregate(used=Sum("size"))["used"] or 0
    left = int(settings.ASSET_QUOTA_GB * 1_000_000_000) - used - kept.size_of(account_id, coming=coming)
    return max(0, min(left, largest()))


def largest() -> int:
    """Bytes a file may have, whoever brings it."""
    return int(settings.MAX_UPLOAD_MB * 1_000_000)


class Incoming:
    """Bytes on their way in. As a context it leaves nothing behind unless `keep` was called."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._digest = hashlib.sha256()
        self.size = 0
        self.stored = secrets.token_hex(16)
        self.path = _folder() / self.stored[:2] / self.stored
        self._kept = False

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb")
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()
        if not self._kept:
            self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Raises TooLarge."""
        self.size += len(piece)
        if self.size > self._most:
            raise TooLarge(
                f"The file is larger than this account may bring now ({self._most / 1_000_000:.0f} MB). "
                "Delete what is no longer needed, or ask the operator."
            )
        self._digest.update(piece)
        self._file.write(piece)

    def look(self) -> int | None:
        """Make the bytes durable and look at them: the length in ms, where they say it. Raises NotMedia."""
        self._file.flush()
        os.fsync(self._file.fileno())
        with self.path.open("rb") as file:
            if is_image(file.read(16)):
                return None
        return decode.probe(self.path).duration_ms

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def keep(self) -> None:
        self._kept = True


def store(*, account_id: int, name: str, incoming: Incoming) -> Asset:
    """A new asset of what came in. Raises NotMedia, and then nothing is kept."""
    duration_ms = incoming.look()
    with transaction.atomic():
        _check_quota(account_id, incoming)
        asset = Asset.objects.create(
            account_id=account_id,
            asset_id=_fresh_id(),
            name=_plain(name),
            stored=incoming.stored,
            size=incoming.size,
            sha256=incoming.sha256,
            duration_ms=duration_ms,
            status=Asset.Status.SUCCESS,
        )
        incoming.keep()
    return asset


def start(*, asset: Asset) -> None:
    """Say that the bytes are coming. Raises Taken."""
    open_to_bytes = Asset.objects.filter(pk=asset.pk).exclude(status=Asset.Status.SUCCESS)
    if not open_to_bytes.update(status=Asset.Status.UPLOADING, reason="", modified_at=timezone.now()):
        raise Taken


def fulfil(*, asset: Asset, incoming: Incoming) -> Asset:
    """Give an expected asset its bytes. Raises NotMedia, after which the asset says why, and Taken."""
    try:
        duration_ms = incoming.look()
    except NotMedia as error:
        _fail(asset, str(error))
        raise
    with transaction.atomic():
        held = Asset.objects.select_for_update().filter(pk=asset.pk).exclude(status=Asset.Status.SUCCESS).first()
        if held is None:
            raise Taken
        _check_quota(held.account_id, incoming)
        held.stored, held.size, held.sha256 = incoming.stored, incoming.size, incoming.sha256
        held.duration_ms, held.status, held.reason = duration_ms, Asset.Status.SUCCESS, ""
        held.save()
        incoming.keep()
    return held


def broke_off(*, asset: Asset, reason: str) -> None:
    """The bytes did not all come, or not such as can be taken."""
    _fail(asset, reason)


def delete(*, asset: Asset) -> None:
    """The row, then the bytes: after a crash between the two, `sweep` takes them."""
    stored = path_of(asset) if asset.stored else None
    asset.delete()
    if stored is not None:
        stored.unlink(missing_ok=True)


def sweep() -> int:
    """Take away expected assets whose URL has run out, and files that no row names. How many there were."""
    late = Asset.objects.exclude(status=Asset.Status.SUCCESS).filter(modified_at__lt=timezone.now() - ABANDONED)
    count = late.delete()[0]
    for folder in _folder().glob("[0-9a-f][0-9a-f]"):
        stray = [path for path in folder.iterdir() if _is_old(path)]
        named = set(Asset.objects.filter(stored__in=[path.name for path in stray]).values_list("stored", flat=True))
        for path in stray:
            if path.name not in named:
                path.unlink(missing_ok=True)
                count += 1
    return count


def _is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - STRAY_S
    return False


def _check_quota(account_id: int, incoming: Incoming) -> None:
    """Once more, with the account's row locked: two uploads at once may each have seen room for themselves."""
    Account.objects.select_for_update().get(pk=account_id)
    if incoming.size > room(account_id):
        raise TooLarge("The account has no room left for this file. Delete what is no longer needed.")


def _fail(asset: Asset, reason: str) -> None:
    Asset.objects.filter(pk=asset.pk).exclude(status=Asset.Status.SUCCESS).update(
        status=Asset.Status.FAILED, reason=reason[:300], modified_at=timezone.now()
    )


def _folder() -> Path:
    return Path(settings.ASSET_DIR)


def _fresh_id() -> str:
    return f"re_{10**17 + secrets.randbelow(9 * 10**17)}"


def _plain(name: str) -> str:
    """A file's name without any folder, or anything that is no text."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return text.line(last)[-255:] or "file"
