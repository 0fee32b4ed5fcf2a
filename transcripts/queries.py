"""Every read has a name. What faces a person begins at `visible_to(user)`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Self

from django.db.models import (
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Coalesce, Least

if TYPE_CHECKING:
    from memweb.accounts.models import User
    from transcripts.callbacks.inbox import Callback
    from transcripts.models import (  # noqa: F401 - the bases below name them
        Edit,
        Job,
        Message,
        Record,
        Segment,
        Share,
        Speaker,
        Upload,
        Version,
    )


GOING_ON = ("live", "finishing")
"""A record that stands so is not settled yet."""


class RecordQuerySet(QuerySet["Record"]):
    def visible_to(self, user: User) -> Self:
        """What this person may see: their own, the bin left out."""
        return self.filter(owner_id=user.pk, deleted_at=None)

    def in_bin_of(self, user: User) -> Self:
        return self.filter(owner_id=user.pk, deleted_at__isnull=False)

    def unfinished(self) -> Self:
        """Dictations that were begun and not finished, the latest first."""
        return self.filter(status="live").order_by("-started_at", "-id")

    def now(self) -> Self:
        """What is going on: shown above the rest."""
        return self.filter(status__in=GOING_ON)

    def pinned(self) -> Self:
        return self.exclude(status__in=GOING_ON).filter(pinned_at__isnull=False)

    def settled(self) -> Self:
        return self.exclude(status__in=GOING_ON).filter(pinned_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def oldest_first(self) -> Self:
        return self.order_by("started_at", "id")

    def longest_first(self) -> Self:
        return self.order_by("-duration_ms", "-id")

    def for_page(self) -> Self:
        """With what stands on its page: the version shown by default, the recording (no peaks), `is_edited`."""
        return self.select_related("current_version", "recording").defer("recording__peaks").with_edited()

    def with_edited(self) -> Self:
        """With `is_edited`: what the function of that name tells of one record."""
        from transcripts.models import Edit

        edits = Edit.objects.filter(record_id=OuterRef("pk")).exclude(kind=Edit.Kind.TITLE)
        return self.annotate(is_edited=Exists(edits))

    def in_list(self) -> Self:
        """Those the library shows by itself."""
        return self.filter(archived_at=None)

    def archived(self) -> Self:
        return self.filter(archived_at__isnull=False)

    def with_speakers(self) -> Self:
        from transcripts.models import Speaker

        return self.prefetch_related(Prefetch("speakers", Speaker.objects.order_by("id")))

    def for_cards(self) -> Self:
        """With what a row of the list shows: `first_words`, `is_edited`, its jobs, tags and speakers."""
        from transcripts.models import Job, Segment, Speaker

        text = Segment.objects.filter(version_id=OuterRef("current_version_id"), removed=False).exclude(text="")
        shown = Subquery(text.order_by("start_ms", "order").values("text")[:1])
        words = Coalesce(shown, Value(""), output_field=TextField())
        jobs, speakers = Job.objects.order_by("id"), Speaker.objects.order_by("id")
        told = self.with_edited().annotate(first_words=words)
        return told.prefetch_related(Prefetch("jobs", jobs), "tags", Prefetch("speakers", speakers))


class VersionQuerySet(QuerySet["Version"]):
    def live_of(self, record_id: uuid.UUID) -> Self:
        return self.filter(record_id=record_id, kind="live")

    def live_of_each(self, record_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
        """By record: its live version, and the order of the last segment there, -1 without one. Raises DoesNotExist."""
        found = self.filter(record_id__in=record_ids, kind="live").order_by("number")
        last = found.annotate(last=Coalesce(Max("segments__order"), -1)).values_list("record_id", "pk", "last")
        live = {record_id: (version, order) for record_id, version, order in last}
        if len(live) < len(record_ids):
            raise self.model.DoesNotExist("One of these records has no live text.")
        return live

    def next_number(self, record_id: uuid.UUID) -> int:
        last = self.filter(record_id=record_id).aggregate(last=Max("number"))["last"]
        return (last or 0) + 1


class SegmentQuerySet(QuerySet["Segment"]):
    def locked_at(self, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], Segment]:
        """The segments at these places, version and key, by place. No other transaction changes them meanwhile."""
        # Each key is sought in each version: an OR of fifty places costs Django five times as much.
        versions, keys = {version for version, _ in places}, {key for _, key in places}
        found = self.filter(version__in=versions, key__in=keys).select_for_update()
        wanted = set(places)
        return {place: row for row in found if (place := (row.version_id, row.key)) in wanted}

    def shown(self) -> Self:
        """Not taken back, with their speakers, in order."""
        return self.filter(removed=False).select_related("speaker").order_by("start_ms", "order")

    def after(self, start_ms: int, order: int) -> Self:
        """What follows this place, in order."""
        return self.filter(Q(start_ms__gt=start_ms) | Q(start_ms=start_ms, order__gt=order))


class JobQuerySet(QuerySet["Job"]):
    def pending(self) -> Self:
        return self.filter(status__in=["queued", "running", "awaiting"])

    def ahead_of(self, job: Job) -> Self:
        """Those of its kind that were asked for before it and go on."""
        return self.pending().filter(kind=job.kind, pk__lt=job.pk)

    def awaiting(self, gateway: str, task_id: str) -> Self:
        """The job whose outcome this task of this gateway ("" is the one built in) will be."""
        return self.filter(gateway=gateway, task_id=task_id, status="awaiting")

    def uncalled(self, now: datetime) -> Self:
        """Awaiting a callback that should have come by now."""
        return self.filter(status="awaiting", due_at__lt=now)

    def abandoned(self, now: datetime) -> Self:
        """Running, says the row, but whoever ran it has let the lease go."""
        return self.filter(status="running", lease_until__lt=now)

    def overdue(self, since: datetime) -> Self:
        """Waiting since before then: its doorbell was lost or nobody was there to hear it."""
        return self.filter(status="queued", due_at__lt=since)

    def leased_beyond(self, latest: datetime) -> Self:
        """Held for longer than any lease lasts: the clock was set back."""
        return self.filter(status="running", lease_until__gt=latest)

    def due_beyond(self, latest: datetime) -> Self:
        """Waiting for a moment farther off than any wait is long: the clock was set back."""
        return self.filter(status="queued", due_at__gt=latest)


class UploadQuerySet(QuerySet["Upload"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(owner_id=user.pk)

    def listed(self) -> Self:
        """Those nobody has dismissed."""
        return self.filter(dismissed_at=None)

    def abandoned(self, since: datetime) -> Self:
        """Not whole, and nothing has come since then. What came of a whole one is told until it is dismissed."""
        return self.filter(touched_at__lt=since, status="receiving")

    def with_file(self) -> Self:
        """Those whose bytes may be here and wanted: they come in, or a record is made of them."""
        return self.filter(Q(status="receiving") | Q(record__isnull=False))

    def unfinished_of(self, owner_id: int) -> Self:
        """What this person has announced and not sent to its end."""
        return self.filter(owner_id=owner_id, status="receiving")

    def to_come(self, since: datetime) -> dict[int, int]:
        """By owner, bytes that are announced and not here yet, of those that have moved since then."""
        coming = self.filter(touched_at__gte=since, status="receiving").order_by()
        return dict(coming.values_list("owner_id").annotate(rest=Sum(F("size") - F("offset"))))


class ShareQuerySet(QuerySet["Share"]):
    def kept(self) -> Self:
        """Those their owner has not stopped, run out or not."""
        return self.filter(revoked_at=None)

    def working(self, now: datetime) -> Self:
        """Those that show something: not stopped nor run out, the record not in the bin, its owner not shut out."""
        unended = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.kept().filter(unended, record__deleted_at=None, record__owner__is_active=True)


class CallbackQuerySet(QuerySet["Callback"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(owner_id=user.pk)

    def stored(self) -> Self:
        """Safe, and not yet understood; in order of arrival."""
        return self.filter(state="stored").order_by("id")

    def untold(self) -> Self:
        """Understood, and not yet told to any job."""
        return self.filter(state__in=["unclaimed", "early", "unused"])

    def newest_first(self) -> Self:
        return self.order_by("-id")


def live_segments(record_id: uuid.UUID) -> QuerySet[Segment]:
    """The live text of a record as it stands, without what was taken back."""
    from transcripts.models import Segment

    return Segment.objects.filter(version__record_id=record_id, version__kind="live").shown()


def last_committed_ms(record_id: uuid.UUID) -> int:
    """Where the last final of the live text ends: from here audio has yet to become words. Taken back counts too."""
    from transcripts.models import Segment

    ends = Segment.objects.filter(version__record_id=record_id, version__kind="live").aggregate(last=Max("end_ms"))
    return ends["last"] or 0


def is_edited(record_id: uuid.UUID) -> bool:
    """Whether a person changed what was said; a new title changes nothing that was said."""
    from transcripts.models import Edit

    return Edit.objects.filter(record_id=record_id).exclude(kind=Edit.Kind.TITLE).exists()


class Talk(NamedTuple):
    """What one speaker says in a reading."""

    speaker: Speaker
    spoken_ms: int
    sample_ms: int
    """Where the longest of their segments begins: the best place to hear the voice."""


_STARTS = 1 << 36
_LONGEST = 1 << 26
"""Milliseconds: no start is above the one, and what is longer than the other (18 hours) counts as that long."""


def talk_time(version_id: int) -> list[Talk]:
    """The speakers of a reading in order of their first word."""
    from transcripts.models import Segment, Speaker

    said = Segment.objects.filter(version_id=version_id, removed=False, speaker__isnull=False).values("speaker_id")
    length = F("end_ms") - F("start_ms")
    # A length and a start in one number: the greatest is the longest segment's, and tells where that begins.
    longest = Max(Least(length, _LONGEST) * _STARTS - F("start_ms"))
    found = list(said.annotate(first=Min("start_ms"), spoken=Sum(length), longest=longest).order_by("first", "speaker"))
    speakers = Speaker.objects.in_bulk([row["speaker_id"] for row in found])
    return [Talk(speakers[row["speaker_id"]], row["spoken"], -row["longest"] % _STARTS) for row in found]


def next_connection(record_id: uuid.UUID) -> int:
    """The number of the next connection to the gateway for this record."""
    from transcripts.models import Message

    last = Message.objects.filter(record_id=record_id).aggregate(last=Max("connection"))["last"]
    return (last or 0) + 1


def next_sequence(record_id: uuid.UUID, connection: int) -> int:
    """The number of the next message of this connection."""
    from transcripts.models import Message

    kept = Message.objects.filter(record_id=record_id, connection=connection)
    last = kept.aggregate(last=Max("sequence"))["last"]
    return 0 if last is None else last + 1


def beginnings(segment_ids: list[int]) -> list[int]:
    """Where these segments begin, in order, in milliseconds."""
    from transcripts.models import Segment

    return list(
        Segment.objects.filter(pk__in=segment_ids).order_by("start_ms", "order").values_list("start_ms", flat=True)
    )


def beside(version: Version, keys: Iterable[str], count: int) -> list[Segment]:
    """The shown segments from `count` before the first of these to `count` after the last, in order."""
    bounds = version.segments.filter(key__in=list(keys)).aggregate(first=Min("start_ms"), last=Max("start_ms"))
    if bounds["first"] is None:
        return []
    shown = version.segments.shown()
    former = list(shown.filter(start_ms__lt=bounds["first"]).reverse()[:count])
    between = list(shown.filter(start_ms__gte=bounds["first"], start_ms__lte=bounds["last"]))
    return [*reversed(former), *between, *shown.filter(start_ms__gt=bounds["last"])[:count]]


def onward_of_the_same_voice(version: Version, keys: Iterable[str]) -> list[str]:
    """Keys of these segments and of all later ones of the same speaker."""
    first = version.segments.shown().filter(key__in=list(keys)).first()
    if first is None:
        return []
    same = version.segments.filter(speaker=first.speaker_id, start_ms__gte=first.start_ms)
    return list(same.values_list("key", flat=True))


def voice_runs(version_id: int) -> list[list[int]]:
    """[start_ms, end_ms, place of the speaker by first words from 1 (0: nobody known)] of each run of one voice."""
    from transcripts.models import Segment

    order = {speaker.pk: place for place, (speaker, *_) in enumerate(talk_time(version_id), 1)}
    runs: list[list[int]] = []
    rows = Segment.objects.filter(version_id=version_id).shown().exclude(text="")
    for start, end, speaker in rows.values_list("start_ms", "end_ms", "speaker_id"):
        place = order.get(speaker, 0)
        if runs and runs[-1][2] == place:
            runs[-1][1] = max(runs[-1][1], end)
        else:
            runs.append([start, end, place])
    return runs


JOURNAL_PAGE = 50


def journal(record: Record, *, before: int | None) -> tuple[list[Edit], int | None]:
    """A page of a record's edits, the newest first, and where to go on."""
    edits = record.edits.select_related("user", "version").order_by("-id")
    if before is not None:
        edits = edits.filter(id__lt=before)
    found = list(edits[: JOURNAL_PAGE + 1])
    more = found[JOURNAL_PAGE - 1].pk if len(found) > JOURNAL_PAGE else None
    return found[:JOURNAL_PAGE], more


