"""A whole account in one file, and out of it again: see docs/archive.md for the format.

    for piece in archive.pack(owner=user): ...            the bytes of the file, in flat memory
    brought = archive.bring_in(path, owner=user)          nothing is overwritten; the same again changes nothing

`kinds` says what of each row is carried, and why the rest is not.
"""

from __future__ import annotations

from transcripts.archive.bringing import Brought, bring_in
from transcripts.archive.packing import pack

__all__ = ["Brought", "bring_in", "is_archive", "pack"]


def is_archive(name: str) -> bool:
    """Whether a file's name says that it is an archive and no recording."""
    return name.lower().endswith(".zip")
