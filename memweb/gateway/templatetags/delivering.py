"""How a delivery stands, in words."""

from __future__ import annotations

from django import template
from django.utils import timezone
from django.utils.timesince import timeuntil

from memweb.gateway import webhooks
from memweb.gateway.models import Attempt, Delivery

register = template.Library()
_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")


@register.filter
def standing(delivery: Delivery) -> str:
    """As "Answered 200 in 112 ms", "Third try in 4 min, last got 503", "Given up after 8 tries"."""
    tries = sorted(delivery.attempts.all(), key=lambda attempt: attempt.pk)
    if delivery.state == Delivery.State.DELIVERED and tries:
        return f"Answered {tries[-1].status} in {tries[-1].ms} ms"
    if delivery.state == Delivery.State.GIVEN_UP:
        return f"Given up after {len(tries)} {'try' if len(tries) == 1 else 'tries'}" if tries else "Given up"
    if webhooks.is_held(delivery):
        when = "Waits until you resume"
    else:
        when = _next(delivery, len(tries)) if tries else "Waiting"
    return f"{when}, last got {got(tries[-1])}" if tries else when


def _next(delivery: Delivery, tries: int) -> str:
    number = _ORDINALS[tries] if tries < len(_ORDINALS) else f"Try {tries + 1}"
    due = delivery.lane.due_at
    when = timeuntil(due) if due is not None and due > timezone.now() else ""
    name = number if number.startswith("Try") else f"{number} try"
    return f"{name} in {when.partition(',')[0]}" if when else f"{name} now"


@register.filter
def got(attempt: Attempt) -> str:
    """What one try got."""
    return str(attempt.status) if attempt.status is not None else "no answer"