def names_used_by(user_id: int) -> list[str]:
    """Names this person gave to voices, the most used first: suggestions for the next record."""
    from transcripts.models import Speaker

    named = Speaker.objects.filter(record__owner_id=user_id).exclude(name="")
    return [row["name"] for row in named.values("name").annotate(count=Count("id")).order_by("-count", "name")[:50]]


_PAGE = 500


def in_pages(version: Version) -> Iterator[Segment]:
    """The shown segments in order, some hundreds in memory at a time. What is written meanwhile may be seen."""
    rows = version.segments.shown()
    page = list(rows[:_PAGE])
    while page:
        yield from page
        page = list(rows.after(page[-1].start_ms, page[-1].order)[:_PAGE])


def one_by_one(user: User, ids: Sequence[uuid.UUID]) -> Iterator[Record]:
    """Those of these records that this person may see, in the order of their ids, each read when its turn comes."""
    from transcripts.models import Record

    for pk in ids:
        found = Record.objects.visible_to(user).select_related("current_version").filter(pk=pk).first()
        if found is not None:
            yield found


def names_in(record_id: uuid.UUID) -> dict[str, str]:
    """By label: the name a person gave to a voice of this record, where they gave one."""
    from transcripts.models import Speaker

    return dict(Speaker.objects.filter(record_id=record_id).exclude(name="").values_list("label", "name"))


