"""Every correction a person makes has a name here. Each is one entry of the journal, and can be put back.

Who saw an older text is told so (`Conflict`), never obeyed. The verbatim source is not touched by any of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from memweb.speech import editing
from memweb.speech import transcript as speech
from memweb.speech.text import clean, line
from transcripts import queries, search
from transcripts.editor import history
from transcripts.errors import Conflict, Refused
from transcripts.models import Edit, Record, Segment, Speaker, Version
from transcripts.values import segment_value, word_row

Fields = dict[str, Any]
"""Some or all columns of a segment as the journal keeps them; speakers by label."""
Sides = Mapping[str, Fields | None]
"""By segment key; None where there is no such segment."""

LONGEST = 20_000
MOST_REPLACED = 5_000
GONE = "These words are not here any more. Reload the page to see what is."
CHANGED = "Somebody changed these words meanwhile. Yours are kept here; see theirs first."
NAMED_SINCE = "The name was changed once more since. Put that change back first."
OVERTAKEN = "Somebody changed this paragraph meanwhile. Look at it as it is now, then try again."


@transaction.atomic
def rewrite(
    *,
    version: Version,
    keys: Sequence[str],
    revisions: Sequence[int],
    text: str,
    user_id: int | None,
    goes_on: int | None = None,
) -> Edit | None:
    """Give a paragraph (its segments in order) another text. None where it reads as before.

    `goes_on` is the entry of the journal that this typing began with: as long as it is this person's last, it grows,
    so that a minute of typing is one step to undo. Raises Conflict where a segment has another revision, Refused for
    a text too long.
    """
    if len(text) > LONGEST:
        raise Refused(f"A paragraph may have {LONGEST} characters. Split it first.")
    rows = seen(version, keys, revisions, changed=CHANGED)
    values = [segment_value(row) for row in rows]
    written = editing.rewrite(values, line(clean(text)))
    edit = change(version=version, kind=Edit.Kind.TEXT, after=_texts(values, written), user_id=user_id)
    return _grown(version, edit, goes_on) if edit and goes_on else edit


@transaction.atomic
def split(*, version: Version, keys: Sequence[str], revisions: Sequence[int], at: int, user_id: int | None) -> Edit:
    """Begin a new paragraph at this character of a paragraph's text. Raises Conflict, and Refused at its ends."""
    rows = seen(version, keys, revisions)
    place, within = editing.offset_in([segment_value(row) for row in rows], at)
    row = rows[place]
    if within <= 0 and place > 0:
        return _change(version, Edit.Kind.SPLIT, {row.key: {"opens": True}}, user_id)
    try:
        after = cut(row, within)
    except ValueError:
        if 0 < place + 1 < len(rows):
            return _change(version, Edit.Kind.SPLIT, {rows[place + 1].key: {"opens": True}}, user_id)
        raise Refused("A paragraph can be split between two words only.") from None
    return _change(version, Edit.Kind.SPLIT, after, user_id)


def cut(row: Segment, at: int) -> dict[str, Fields | None]:
    """What makes two segments of one, at this character of its text as shown. Raises ValueError at its ends."""
    value = replace(segment_value(row), text=line(row.text))
    left, right = editing.split(value, at, _fresh(row.version, row.key))
    return {row.key: _said(left), right.key: _whole(row, right)}


@transaction.atomic
def join(*, version: Version, keys: Sequence[str], revisions: Sequence[int], user_id: int | None) -> Edit:
    """Let a paragraph go on from the one before it, said by the same voice. Raises Conflict, and Refused at the top."""
    rows = seen(version, keys, revisions)
    first = rows[0]
    before = Q(start_ms__lt=first.start_ms) | Q(start_ms=first.start_ms, order__lt=first.order)
    former = version.segments.shown().exclude(text="").filter(before).last()
    if former is None:
        raise Refused("There is no paragraph before this one.")
    label = former.speaker.label if former.speaker else None
    after: dict[str, Fields | None] = {row.key: {"speaker": label, "channel": former.channel} for row in rows}
    after[first.key] = {"speaker": label, "channel": former.channel, "opens": False}
    return _change(version, Edit.Kind.MERGED, after, user_id)


