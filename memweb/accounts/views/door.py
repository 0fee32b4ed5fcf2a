"""The way in and out: link, name and password, sign-up where it is open, sign-out, the first visit."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memweb import doctor
from memweb.accounts import services
from memweb.accounts.forms import RegistrationForm
from memweb.accounts.gateways import gateway_in_use
from memweb.accounts.models import User

BACKEND = "django.contrib.auth.backends.ModelBackend"


class _Credentials(forms.Form):
    username = forms.CharField(max_length=150)
    password = forms.CharField(max_length=1024, strip=False)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password. A wrong pair is told without saying which half was wrong."""
    onward = _onward(request)
    if request.method != "POST":
        return redirect(onward) if request.user.is_authenticated else _door(request, onward=onward)
    typed = _Credentials(request.POST)
    user = authenticate(request, **typed.cleaned_data) if typed.is_valid() else None
    if user is None:
        name = typed.cleaned_data.get("username", "")
        sentence = "The name and the password do not belong together."
        return _door(request, onward=onward, name=name, error=sentence, status=422)
    login(request, user)
    return redirect(onward)


@never_cache
@require_safe
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link. Only a person's own GET uses it up: not a HEAD, not a browser's guess at the next page."""
    looks_only = request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")
    if looks_only or "prefetch" in request.headers.get("Purpose", ""):
        return HttpResponse(status=204)
    user = services.use_link(token=token)
    if user is None:
        if request.user.is_authenticated:
            return redirect("/")
        return render(request, "registration/link_used.html", status=410)
    first = user.last_login is None
    login(request, user, backend=BACKEND)
    if first:
        _greet(request, user)
    return redirect("/")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session; its sockets end with it."""
    logout(request)
    return redirect("sign-in")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of one's own, where the owner has opened that; else there is no such page."""
    if not settings.OPEN_REGISTRATION:
        raise Http404
    if request.method != "POST":
        return render(request, "registration/sign_up.html", {"form": RegistrationForm()})
    form = RegistrationForm(request.POST)
    if not form.is_valid():
        return render(request, "registration/sign_up.html", {"form": form}, status=422)
    user = services.add_person(**form.cleaned_data)
    login(request, user, backend=BACKEND)
    _greet(request, user)
    return redirect("/")


@login_required
@require_safe
def welcome(request: HttpRequest) -> HttpResponse:
    """What this machine can do today, as it really is."""
    gateway = gateway_in_use(cast("User", request.user))
    return render(request, "registration/welcome.html", {"findings": doctor.for_newcomers(), "gateway": gateway})


def locked_out(request: HttpRequest, response: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """Too many wrong passwords: called by axes in place of the sign-in page."""
    wait_s = int(settings.AXES_COOLOFF_TIME.total_seconds())
    page = render(request, "429.html", {"wait_s": wait_s}, status=429)
    page["Retry-After"] = str(wait_s)
    return page


def _door(request: HttpRequest, *, onward: str, name: str = "", error: str = "", status: int = 200) -> HttpResponse:
    context = {"next": onward, "name": name, "error": error, "open": settings.OPEN_REGISTRATION}
    return render(request, "registration/sign_in.html", context, status=status)


def _onward(request: HttpRequest) -> str:
    """Where the person was going; the first page, when that is missing or not ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else "/"


def _greet(request: HttpRequest, user: User) -> None:
    sentence = "This memweb is yours." if user.is_superuser else "You are signed in."
    messages.info(
        request,
        format_html('{} <a class="link" href="{}">See what this machine can do</a>', sentence, reverse("welcome")),
    )
