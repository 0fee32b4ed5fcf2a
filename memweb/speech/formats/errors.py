"""What can go wrong with a format.

FormatError
  Unreadable        a file is not what it claims to be; says in a sentence what is wrong with it
"""

from __future__ import annotations


class FormatError(Exception):
    """A transcript could not be turned into a file, or a file into a transcript."""


class Unreadable(FormatError):
    """The file cannot be read. The message is for the person who brought it."""
