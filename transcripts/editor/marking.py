"""Marks on a record's timeline: set, noted, made a chapter, taken off."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from django.db import transaction

from memweb.speech import transcript as speech
from memweb.speech.dialects.batch import Extra
from memweb.speech.text import clean, line
from transcripts.errors import Refused
from transcripts.hearing import results
from transcripts.models import Mark, Record, Version

MOST = 1000
TOO_MANY = f"A record can have {MOST} marks. Remove one first."
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a record, in the outline."""

    at_ms: int
    title: str
    mark: Mark | None
    """None where a provider made it."""


@transaction.atomic
def add(*, record_id: uuid.UUID, at_ms: int, note: str = "", is_chapter: bool = False) -> Mark:
    """Mark a moment, within the recording where its length is known. The same moment twice is one mark, which may
    become a chapter by it. Raises Refused.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    at_ms = max(at_ms, 0)
    at_ms = min(at_ms, record.duration_ms) if record.duration_ms else at_ms
    if record.marks.count() >= MOST:
        raise Refused(TOO_MANY)
    mark, made = Mark.objects.get_or_create(
        record=record, at_ms=at_ms, defaults={"note": _line(note), "is_chapter": is_chapter}
    )
    if not made and ((is_chapter and not mark.is_chapter) or (note and not mark.note)):
        mark.is_chapter, mark.note = mark.is_chapter or is_chapter, mark.note or _line(note)
        mark.save(update_fields=["is_chapter", "note"])
    return mark


@transaction.atomic
def note(*, mark: Mark, note: str, is_chapter: bool) -> Mark:
    """Write what is at this moment, and whether a chapter begins there."""
    mark.note, mark.is_chapter = _line(note), is_chapter
    mark.save(update_fields=["note", "is_chapter"])
    return mark


@transaction.atomic
def remove(*, mark: Mark) -> None:
    """Take it off. `add` with the same moment and note puts it back."""
    mark.delete()


@transaction.atomic
def bring_in(*, record_id: uuid.UUID, marks: Iterable[speech.Mark]) -> int:
    """Set the marks that a file tells of; what is marked so already is left alone. How many found no room.

    No moment has two marks: of several, each later one stands in the next free millisecond.
    """
    record = Record.objects.select_for_update(of=("self",)).get(pk=record_id)
    known = {_told(mark) for version in record.versions.all() for mark in of_version(record, version)}
    taken = set(record.marks.values_list("at_ms", flat=True))
    fresh = [mark for mark in marks if _told(mark) not in known]
    rows = []
    for mark in fresh[: max(MOST - len(taken), 0)]:
        at_ms = next(at for at in count(mark.at_ms) if at not in taken)
        taken.add(at_ms)
        rows.append(Mark(record=record, at_ms=at_ms, note=_line(mark.text), is_chapter=mark.is_chapter))
    Mark.objects.bulk_create(rows)
    return len(fresh) - len(rows)


def of_version(record: Record, version: Version) -> tuple[speech.Mark, ...]:
    """What is marked in the record, with the chapters that came with this version, in the order of time."""
    own = list(record.marks.all())
    extras = (extra for one in results.of_version(version) for extra in one.said.extras)
    chapters = [speech.Mark(one.at_ms, one.title, is_chapter=True) for one in outline(own, extras)]
    noted = [speech.Mark(one.at_ms, one.note) for one in own if not one.is_chapter]
    return tuple(sorted([*chapters, *noted], key=lambda mark: (mark.at_ms, not mark.is_chapter)))


def _told(mark: speech.Mark) -> tuple[int, str, bool]:
    return mark.at_ms, _line(mark.text), mark.is_chapter


def _line(text: str) -> str:
    return line(clean(text))[:LONGEST]


def outline(marks: Iterable[Mark], extras: Iterable[Extra]) -> list[Chapter]:
    """The chapters made by hand and those of a provider, in the order of time. Pure."""
    own = [Chapter(mark.at_ms, mark.note, mark) for mark in marks if mark.is_chapter]
    told = [Chapter(extra.spans[0][0], extra.text or extra.label, None)
            for extra in extras if extra.kind == "chapter" and extra.spans]  # fmt: skip
    return sorted([*own, *told], key=lambda chapter: (chapter.at_ms, chapter.mark is None))
