"""The journal of a record, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from transcripts.editor import editing
from transcripts.models import Edit
from transcripts.shown import wording

SHOWN = 6
"""Paragraphs of one entry that are shown; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as the page shows it."""

    pk: int
    kind: str
    who: str
    when: str
    made_at: datetime
    lines: list[tuple[str, str]]
    """(before, after) of each text that changed; empty where there was or is nothing."""
    more: int
    can_restore: bool


def entries(edits: Iterable[Edit]) -> list[Entry]:
    return [_entry(edit) for edit in edits]


def _entry(edit: Edit) -> Entry:
    lines = [pair for pair in _lines(edit) if pair[0] != pair[1]]
    kind = str(edit.get_kind_display())
    if edit.version is not None:
        kind = f"{kind}, {edit.version.get_kind_display().lower()}"
    return Entry(
        edit.pk, kind, str(edit.user or "Somebody"), wording.moment(edit.made_at), edit.made_at,
        lines[:SHOWN], max(len(lines) - SHOWN, 0),
        editing.names_something(edit) or (edit.version_id is not None and bool(editing.sides(edit)[1])),
    )  # fmt: skip


def _lines(edit: Edit) -> Iterator[tuple[str, str]]:
    if "title" in edit.before:
        yield edit.before["title"], edit.after.get("title", "")
    for label, name in edit.before.get("speakers", {}).items():
        yield name or label, edit.after["speakers"].get(label, "")
    before, after = editing.sides(edit)
    for key in after:
        yield _said(before.get(key)), _said(after[key])


def _said(fields: editing.Fields | None) -> str:
    if fields is None:
        return ""
    if "text" in fields:
        return str(fields["text"])
    if "speaker" in fields:
        return str(fields["speaker"] or "nobody")
    if fields.get("removed") is not None:
        return "taken out" if fields["removed"] else "in the text"
    return "a paragraph begins" if fields.get("opens") else "it goes on"
