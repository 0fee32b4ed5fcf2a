"""What can be wrong with media.

NotMedia(sentence)   it is no recording, or nothing in it can be heard
├── Died    its decoder was ended in the middle: it took too much, or fell over what is in the file
└── Stuck   reading it did not come to an end; another time it may
"""

from __future__ import annotations

DAMAGED = "The file is damaged"
"""So begins what is said of media of a known kind that is broken inside."""
TOO_HARD = "The file could not be decoded within the time and memory that media gets here."
TOO_LARGE = "The file needs more memory than any media should."


class NotMedia(Exception):
    """It is no sound that can be read. `str()` is a sentence for whoever brought it."""


class Died(NotMedia):
    """The decoder said nothing more: for taking more than media may, or for what is in the file."""


class Stuck(NotMedia):
    """Reading it did not come to an end. Perhaps the next time."""
