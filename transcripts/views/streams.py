"""Streams on the air: start one by its address, see it, stop it."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memweb.accounts.choices import DETECT, LANGUAGES, PROVIDERS
from memweb.accounts.gateways import listeners
from memweb.speech import meter
from memweb.upstream.address import Gateway
from transcripts import streaming
from transcripts.callbacks import hooks
from transcripts.errors import LibraryError, Refused
from transcripts.files import asked
from transcripts.models import Job, Record
from transcripts.shown import aired, wording
from transcripts.streams import LACKS, UNTIL, being_said_to
from transcripts.views.lookup import person, record_of

SCHEMES = ("rtmp", "rtmps", "rtsp", "rtsps", "http", "https")
LAST_WORDS = 3
ENDED = 10


class StreamForm(forms.Form):
    """What a stream needs."""

    address = forms.CharField(max_length=2000, strip=True)
    title = forms.CharField(max_length=300, required=False)
    provider = forms.ChoiceField(choices=PROVIDERS)
    language = forms.ChoiceField(choices=[DETECT, *LANGUAGES], required=False)
    minutes = forms.IntegerField(min_value=1, max_value=24 * 60, required=False)

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        try:
            split = urlsplit(address)
        except ValueError:
            split = urlsplit("")
        if split.scheme not in SCHEMES or not split.hostname:
            raise forms.ValidationError("Paste a whole address that begins with rtmp, rtsp, http or https.")
        return address


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def streams(request: HttpRequest) -> HttpResponse:
    """The page of streams; a POST starts one and leads to its record."""
    if request.method != "POST":
        return _page(request, StreamForm(initial={"provider": PROVIDERS[0][0]}))
    form = StreamForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    given = form.cleaned_data
    try:
        record = streaming.start(
            user=person(request), address=given["address"], provider=given["provider"], language=given["language"],
            title=given["title"], minutes=given["minutes"] or 0,
        )  # fmt: skip
    except LibraryError as error:
        form.add_error("address" if isinstance(error, Refused) else None, str(error))
        return _page(request, form, status=422)
    return redirect("record", record.pk)


@require_safe
@login_required
def air(request: HttpRequest) -> HttpResponse:
    """The streams on the air, for the page that shows them."""
    return render(request, "transcripts/_air.html", {"streams": _on_air(request), "ended": _ended(request)})


@require_safe
@login_required
def again(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """The page of streams, its form filled as for the stream of this record."""
    record = record_of(request, record_id)
    job = record.jobs.filter(kind=Job.Kind.STREAM).last()
    initial = {
        "address": aired.address_of(job), "title": record.title, "provider": record.provider,
        "language": record.language, "minutes": _minutes(job),
    }  # fmt: skip
    return _page(request, StreamForm(initial=initial), lacks=bool(job and job.options.get(LACKS)))


def _minutes(job: Job | None) -> int | None:
    """After how many it was to stop."""
    until = parse_datetime(str(job.options.get(UNTIL) or "")) if job else None
    return max(round((until - job.created_at).total_seconds() / 60), 1) if job and until else None


@require_POST
@login_required
def stop(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    """Stop a stream of one's own, from the page of streams or, `from` "record", from its record."""
    record = record_of(request, record_id)
    try:
        streaming.stop(record=record)
    except LibraryError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Stopping. The last words follow in a moment.")
    return redirect("record", record.pk) if request.POST.get("from") == "record" else redirect("streams")


def _page(request: HttpRequest, form: StreamForm, *, lacks: bool = False, status: int = 200) -> HttpResponse:
    gateway = asked.gateway_of(person(request))
    context = {
        "form": form, "providers": listeners(gateway), "prices": _prices(gateway),
        "languages": [DETECT, *LANGUAGES], "gateway": gateway,
        "hook": hooks.address_of(person(request)), "out_of_reach": hooks.is_out_of_reach(gateway),
        "lacks": lacks, "streams": _on_air(request), "ended": _ended(request),
    }  # fmt: skip
    return render(request, "transcripts/streams.html", context, status=status)


def _prices(gateway: Gateway) -> list[str]:
    """What listening costs, where it does."""
    return [f"{label} at ${meter.RATES[name]} an hour" for name, label in PROVIDERS if gateway.host_of(name)]


def _on_air(request: HttpRequest) -> list[dict[str, object]]:
    records = Record.objects.visible_to(person(request)).filter(source=Record.Source.STREAM, status=Record.Status.LIVE)
    records = records.order_by("-started_at").select_related("current_version").prefetch_related("jobs")
    return [_shown(record) for record in records]


def _ended(request: HttpRequest) -> list[dict[str, object]]:
    """The last few that are over."""
    records = Record.objects.visible_to(person(request)).filter(source=Record.Source.STREAM)
    records = records.exclude(status=Record.Status.LIVE).newest_first().prefetch_related("jobs")
    return [_over(record) for record in records[:ENDED]]


def _over(record: Record) -> dict[str, object]:
    job = _job_of(record)
    return {
        "record": record, "title": wording.title_of(record), "address": aired.address_of(job),
        "clock": wording.clock(record.duration_ms), "when": wording.moment(record.ended_at or record.started_at),
        "words": wording.end_of(job), "is_bad": wording.did_not_start(job),
        "reason": record.status_reason, "url": reverse("record", args=[record.pk]),
    }  # fmt: skip


def _job_of(record: Record) -> Job | None:
    """Its job among those that were fetched for all at once."""
    mine = [job for job in record.jobs.all() if job.kind == Job.Kind.STREAM]
    return max(mine, key=lambda one: one.pk, default=None)


def _shown(record: Record) -> dict[str, object]:
    job = _job_of(record)
    said = list(record.current_version.segments.shown().reverse()[:LAST_WORDS]) if record.current_version else []
    gaps = record.marks.filter(is_gap=True, at_ms__gte=said[-1].start_ms if said else 0)
    words = sorted([*((row.start_ms, row.text, False) for row in said), *((gap.at_ms, gap.note, True) for gap in gaps)])
    return {
        "said": being_said_to(job) if job else "",
        "record": record, "title": wording.title_of(record), "address": aired.address_of(job),
        "clock": wording.clock(record.duration_ms), "words": words,
        "state": wording.state_of(record, [job] if job else [], edited=False, now=timezone.now()),
        "provider": aired.listener_of(record), "until": wording.stops_at(job) if job else "",
        "cost": aired.cost_of(record), "url": reverse("record", args=[record.pk]),
    }  # fmt: skip
