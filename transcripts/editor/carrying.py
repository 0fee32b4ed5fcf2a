"""Corrections across versions: carried over a new one, compared word by word, taken over by the paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from memweb.speech import carrying, comparing
from memweb.speech import transcript as speech
from memweb.speech.text import line
from transcripts.editor import editing
from transcripts.models import Edit, Segment, Speaker, Version
from transcripts.values import segment_value, word_row, word_value

MOST_UNPLACED = 500

Seen = tuple[Sequence[str], Sequence[int]]
"""Keys of segments, and the revision of each, as a page showed them."""


@transaction.atomic
def carry_over(*, source: Version, target: Version, speakers_follow: bool = False) -> carrying.Carried:
    """Make the corrections of one version in another. What found no place is kept with it, to be shown.

    `speakers_follow`: a pass over the target will tell its speakers, so that only those a person assigned go over.
    """
    current = [segment_value(row) for row in source.segments.shown()]
    reading = [segment_value(row) for row in target.segments.shown()]
    changes = carrying.corrections(original_of(source), current)
    if target.edits.exists():
        changes = carrying.not_made(changes, carrying.corrections(original_of(target), reading))
    carried = carrying.carry(changes, reading)
    after = {new.key: _fields(old, new) for old, new in zip(reading, carried.segments, strict=True) if new != old}
    ours, theirs = _openings_told(source), _openings_told(target)
    found, lost = carrying.openings(
        _read(current), _read(carried.segments), is_newer=lambda key, other: ours.get(key, 0) > theirs.get(other, 0)
    )
    for one in found:
        if not one.at:
            after[one.key] = after.get(one.key, {}) | {"opens": one.opens}
    _change(target, after)
    for one in sorted(found, key=lambda one: one.at, reverse=True):
        if one.at:
            _change(target, editing.cut(target.segments.select_related("speaker").get(key=one.key), one.at))
    reading = [segment_value(row) for row in target.segments.shown()]
    segments = carrying.with_speakers(reading, _assigned(source, current, reading, speakers_follow))
    pairs = zip(reading, segments, strict=True)
    _change(target, {new.key: {"speaker": new.speaker} for old, new in pairs if new.speaker != old.speaker})
    target.unplaced = [
        *([change.start_ms, change.end_ms, " ".join(change.before), change.after] for change in carried.unplaced),
        *([one.start_ms, one.end_ms, "", _told(one)] for one in lost),
    ][:MOST_UNPLACED]
    target.save(update_fields=["unplaced"])
    carry_names(source=source, target=target)
    return replace(carried, segments=segments)


@transaction.atomic
def follow(*, source: Version, target: Version) -> bool:
    """Make what was just corrected in one version in the one that is shown, too. Whether it found its place there."""
    held = target.segments.select_for_update(of=("self",)).order_by("pk")
    list(held.values_list("pk", flat=True))  # what is corrected there meanwhile waits, and is then seen as changed
    last = target.edits.order_by("-pk").values_list("pk", flat=True).first() or 0
    carry_over(source=source, target=target)
    return target.edits.filter(pk__gt=last).exists()


@transaction.atomic
def carry_names(*, source: Version, target: Version) -> None:
    """Call the voices of one version as the same voices are called in another; whose was not found is kept with it."""
    voices = {voice.label: voice for voice in Speaker.objects.filter(record_id=source.record_id)}
    known, reading = ([segment_value(row) for row in version.segments.shown()] for version in (source, target))
    named = {one.speaker: one for one in reversed(known) if one.speaker and voices[one.speaker].name}
    if not named:
        return
    elsewhere = Segment.objects.filter(version__record_id=source.record_id).exclude(version=target)
    shared = set(elsewhere.values_list("speaker__label", flat=True).distinct())
    names: dict[str, str] = {}
    after: dict[str, editing.Fields | None] = {}
    for label, other in carrying.same_voices(reading, known).items():
        voice, name = voices[label], voices[other].name
        if label == other or voice.name == name:
            continue
        if not voice.name and label not in shared:
            names[label] = name
        else:  # the label is another voice's too, in another version
            after |= {one.key: {"speaker": other} for one in reading if one.speaker == label}
    _change(target, after)
    editing.carry_names(version=target, names=names)
    heard = set(target.segments.shown().values_list("speaker__name", flat=True))
    told = {label: [one.start_ms, one.end_ms, label, voices[label].name] for label, one in named.items()}
    left = [one for one in target.unplaced if one not in told.values()]
    left += [one for label, one in told.items() if voices[label].name not in heard]
    target.unplaced = left[:MOST_UNPLACED]
    target.save(update_fields=["unplaced"])


def _change(target: Version, after: editing.Sides) -> None:
    editing.change(version=target, kind=Edit.Kind.CARRIED, after=after, user_id=None)


def _read(segments: Sequence[speech.Segment]) -> list[speech.Segment]:
    """As they are shown, and cut: on one line each."""
    return [replace(segment, text=line(segment.text)) for segment in segments]


def _openings_told(version: Version) -> dict[str, int]:
    """By segment key: the last entry of the journal that says whether a paragraph begins there."""
    told: dict[str, int] = {}
    for edit in Edit.objects.filter(version=version).order_by("id"):
        _, after = editing.sides(edit)
        told |= {key: edit.pk for key, fields in after.items() if fields and "opens" in fields}
    return told


def _told(segment: speech.Segment) -> str:
    """What became of a paragraph's beginning, as it is listed."""
    words = " ".join(segment.text.split()[:6])
    return f"(new paragraph) {words}…" if segment.opens else f"(no new paragraph) {words}…"


