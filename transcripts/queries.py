"""Every read has a name. What faces a person begins at `visible_to(user)`."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Exists, F, Max, Min, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, TextField, Value
from django.db.models.functions import Coalesce

from memweb.speech.text import clean

if TYPE_CHECKING:
    from memweb.accounts.models import User
    from transcripts.models import Job, Record, Segment, Speaker, Version  # noqa: F401 - the bases below name them


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
        """What is going on or needs somebody: shown above the rest."""
        return self.exclude(status="ready")

    def settled(self) -> Self:
        return self.filter(status="ready")

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def before(self, started_at: datetime, record_id: uuid.UUID) -> Self:
        """What comes after this place in `newest_first`: the next page, however many have come in meanwhile."""
        return self.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, id__lt=record_id))

    def matching(self, words: str) -> Self:
        """Those whose title or shown text holds all of this, in upper or lower case."""
        from transcripts.models import Segment

        words = clean(words)
        said = Segment.objects.filter(version_id=OuterRef("current_version_id"), removed=False, text__icontains=words)
        return self.filter(Q(title__icontains=words) | Exists(said))

    def for_cards(self, words: str = "") -> Self:
        """With what a row of the list shows: `first_words` (or the text that holds `words`), `is_edited`, its jobs."""
        from transcripts.models import Edit, Job, Segment

        text = Segment.objects.filter(version_id=OuterRef("current_version_id"), removed=False).exclude(text="")
        text = text.order_by("start_ms", "order")
        shown = Subquery(text.values("text")[:1])
        found = Subquery(text.filter(text__icontains=clean(words)).values("text")[:1]) if words else Value(None)
        edits = Edit.objects.filter(record_id=OuterRef("pk")).exclude(kind=Edit.Kind.TITLE)
        return self.annotate(
            first_words=Coalesce(found, shown, output_field=TextField()), is_edited=Exists(edits)
        ).prefetch_related(Prefetch("jobs", Job.objects.order_by("id")))


class VersionQuerySet(QuerySet["Version"]):
    def live_of(self, record_id: uuid.UUID) -> Self:
        return self.filter(record_id=record_id, kind="live")

    def next_number(self, record_id: uuid.UUID) -> int:
        last = self.filter(record_id=record_id).aggregate(last=Max("number"))["last"]
        return (last or 0) + 1


class SegmentQuerySet(QuerySet["Segment"]):
    def shown(self) -> Self:
        """Not taken back, with their speakers, in order."""
        return self.filter(removed=False).select_related("speaker").order_by("start_ms", "order")

    def after(self, start_ms: int, order: int) -> Self:
        """What follows this place, in order."""
        return self.filter(Q(start_ms__gt=start_ms) | Q(start_ms=start_ms, order__gt=order))


class JobQuerySet(QuerySet["Job"]):
    def pending(self) -> Self:
        return self.filter(status__in=["queued", "running"])

    def abandoned(self, now: datetime) -> Self:
        """Running, says the row, but whoever ran it has let the lease go."""
        return self.filter(status="running", lease_until__lt=now)

    def overdue(self, since: datetime) -> Self:
        """Waiting since before then: its doorbell was lost or nobody was there to hear it."""
        return self.filter(status="queued", due_at__lt=since)


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


def talk_time(version_id: int) -> list[tuple[Speaker, int]]:
    """Each speaker of a reading with the milliseconds they spoke, in order of their first word."""
    from transcripts.models import Speaker

    said = Speaker.objects.filter(segments__version_id=version_id, segments__removed=False)
    said = said.annotate(
        first_ms=Min("segments__start_ms"), spoken_ms=Sum(F("segments__end_ms") - F("segments__start_ms"))
    )
    return [(speaker, speaker.spoken_ms or 0) for speaker in said.order_by("first_ms", "pk")]


def next_connection(record_id: uuid.UUID) -> int:
    """The number of the next connection to the gateway for this record."""
    from transcripts.models import Message

    last = Message.objects.filter(record_id=record_id).aggregate(last=Max("connection"))["last"]
    return (last or 0) + 1
