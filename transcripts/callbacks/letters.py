"""Callbacks into rows: many in one transaction, in one statement, before anything in them is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from memweb.speech.text import line
from transcripts.callbacks.inbox import Callback, Hook


@dataclass(slots=True, eq=False)
class Letter:
    """One callback as it came in."""

    secret_digest: str
    body: bytes
    body_digest: str
    delivery_id: str
    sequence: int | None
    headers: Mapping[str, str]
    signed: bool
    arrived_at: datetime
    only_asks: bool = False
    """Nothing is to be kept; it only wants to know whether the secret is known."""
    given_up: bool = False
    """Its sender was told to come again: storing it now would store it twice."""


@transaction.atomic
def store(letters: Sequence[Letter]) -> list[bool]:
    """Keep them; for each whether its secret is known. A delivery that is here already is counted, not kept twice."""
    asked = {letter.secret_digest for letter in letters}
    owners = dict(Hook.objects.filter(digest__in=asked, user__is_active=True).values_list("digest", "user_id"))
    rows = [
        _row(letter, owners[letter.secret_digest])
        for letter in letters
        if letter.secret_digest in owners and not letter.only_asks and not letter.given_up
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)
    return [letter.secret_digest in owners for letter in letters]


# A model instance for each would cost more than everything else that is done for a callback.
_COLUMNS = "owner_id, arrived_at, delivery_id, sequence, repeats, signed, headers, raw, digest, state, reason, task_id"
_INSERT = (
    f"INSERT INTO transcripts_callback ({_COLUMNS}) VALUES ({', '.join(['%s'] * 12)}) "  # noqa: S608
    "ON CONFLICT (owner_id, delivery_id) WHERE delivery_id > '' "
    "DO UPDATE SET repeats = transcripts_callback.repeats + 1"
)


def _row(letter: Letter, owner_id: int) -> list[Any]:
    fields = {field.name: field for field in Callback._meta.concrete_fields}
    return [
        owner_id,
        connection.ops.adapt_datetimefield_value(letter.arrived_at),
        line(letter.delivery_id)[:200],
        letter.sequence,
        0,
        letter.signed,
        fields["headers"].get_db_prep_save({name: line(value) for name, value in letter.headers.items()}, connection),
        letter.body,
        letter.body_digest,
        Callback.State.STORED.value,
        "",
        "",
    ]


@transaction.atomic
def note_refused(refused: Mapping[str, tuple[int, datetime]]) -> None:
    """Add to each address, by its digest, how many were refused since, and when the last was."""
    for digest, (count, at) in refused.items():
        Hook.objects.filter(digest=digest).update(refused=F("refused") + count, refused_at=at)


def ring() -> None:
    """Tell the worker that callbacks wait."""
    from transcripts import tasks

    tasks.ring_callbacks.enqueue()