def original_of(version: Version) -> list[speech.Segment]:
    """What the engine or provider gave, before anybody changed it: the journal read backwards."""
    rows = {row.key: editing.fields_of(row) for row in version.segments.select_related("speaker")}
    for edit in Edit.objects.filter(version=version).order_by("-id"):
        before, _ = editing.sides(edit)
        for key, fields in before.items():
            if fields is None:
                rows.pop(key, None)
            else:
                rows[key] = rows.get(key, {}) | fields
    kept = [(key, fields) for key, fields in rows.items() if not fields["removed"]]
    kept.sort(key=lambda pair: (pair[1]["start_ms"], pair[1]["order"]))
    return [_value(key, fields) for key, fields in kept]


def compared(left: Version, right: Version) -> list[comparing.Row]:
    """Two versions side by side, a row for each paragraph of the right one."""
    return comparing.rows(
        [segment_value(row) for row in left.segments.shown()], [segment_value(row) for row in right.segments.shown()]
    )


@transaction.atomic
def take_paragraph(*, source: Version, target: Version, taken: Seen, over: Seen, user_id: int | None) -> Edit | None:
    """Put the words of some segments of one version in the place of some of another, both as the page saw them.

    Raises Conflict where either is not so any more, Refused for a text too long.
    """
    said = [segment_value(row) for row in editing.seen(source, *taken)]
    editing.seen(target, *over)
    keys, revisions = over
    text = comparing.text_of(said)
    return editing.rewrite(version=target, keys=keys, revisions=revisions, text=text, user_id=user_id)


def _assigned(
    source: Version, current: Sequence[speech.Segment], reading: Sequence[speech.Segment], speakers_follow: bool
) -> list[speech.Segment]:
    """Whose voice is known better here than in the new reading: all of them where it tells none apart."""
    if not speakers_follow and not any(segment.speaker for segment in reading):
        return [segment for segment in current if segment.speaker]
    kinds = [Edit.Kind.SPEAKER, Edit.Kind.MERGED]
    touched: set[str] = set()
    for edit in Edit.objects.filter(version=source, kind__in=kinds):
        touched |= {key for key, fields in editing.sides(edit)[1].items() if fields and "speaker" in fields}
    return [segment for segment in current if segment.key in touched]


def _fields(old: speech.Segment, new: speech.Segment) -> editing.Fields:
    if new.text == old.text:
        return {}
    return {"text": new.text, "words": [word_row(word) for word in new.words], "removed": not new.text}


def _value(key: str, fields: editing.Fields) -> speech.Segment:
    return speech.Segment(
        key, fields["start_ms"], fields["end_ms"], fields["text"], tuple(map(word_value, fields["words"])),
        fields["speaker"], fields["channel"], fields["language"] or None, fields["opens"],
    )  # fmt: skip


def names_of(version: Version) -> dict[str, str]:
    """By label: how the speakers of this version's record are called."""
    return {speaker.label: str(speaker) for speaker in Speaker.objects.filter(record_id=version.record_id)}
