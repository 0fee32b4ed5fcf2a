"""The one way a view finds its record: it exists, and this person may see it, or there is nothing here."""

from __future__ import annotations

import uuid
from typing import cast

from django.http import Http404, HttpRequest

from memweb.accounts.models import User
from transcripts.models import Record, Version
from transcripts.queries import RecordQuerySet

MOST_KEYS = 2_000


def person(request: HttpRequest) -> User:
    """Who asks. Only for views that need a sign-in."""
    return cast(User, request.user)


def record_of(request: HttpRequest, record_id: uuid.UUID) -> Record:
    """Raises Http404."""
    return _only(Record.objects.visible_to(person(request)).select_related("current_version").filter(pk=record_id))


def record_for_page(request: HttpRequest, record_id: uuid.UUID) -> Record:
    """The same with its recording, see `for_page`. Raises Http404."""
    return _only(Record.objects.visible_to(person(request)).for_page().filter(pk=record_id))


def binned_of(request: HttpRequest, record_id: uuid.UUID) -> Record:
    """Raises Http404."""
    return _only(Record.objects.in_bin_of(person(request)).filter(pk=record_id))


def version_of(request: HttpRequest, record: Record) -> Version | None:
    """The reading asked for by number, else the one shown by default. Raises Http404."""
    asked = request.GET.get("version", "")
    if not asked:
        return record.current_version
    if not asked.isdecimal() or len(asked) > 6:
        raise Http404
    version = record.versions.filter(number=int(asked)).first()
    if version is None:
        raise Http404
    return version


def seen_segments(request: HttpRequest, name: str = "segment") -> tuple[list[str], list[int]]:
    """Keys and revisions of segments as the page saw them, "key:revision" once for each. Raises Http404."""
    seen = dict(given.rpartition(":")[::2] for given in request.POST.getlist(name)[:MOST_KEYS])
    if not seen or not all(revision.isdecimal() and len(revision) < 9 for revision in seen.values()):
        raise Http404
    return list(seen), [int(revision) for revision in seen.values()]


def _only(records: RecordQuerySet) -> Record:
    try:
        return records.get()
    except Record.DoesNotExist:
        raise Http404 from None


def single_keys(request: HttpRequest) -> bool:
    """Whether this person wants keys that work alone."""
    preferences = getattr(person(request), "preferences", None)
    return preferences is None or preferences.single_keys
