"""Whom a command is about."""

from __future__ import annotations

from django.core.management.base import CommandError

from memweb.accounts.models import User
from memweb.accounts.services import ensure_owner


def person_named(name: str) -> User:
    """The person of this name; the owner of the machine for "". Raises CommandError, naming who there is."""
    if not name:
        return ensure_owner()
    people = User.objects.filter(is_active=True).order_by("username")
    person = people.filter(username=name).first()
    if person is None:
        names = ", ".join(people.values_list("username", flat=True)) or "nobody yet"
        raise CommandError(f"There is no {name!r} here. People: {names}.")
    return person