@transaction.atomic
def remove(*, version: Version, keys: Sequence[str], revisions: Sequence[int], user_id: int | None) -> Edit | None:
    """Take a paragraph out of the text; the journal keeps it, and so does the recording."""
    rows = seen(version, keys, revisions)
    return change(
        version=version, kind=Edit.Kind.REMOVED, after={row.key: {"removed": True} for row in rows}, user_id=user_id
    )


@transaction.atomic
def assign(
    *,
    version: Version,
    keys: Sequence[str],
    revisions: Sequence[int],
    name: str,
    user_id: int | None,
    onward: bool = False,
) -> Edit | None:
    """Say who speaks a paragraph: a speaker of this record by name or label, or a new one; empty for nobody.

    `onward`: and every later one of the voice that speaks it now. Raises Conflict.
    """
    rows = seen(version, keys, revisions)
    reached = queries.onward_of_the_same_voice(version, keys) if onward else [row.key for row in rows]
    label = _label(version, line(clean(name))[:200])
    after: dict[str, Fields | None] = {key: {"speaker": label} for key in reached}
    return change(version=version, kind=Edit.Kind.SPEAKER, after=after, user_id=user_id)


@transaction.atomic
def rename_speaker(*, speaker: Speaker, name: str, user_id: int | None) -> Edit | None:
    """Name a voice, everywhere in its record. None where it has that name."""
    name = line(clean(name))[:200]
    if name == speaker.name:
        return None
    edit = Edit.objects.create(
        record_id=speaker.record_id,
        user_id=user_id,
        kind=Edit.Kind.NAME,
        before={"speakers": {speaker.label: speaker.name}},
        after={"speakers": {speaker.label: name}},
    )
    _name(speaker, name)
    return edit


def carry_names(*, version: Version, names: Mapping[str, str]) -> None:
    """Give voices that nobody named these names, by label, because voices of another version have them."""
    if not names:
        return
    before = {"speakers": dict.fromkeys(names, "")}
    kind, after = Edit.Kind.CARRIED, {"speakers": dict(names)}
    Edit.objects.create(record_id=version.record_id, version=version, kind=kind, before=before, after=after)
    for speaker in Speaker.objects.filter(record_id=version.record_id, label__in=names):
        _name(speaker, names[speaker.label])


def _name(speaker: Speaker, name: str) -> None:
    speaker.name = name
    speaker.save(update_fields=["name"])
    search.index_segments(segment_ids=speaker.segments.values_list("pk", flat=True))


@transaction.atomic
def merge_speakers(*, version: Version, gone: Speaker, kept: Speaker, user_id: int | None) -> Edit | None:
    """Two voices are one: all that `gone` says in this version is said by `kept`."""
    rows = version.segments.filter(speaker=gone)
    after: dict[str, Fields | None] = {row.key: {"speaker": kept.label} for row in rows}
    return change(version=version, kind=Edit.Kind.SPEAKER, after=after, user_id=user_id)


@transaction.atomic
def replace_all(*, version: Version, find: str, put: str, whole_words: bool, user_id: int | None) -> tuple[int, int]:
    """Put other words in the place of these everywhere, in one step: (places, segments) changed. Raises Refused."""
    find, put = line(clean(find)), line(clean(put))
    if not find:
        raise Refused("Say which words to look for.")
    pattern = _pattern(find, whole_words=whole_words)
    places, after = 0, {}
    said = version.segments.shown().values_list("key", "text")
    held = [key for key, text in said if pattern.search(text)]
    for row in version.segments.shown().filter(key__in=held):
        text, count = pattern.subn(lambda _: put, row.text)
        if count and text != row.text:
            places += count
            after[row.key] = _said(editing.retext(segment_value(row), line(text)))
    if len(after) > MOST_REPLACED:
        raise Refused(f"That is in more than {MOST_REPLACED} places. Look for more words at once.")
    change(version=version, kind=Edit.Kind.TEXT, after=after, user_id=user_id)
    return places, len(after)


