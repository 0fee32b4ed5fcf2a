"""What can be undone and redone, read from the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One edit: its id, and the one it undoes (of an undoing: redoes)."""

    id: int
    undoes: int | None


@dataclass(slots=True)
class Stacks:
    """Ids of edits, the latest last."""

    done: list[int] = field(default_factory=list)
    """May be undone."""
    undone: list[int] = field(default_factory=list)
    """Undoings that may be redone."""


def stacks(entries: Iterable[Entry]) -> Stacks:
    """One person's edits of one version in order. A new edit ends what could be redone, as in every editor."""
    found = Stacks()
    for entry in entries:
        if found.done and entry.undoes == found.done[-1]:
            found.done.pop()
            found.undone.append(entry.id)
        elif found.undone and entry.undoes == found.undone[-1]:
            found.undone.pop()
            found.done.append(entry.id)
        else:
            found.done.append(entry.id)
            found.undone.clear()
    return found
