"""What can go wrong in the library.

LibraryError
├── NotYours        the record belongs to somebody else
├── LeaseLost       another worker has the job now
├── SealMismatch    what was read back from the file is not what was recorded
├── StillLive       the record is being spoken now
└── Useless         trying again by itself would come to the same
"""

from __future__ import annotations


class LibraryError(Exception):
    """Something the library refuses to do."""


class NotYours(LibraryError):
    """The record belongs to somebody else, or lies in the bin."""


class LeaseLost(LibraryError):
    """Another worker has this job now; whatever was done here must not be kept."""


class SealMismatch(LibraryError):
    """The file read back is not what was recorded. The spool stays."""


class Useless(LibraryError):
    """Trying again by itself would come to the same: a person has to change something first."""


class StillLive(LibraryError):
    """The record is being spoken now. `str()` is a sentence for a person."""