def has_payloads(record_id: uuid.UUID) -> bool:
    """Whether what a provider said of this record is kept."""
    from transcripts.callbacks.inbox import Callback
    from transcripts.models import Message

    said = Message.objects.filter(record_id=record_id).exists()
    return said or Callback.objects.filter(job__record_id=record_id).exists()


_PAYLOADS = 20  # one may take megabytes


def messages_of(record_id: uuid.UUID) -> Iterator[Message]:
    """What providers said, in order, a few in memory at a time."""
    from transcripts.models import Message

    rows = Message.objects.filter(record_id=record_id).order_by("connection", "sequence")
    page = list(rows[:_PAYLOADS])
    while page:
        yield from page
        last = page[-1]
        after = Q(connection__gt=last.connection) | Q(connection=last.connection, sequence__gt=last.sequence)
        page = list(rows.filter(after)[:_PAYLOADS])


def callbacks_of(record_id: uuid.UUID) -> Iterator[Callback]:
    """What was posted about this record's tasks, in order of arrival, a few in memory at a time."""
    from transcripts.callbacks.inbox import Callback

    rows = Callback.objects.filter(job__record_id=record_id).order_by("id")
    page = list(rows[:_PAYLOADS])
    while page:
        yield from page
        page = list(rows.filter(id__gt=page[-1].pk)[:_PAYLOADS])