def places_of(version: Version, words: str, *, most: int) -> list[tuple[str, int]]:
    """Where these words stand, in whatever case: (segment key, start_ms) of each place, up to one more than `most`."""
    pattern, found = _pattern(words), list[tuple[str, int]]()
    for key, start_ms, text in version.segments.shown().values_list("key", "start_ms", "text"):
        found += [(key, start_ms)] * len(pattern.findall(text))
        if len(found) > most:
            break
    return found[: most + 1]


def _pattern(words: str, *, whole_words: bool = False) -> re.Pattern[str]:
    """For finding and replacing alike. No database is asked: of capitals SQLite knows those of ASCII only."""
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)" if whole_words else re.escape(words), re.IGNORECASE)


@transaction.atomic
def undo(*, version: Version, user_id: int | None) -> Edit | None:
    """Put back what this person changed last. None where there is nothing. Raises Conflict, see `restore`."""
    done = _stacks(version, user_id).done
    return _put_back(Edit.objects.get(pk=done[-1]), user_id, undoes=done[-1]) if done else None


@transaction.atomic
def redo(*, version: Version, user_id: int | None) -> Edit | None:
    """Do again what this person undid last. None where there is nothing."""
    undone = _stacks(version, user_id).undone
    return _put_back(Edit.objects.get(pk=undone[-1]), user_id, undoes=undone[-1]) if undone else None


@transaction.atomic
def restore(*, edit: Edit, user_id: int | None) -> Edit:
    """Put back what one entry of the journal changed; one more entry. Raises Conflict where a later one changed it."""
    return _put_back(edit, user_id, undoes=None)


def can(version: Version, user_id: int | None) -> tuple[bool, bool]:
    """Whether there is something to undo, and something to redo."""
    found = _stacks(version, user_id)
    return bool(found.done), bool(found.undone)


def change(*, version: Version, kind: str, after: Sides, user_id: int | None) -> Edit | None:
    """One entry of the journal and what it says, done. None where nothing would change."""
    rows = _by_key(version, after)
    real = {key: fields for key, fields in after.items() if _before(rows.get(key), fields) != fields}
    return _change(version, kind, real, user_id) if real else None


def _change(version: Version, kind: str, after: Sides, user_id: int | None, *, undoes: int | None = None) -> Edit:
    rows = _by_key(version, after)
    before = {key: _before(rows.get(key), fields) for key, fields in after.items()}
    _write(version, rows, after)
    touched = version.segments.filter(key__in=list(after)).values_list("pk", flat=True)
    search.index_segments(segment_ids=[*touched, *(row.pk for row in rows.values())])
    Record.objects.filter(pk=version.record_id).update(updated_at=timezone.now())
    return Edit.objects.create(
        record_id=version.record_id,
        version=version,
        segment_key=next(iter(after), ""),
        user_id=user_id,
        kind=kind,
        before={"segments": before},
        after={"segments": dict(after)},
        undoes_id=undoes,
    )


def _put_back(edit: Edit, user_id: int | None, *, undoes: int | None) -> Edit:
    if names_something(edit):
        return _named_back(edit, user_id, undoes)
    if edit.version is None:
        raise Refused("This change cannot be put back here.")
    before, after = sides(edit)
    rows, back = _by_key(edit.version, after), dict(before)
    for key, fields in after.items():
        now, former = _before(rows.get(key), fields), before[key]
        if now == fields:
            continue
        if not _only_told_anew(edit, key, now, fields):
            raise Conflict("A later change touches the same words. Put that one back first.")
        if former and fields and former.get("speaker") == fields["speaker"]:  # this change was not about the voice
            back[key] = {name: value for name, value in former.items() if name != "speaker"}
    kind = Edit.Kind.RESTORED
    return _change(edit.version, kind, back, user_id, undoes=undoes)


