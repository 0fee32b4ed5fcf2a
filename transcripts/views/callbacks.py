"""What gateways have posted: where they post to, what came of each, its body, and applying it again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import BinaryField, Case, F, Value, When
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from transcripts.callbacks import applying as inbox
from transcripts.callbacks import hooks
from transcripts.callbacks.inbox import Callback
from transcripts.files import asked
from transcripts.shown import callbacks as shown
from transcripts.shown import wording
from transcripts.views.lookup import person

PAGE = 50
State = Callback.State
LOOKS = {State.APPLIED: "ok", State.UNREADABLE: "bad"}
CAN_APPLY = (State.UNCLAIMED, State.EARLY, State.UNREADABLE)
"""Where applying it again may come to something else."""
SHORT = Case(
    When(size__lte=shown.MOST_READ // 2, then=F("raw")), default=Value(None), output_field=BinaryField(null=True)
)
NEW_ADDRESS = "This is the new address. The former one is unknown now: tell it to your gateway."


@require_safe
@login_required
def callbacks(request: HttpRequest) -> HttpResponse:
    """The page of callbacks, the newest first; to htmx the list alone, which asks again while any is to be applied."""
    mine = Callback.objects.visible_to(person(request))
    state, before = _asked(request.GET)
    found = mine.filter(state=state) if state else mine
    if before:
        found = found.filter(pk__lt=int(before))
    found = found.newest_first().select_related("job__record").annotate(size=Length("raw")).annotate(short=SHORT)
    rows = list(found.defer("raw")[: PAGE + 1])
    context: dict[str, object] = {
        "rows": [_row(row) for row in rows[:PAGE]],
        "state": state,
        "before": before,
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "any": bool(rows) or mine.exists(),
        "changes": mine.stored().exists(),
        "here": _list(state, before),
    }
    if request.headers.get("HX-Request"):
        return render(request, "transcripts/_callbacks.html", context)
    gateway = asked.gateway_of(person(request))
    context |= {
        "address": hooks.address_of(person(request)),
        "refusals": hooks.refusals_of(person(request)),
        "out_of_reach": not gateway.built_in and hooks.is_out_of_reach(gateway),
        "states": [(value, label, value == state) for value, label in State.choices],
    }
    return render(request, "transcripts/callbacks.html", context)


def _asked(given: Any) -> tuple[str, str]:
    """Which of them: the state, and the number they came before; empty for all."""
    state, before = given.get("state", ""), given.get("before", "")
    return state if state in State.values else "", before if before.isdecimal() and len(before) < 19 else ""


def _list(state: str, before: str) -> str:
    query = urlencode({name: value for name, value in (("state", state), ("before", before)) if value})
    return reverse("callbacks") + (f"?{query}" if query else "")


def _row(row: Any) -> dict[str, object]:
    """`row` with its `size`, and with its body where that is `short` enough to be read for a line."""
    record = row.job.record if row.job else None
    said = (
        shown.Said(f"{wording.megabytes(row.size)} long")
        if row.short is None
        else shown.said(bytes(row.short), row.job)
    )
    return {
        "row": row,
        "moment": wording.instant(row.arrived_at),
        "record": record if record and record.deleted_at is None else None,
        "title": wording.title_of(record) if record else "No record yet",
        "look": "done" if said.failed and row.state == State.APPLIED else LOOKS.get(State(row.state), "done"),
        "said": said,
        "came": row.repeats + 1,
        "can_apply": row.state in CAN_APPLY,
    }


@require_safe
@login_required
def callback(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them: what is known of it, and the beginning of its body."""
    mine = Callback.objects.visible_to(person(request)).select_related("job__record")
    row: Any = mine.annotate(size=Length("raw"), short=F("raw")).filter(pk=pk).first()
    if row is None:
        raise Http404
    indented = "indented" in request.GET
    context = _row(row) | {
        "headers": sorted(row.headers.items()),
        "size": wording.megabytes(row.size),
        "cut": shown.cut(row.size),
        "body": shown.body(bytes(row.raw), indented=indented),
        "indented": indented,
        "can_indent": not indented and shown.can_indent(bytes(row.raw)),
    }
    return render(request, "transcripts/callback.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address(request: HttpRequest) -> HttpResponse:
    """Another address, after a question."""
    if request.method != "POST":
        return render(request, "transcripts/callbacks_address.html")
    hooks.replace(user=person(request))
    messages.success(request, NEW_ADDRESS)
    return redirect("callbacks")


@require_safe
@login_required
def body(request: HttpRequest, pk: int) -> HttpResponse:
    """The body as it came, byte for byte, to be saved."""
    return as_file(bytes(_mine(request, pk).raw), f"callback-{pk}.json")


@require_POST
@login_required
def application(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply it again, and back to the same list."""
    inbox.apply_again(callback=_mine(request, pk))
    messages.success(request, "This callback is being applied again.")
    return redirect(f"{_list(*_asked(request.POST))}#came")


def _mine(request: HttpRequest, pk: int) -> Callback:
    found = Callback.objects.visible_to(person(request)).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def as_file(raw: bytes, name: str) -> HttpResponse:
    """Foreign bytes, saved and never obeyed."""
    answer = HttpResponse(raw, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
