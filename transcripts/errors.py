"""What can go wrong in the library.

LibraryError
├── NotYours        the record belongs to somebody else
├── LeaseLost       another worker has the job now
├── SealMismatch    what was read back from the file is not what was recorded
├── StillLive       the record is being spoken now
├── Conflict        what was to be changed is not as it was seen
├── Refused         what was asked for cannot be done, in words
├── Later           trying again by itself may help
├── Useless         trying again by itself would come to the same
└── UploadError     a piece of a file that was not taken; `status` is what tus says for it
    ├── TooLarge        413: more than may be uploaded, or more than was announced
    ├── TooMany         429: one person has begun more than may be unfinished
    ├── NoRoom          507: the disk would be full
    ├── WrongOffset     409: these bytes are not the next ones
    ├── Busy            423: another piece of this file is being written
    └── Damaged         460: not the bytes their digest tells of
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


class Later(LibraryError):
    """What is needed is away for now: trying again by itself may help."""


class Useless(LibraryError):
    """Trying again by itself would come to the same: a person has to change something first."""


class StillLive(LibraryError):
    """The record is being spoken now. `str()` is a sentence for a person."""


class Conflict(LibraryError):
    """What was to be changed is not as it was seen. `str()` is a sentence for a person."""


class Refused(LibraryError):
    """What was asked for cannot be done. `str()` is a sentence for a person."""


class UploadError(LibraryError):
    """A piece of a file was not taken. `str()` is a sentence; nothing of the piece counts."""

    status = 400


class TooLarge(UploadError):
    status = 413


class TooMany(UploadError):
    status = 429


class NoRoom(UploadError):
    status = 507


class WrongOffset(UploadError):
    status = 409


class Busy(UploadError):
    status = 423


class Damaged(UploadError):
    status = 460