def names_something(edit: Edit) -> bool:
    """Whether an entry is about the record's title or a voice's name: of every version, and on the whole page."""
    return "title" in edit.after or "speakers" in edit.after


def _named_back(edit: Edit, user_id: int | None, undoes: int | None) -> Edit:
    """An entry of the same kind: a title that is put back changes as little of what was said as a new one."""
    record = Record.objects.select_for_update(of=("self",)).get(pk=edit.record_id)
    if "title" in edit.after:
        if record.title != edit.after["title"]:
            raise Conflict(NAMED_SINCE)
        Record.objects.filter(pk=record.pk).update(title=edit.before["title"], updated_at=timezone.now())
        search.index_title(record_id=record.pk)
    for label, name in edit.after.get("speakers", {}).items():
        speaker = Speaker.objects.select_for_update().filter(record=record, label=label).first()
        if speaker is None or speaker.name != name:
            raise Conflict(NAMED_SINCE)
        _name(speaker, edit.before["speakers"][label])
    return Edit.objects.create(
        record=record, user_id=user_id, kind=edit.kind, before=edit.after, after=edit.before, undoes_id=undoes
    )


def _only_told_anew(edit: Edit, key: str, now: Fields | None, left: Fields | None) -> bool:
    """Whether a row is as an entry left it but for its voice, which no person has told since: a pass has."""
    if not now or not left or now | {"speaker": None} != left | {"speaker": None}:
        return False
    later = Edit.objects.filter(version=edit.version, pk__gt=edit.pk, after__segments__has_key=key)
    return not any("speaker" in (sides(one)[1][key] or ("speaker",)) for one in later)


def _grown(version: Version, edit: Edit, began: int) -> Edit:
    """One entry out of two that follow each other, where they do."""
    last = _edits(version, edit.user_id).filter(pk__lt=edit.pk).order_by("-pk").first()
    if last is None or last.pk != began or last.kind != edit.kind:
        return edit
    last.before = {"segments": edit.before["segments"] | last.before["segments"]}
    last.after = {"segments": last.after["segments"] | edit.after["segments"]}
    edit.delete()
    last.save(update_fields=["before", "after"])
    return last


def sides(edit: Edit) -> tuple[Sides, Sides]:
    """What an entry of the journal found and what it left."""
    found = []
    for side in (edit.before, edit.after):
        if "segments" in side:
            found.append(side["segments"])
        else:  # a phrase taken back while it was spoken
            found.append({edit.segment_key: {"removed": side["removed"]}} if "removed" in side else {})
    return found[0], found[1]


def _stacks(version: Version, user_id: int | None) -> history.Stacks:
    edits = _edits(version, user_id).exclude(kind=Edit.Kind.CARRIED).order_by("id")
    return history.stacks(history.Entry(*row) for row in edits.values_list("id", "undoes_id"))


def _edits(version: Version, user_id: int | None) -> QuerySet[Edit]:
    """One person's entries of a version's journal, with those on names, which are every version's; nobody's where
    there is no person.
    """
    by = Q(user__isnull=True) if user_id is None else Q(user_id=user_id)
    names = Q(after__has_key="title") | Q(after__has_key="speakers")
    return Edit.objects.filter(by, Q(version=version) | names & Q(version=None), record_id=version.record_id)


def seen(version: Version, keys: Sequence[str], revisions: Sequence[int], *, changed: str = OVERTAKEN) -> list[Segment]:
    """The rows of these keys, locked, in order. Raises Conflict, which says `changed`, where they are not as seen."""
    asked = dict(zip(keys, revisions, strict=True))
    rows = list(version.segments.select_for_update(of=("self",)).shown().filter(key__in=asked))
    if not rows or len(rows) != len(asked):
        raise Conflict(GONE)
    if any(row.revision != asked[row.key] for row in rows):
        raise Conflict(changed)
    return rows


