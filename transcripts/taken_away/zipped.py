"""A zip made while it is sent: in memory is the piece being written, and no more of it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Any, cast

from django.utils import timezone

_LEAST = 64 * 1024


class Zip:
    """Files added one after the other: each deed yields the bytes it makes. It never goes back: sizes follow."""

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._outlet), "w", zipfile.ZIP_DEFLATED)  # which only writes to it

    def add(self, name: str, when: datetime, pieces: Iterable[bytes], *, packed: bool = True) -> Iterator[bytes]:
        """One file, for its owner alone to read; `packed`: made smaller, which what is small already cannot be."""
        local = timezone.localtime(when)
        info = zipfile.ZipInfo(name, (max(local.year, 1980), *local.timetuple()[1:6]))
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as entry:
            for piece in pieces:
                entry.write(piece)
                if len(self._outlet) >= _LEAST:
                    yield self._outlet.taken()

    def end(self) -> bytes:
        """The last of it: nothing can be added any more."""
        self._zip.close()
        return self._outlet.taken()


class _Outlet:
    """Where the zip is written to, and taken from at once."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def __len__(self) -> int:
        return len(self._waiting)
