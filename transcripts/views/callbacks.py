"""What gateways have posted: where they post to, what came of each, its body as text, and applying it again."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from transcripts.callbacks import applying as inbox
from transcripts.callbacks import hooks
from transcripts.callbacks.inbox import Callback
from transcripts.files import asked
from transcripts.shown import wording
from transcripts.views.lookup import person

PAGE = 50
LOOKS = {Callback.State.APPLIED: "ok", Callback.State.UNREADABLE: "bad"}
NEW_ADDRESS = "This is the new address. The former one is unknown now: tell it to your gateway."


@require_safe
@login_required
def callbacks(request: HttpRequest) -> HttpResponse:
    """The page of callbacks, the newest first."""
    mine = Callback.objects.visible_to(person(request))
    state = request.GET.get("state", "")
    shown = mine.filter(state=state) if state in Callback.State.values else mine
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        shown = shown.filter(pk__lt=int(before))
    rows = list(shown.newest_first().select_related("job__record").defer("raw")[: PAGE + 1])
    gateway = asked.gateway_of(person(request))
    context = {
        "address": hooks.address_of(person(request)),
        "out_of_reach": not gateway.built_in and hooks.is_out_of_reach(gateway),
        "rows": [_row(row) for row in rows[:PAGE]],
        "states": [(value, label, value == state) for value, label in Callback.State.choices],
        "state": state if state in Callback.State.values else "",
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "any": bool(rows) or mine.exists(),
    }
    return render(request, "transcripts/callbacks.html", context)


def _row(row: Callback) -> dict[str, object]:
    record = row.job.record if row.job else None
    return {
        "row": row,
        "day": wording.moment(row.arrived_at),
        "record": record if record and record.deleted_at is None else None,
        "title": wording.title_of(record) if record else "No record yet",
        "look": LOOKS.get(Callback.State(row.state), "done"),
        "came": row.repeats + 1,
    }


@require_POST
@login_required
def address(request: HttpRequest) -> HttpResponse:
    """Another address."""
    hooks.replace(user=person(request))
    messages.success(request, NEW_ADDRESS)
    return redirect("callbacks")


@require_safe
@login_required
def body(request: HttpRequest, pk: int) -> HttpResponse:
    """The body as it came, as text; bytes that are no text show as U+FFFD."""
    return as_text(bytes(_mine(request, pk).raw))


@require_POST
@login_required
def application(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply it again."""
    inbox.apply_again(callback=_mine(request, pk))
    messages.success(request, "This callback is being applied again.")
    return redirect("callbacks")


def _mine(request: HttpRequest, pk: int) -> Callback:
    found = Callback.objects.visible_to(person(request)).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def as_text(raw: bytes) -> HttpResponse:
    """Foreign bytes, shown and never obeyed."""
    answer = HttpResponse(raw.decode("utf-8", "replace"), content_type="text/plain; charset=utf-8")
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