def _by_key(version: Version, keys: Iterable[str]) -> dict[str, Segment]:
    rows = version.segments.select_for_update(of=("self",)).select_related("speaker").filter(key__in=list(keys))
    return {row.key: row for row in rows}


def _texts(before: Sequence[speech.Segment], after: Sequence[speech.Segment]) -> dict[str, Fields | None]:
    """What changed, with what is kept of it; a segment without words is taken out."""
    return {
        new.key: _said(new) if new.text else {"removed": True}
        for old, new in zip(before, after, strict=True)
        if new is not old
    }


def _said(value: speech.Segment) -> Fields:
    return {
        "text": value.text,
        "words": [word_row(word) for word in value.words],
        "start_ms": value.start_ms,
        "end_ms": value.end_ms,
    }


def _whole(beside: Segment, value: speech.Segment) -> Fields:
    """All columns of a segment that is to be made beside another."""
    label = beside.speaker.label if beside.speaker else None
    last = beside.version.segments.aggregate(last=Max("order"))["last"]
    return _said(value) | {
        "speaker": label,
        "channel": beside.channel,
        "language": beside.language,
        "opens": value.opens,
        "removed": False,
        "order": last + 1,
    }


def fields_of(row: Segment) -> Fields:
    """All that the journal may keep of a segment. Wants `speaker` selected."""
    return {
        "text": row.text, "words": row.words, "start_ms": row.start_ms, "end_ms": row.end_ms,
        "speaker": row.speaker.label if row.speaker else None, "channel": row.channel, "language": row.language,
        "opens": row.opens, "removed": row.removed, "order": row.order,
    }  # fmt: skip


def _before(row: Segment | None, fields: Fields | None) -> Fields | None:
    """What a row says now about the columns an entry names; all of them where the entry takes the row away."""
    if row is None:
        return None
    now = fields_of(row)
    return now if fields is None else {name: now[name] for name in fields}


def _write(version: Version, rows: Mapping[str, Segment], after: Sides) -> None:
    speakers = {speaker.label: speaker for speaker in Speaker.objects.filter(record_id=version.record_id)}
    for key, fields in after.items():
        row = rows.get(key)
        if fields is None:
            version.segments.filter(key=key).delete()
            continue
        if row is None:
            row = Segment(version=version, key=key, revision=0)
        for name, value in fields.items():
            setattr(row, name, speakers.get(value) if name == "speaker" else value)
        row.revision = F("revision") + 1 if row.pk else 1
        row.save()
    search.index_segments(segment_ids=version.segments.filter(key__in=list(after)).values_list("pk", flat=True))


def _fresh(version: Version, key: str) -> str:
    """A key for the second part of a segment that is split, at home beside the first."""
    stem = key.split("/")[0][:50]
    taken = set(version.segments.filter(key__startswith=f"{stem}/").values_list("key", flat=True))
    return next(made for made in (f"{stem}/{count}" for count in range(1, len(taken) + 2)) if made not in taken)


def _label(version: Version, name: str) -> str | None:
    """The label of the speaker of this name, made where there is none."""
    if not name:
        return None
    speaker = speaker_called(version, name)
    if speaker is None:
        record_id = version.record_id
        labels = set(Speaker.objects.filter(record_id=record_id).values_list("label", flat=True))
        label = next(made for made in (f"person-{count}" for count in range(1, len(labels) + 2)) if made not in labels)
        speaker = Speaker.objects.create(record_id=record_id, label=label, name=name)
    return speaker.label


def speaker_called(version: Version, name: str, *, but: int | None = None) -> Speaker | None:
    """The voice, other than `but`, that pages show under this name: the person's, else the label.

    First who speaks in this version: a voice may have a label, and so a row, of its own in another.
    """
    heard = set(version.segments.values_list("speaker_id", flat=True).distinct())
    speakers = Speaker.objects.filter(record_id=version.record_id).order_by("pk")
    called = [one for one in speakers if one.pk != but and str(one).casefold() == name.casefold()]
    return min(called, key=lambda one: (one.pk not in heard, one.pk), default=None)
