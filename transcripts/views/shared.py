"""A record as it is read by a link, without signing in: its current text, and its recording where the link says so.

Nothing here knows the visitor: no session is opened, no cookie set. What does not work looks the same, whatever it was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from transcripts import queries
from transcripts.models import Recording, Share
from transcripts.shown import wording
from transcripts.taken_away import sharing
from transcripts.views import audio
from transcripts.views.segments import chunk, place_of

View = Callable[[HttpRequest, Share], HttpResponseBase]
Door = Callable[[HttpRequest, str], HttpResponseBase]


def by_token(kind: str) -> Callable[[View], Door]:
    """A view of a link of this kind that works; for any other, one calm page, and a wait after too many of them."""

    def guarded(view: View) -> Door:
        @require_safe
        @wraps(view)
        def answer(request: HttpRequest, token: str) -> HttpResponseBase:
            share = sharing.followed(token, kind)
            try:
                response = view(request, share) if share else _gone(_wait(request))
            except Http404:  # nothing of this link's: no guess either
                response = _gone(0)
            response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
            response.headers["Referrer-Policy"] = "no-referrer"
            return response

        return answer

    return guarded


def _wait(request: HttpRequest) -> int:
    """Seconds this visitor has to wait after too many links that do not work, else 0."""
    return sharing.guesses.missed(request.META.get("REMOTE_ADDR") or "unknown")


def _gone(wait: int) -> HttpResponse:
    status, headers = (429, {"Retry-After": str(wait)}) if wait else (404, {})
    return HttpResponse(render_to_string("shared/gone.html", {"wait": wait}), status=status, headers=headers)


@by_token(Share.Kind.TEXT)
def page(request: HttpRequest, share: Share) -> HttpResponseBase:
    """The text as it stands now, a hundred segments at a time: `after` is the place to go on from."""
    record, version = share.record, share.record.current_version
    recording = _recording(share)
    context: dict[str, object] = {
        "record": record,
        "token": request.resolver_match.kwargs["token"] if request.resolver_match else "",
        "title": wording.title_of(record),
        "day": wording.day(record.started_at),
        "length": wording.clock(record.duration_ms),
        "seconds": record.duration_ms // 1000,
        "language": wording.language((version.language if version else "") or record.language),
        "lang": (version.language if version else "") or record.language,
        "recording": recording,
    }
    after = place_of(request.GET.get("after", ""))
    if version is not None:
        context |= chunk(record, version, after, queries.talk_time(version.pk), plays=recording is not None)
    part = bool(request.headers.get("HX-Request"))
    return HttpResponse(render_to_string(f"shared/{'_turns' if part else 'page'}.html", context))


@by_token(Share.Kind.TEXT)
def sound(request: HttpRequest, share: Share) -> HttpResponseBase:
    """The recording, in ranges."""
    return audio.served(request, _recording_or_404(share))


@by_token(Share.Kind.TEXT)
def peaks(request: HttpRequest, share: Share) -> HttpResponseBase:
    """The recording's waveform."""
    return audio.waveform(request, _recording_or_404(share))


@by_token(Share.Kind.TEXT)
def voices(request: HttpRequest, share: Share) -> HttpResponseBase:
    """Who speaks when, for the waveform."""
    _recording_or_404(share)
    version = share.record.current_version
    return JsonResponse({"runs": queries.voice_runs(version.pk) if version else []})


def _recording(share: Share) -> Recording | None:
    return Recording.objects.filter(record=share.record_id).first() if share.with_audio else None


def _recording_or_404(share: Share) -> Recording:
    recording = _recording(share)
    if recording is None:
        raise Http404
    return recording
