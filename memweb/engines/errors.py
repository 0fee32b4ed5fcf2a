"""What can go wrong with an engine, in sentences fit to be shown.

EngineError
├── EngineMissing    the engine or its weights are not installed here, or the disk has no room for them
│   └── WeightsBroken    they are, but their digest is not the published one
├── HintsRefused     the engine that is installed cannot follow what was asked
├── AtCapacity       every live place on this machine is taken
└── EngineFailed     the engine ran and broke
    └── UnreadableAudio  the audio could not be decoded
"""

from __future__ import annotations


class EngineError(Exception):
    """Any trouble with a recogniser on this machine. `str()` is a sentence for a person."""


class EngineMissing(EngineError):
    """The engine, or the model it needs, is not installed, or has no place on the disk."""


class WeightsBroken(EngineMissing):
    """The model's files are there but their SHA-256 is not the published one."""


class HintsRefused(EngineError):
    """Hints were given to an engine that takes none."""


class AtCapacity(EngineError):
    """No live place is left; `used` and `total` say how many there are."""

    def __init__(self, used: int, total: int) -> None:
        self.used = used
        self.total = total
        super().__init__(
            f"This machine can follow {total} live {'session' if total == 1 else 'sessions'} at once and all of them "
            "are taken. Try again when one has ended; a recording keeps running meanwhile."
        )


class EngineFailed(EngineError):
    """The engine broke while it worked."""


class UnreadableAudio(EngineFailed):
    """The audio could not be decoded."""
