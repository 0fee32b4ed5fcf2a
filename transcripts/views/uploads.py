"""The upload page: choose files, say what is wanted of them, see how each stands."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files import File
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memweb.accounts import services as accounts
from memweb.media import kinds
from transcripts import jobs, uploads
from transcripts.errors import Refused, UploadError
from transcripts.files import asked, importing, queue
from transcripts.files import sample as recorded
from transcripts.hearing import again as hearing
from transcripts.models import Upload
from transcripts.shown import wording
from transcripts.views.lookup import person, record_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def upload(request: HttpRequest) -> HttpResponse:
    """The page; a plain form posts its files here where there are no scripts."""
    if request.method == "POST":
        for file in request.FILES.getlist("files"):
            _take(request, file)
        return redirect("upload")
    rows = queue.rows_of(person(request), timezone.now())
    context = {
        "rows": rows,
        "sum": queue.sum_of(person(request), timezone.now()),
        "sample": recorded.path() is not None,
        "sample_price": recorded.price(person(request)),
        **asked.context(person(request)),
        **_limits(),
    }
    return render(request, "transcripts/upload.html", context)


def _limits() -> dict[str, object]:
    return {
        "largest": wording.megabytes(uploads.largest()),
        "kinds": kinds.NAMES.replace("-", "\N{NON-BREAKING HYPHEN}"),
        "transcripts": ", ".join(name.upper() for name in importing.READABLE),
        "largest_bytes": uploads.largest(),
    }


def _take(request: HttpRequest, file: File[bytes]) -> None:
    try:
        made = uploads.begin(
            owner_id=person(request).pk,
            name=file.name or "",
            size=file.size or 0,
            options=asked.options_of(person(request)).kept(),
        )
        uploads.append(upload_id=made.pk, offset=0, pieces=file.chunks())
        uploads.take(upload_id=made.pk)
    except UploadError as error:
        messages.error(request, f"{uploads.named(file.name or '')}: {error}")


@require_safe
@login_required
def row(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """How one file stands. Asked for again while that changes."""
    return _row(request, upload_id)


def _row(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    user, now = person(request), timezone.now()
    found = queue.find(user, upload_id)
    if found is None:
        raise Http404
    row = queue.row_of(found, now, asked.gateway_of(user))
    if row.is_queued:
        return render(request, "transcripts/_upload.html", {"row": row})
    return render(request, "transcripts/_row_and_sum.html", {"row": row, "sum": queue.sum_of(user, now)})


@require_POST
@login_required
def options(request: HttpRequest) -> HttpResponse:
    """What is wanted of the next files, remembered."""
    chosen = asked.read_form(request.POST)
    accounts.save_preferences(user=person(request), file_options=chosen.kept())
    if not request.headers.get("HX-Request"):
        return redirect("upload")
    context = {**asked.context(person(request)), "is_open": True, "sample_price": recorded.price(person(request))}
    return render(request, "transcripts/_options_and_price.html", context)


@require_POST
@login_required
def sample(request: HttpRequest) -> HttpResponse:
    """Take the recording that comes with the engine, as if it had been uploaded."""
    path = recorded.path()
    if path is None:
        raise Http404
    try:
        kept = {**asked.options_of(person(request)).kept(), "again": True}
        made = uploads.begin(owner_id=person(request).pk, name=recorded.NAME, size=path.stat().st_size, options=kept)
        uploads.append(upload_id=made.pk, offset=0, pieces=[path.read_bytes()])
        uploads.take(upload_id=made.pk)
    except UploadError as error:
        messages.error(request, str(error))
    return redirect("upload")


@require_POST
@login_required
def again(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The same recording is here already: have it heard once more all the same."""
    found = _own(request, upload_id)
    if found.status != Upload.Status.DUPLICATE or found.duplicate_of_id is None:
        raise Http404
    record = record_of(request, found.duplicate_of_id)
    try:
        hearing.start(record_id=record.pk, options=asked.options_of(person(request)).kept())
    except Refused as error:
        messages.error(request, str(error))
    uploads.remove(upload=found)
    return _gone(request, record.pk)


def _gone(request: HttpRequest, record_id: uuid.UUID) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": f"/transcripts/{record_id}/"})
    return redirect("record", record_id)


@require_POST
@login_required
def dismissal(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Off the list. A record made of it stays in the library."""
    uploads.remove(upload=_own(request, upload_id))
    return HttpResponse() if request.headers.get("HX-Request") else redirect("upload")


@require_POST
@login_required
def clearing(request: HttpRequest) -> HttpResponse:
    """All that has come to its end without trouble goes off the list. The records stay in the library."""
    rows = [row for row in queue.rows_of(person(request), timezone.now()) if row.state.look == "ok"]
    for row in rows:
        uploads.remove(upload=row.upload)
    if request.headers.get("HX-Request"):
        return render(request, "transcripts/_cleared.html", {"rows": rows})
    return redirect("upload")


@require_POST
@login_required
def retry(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Start over what failed, from here."""
    found = _own(request, upload_id)
    if found.record is None:
        raise Http404
    jobs.retry(record_id=found.record.pk, job_id=wording.retried_of(found.record))
    return _row(request, upload_id) if request.headers.get("HX-Request") else redirect("upload")


@require_POST
@login_required
def stop(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Stop what is being done with it. The recording stays."""
    found = _own(request, upload_id)
    if found.record_id is None:
        raise Http404
    jobs.cancel(record_id=found.record_id)
    return _row(request, upload_id) if request.headers.get("HX-Request") else redirect("upload")


def _own(request: HttpRequest, upload_id: uuid.UUID) -> Upload:
    found = Upload.objects.visible_to(person(request)).filter(pk=upload_id).first()
    if found is None:
        raise Http404
    return found
