"""The page of API keys: made here, shown once, revoked here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from memweb.accounts.forms import NameField
from memweb.accounts.models import User
from memweb.gateway import keys as services
from memweb.gateway.models import ApiKey

LIVES = {"": "never", "30": "in 30 days", "90": "in 90 days", "365": "in a year"}


class _KeyForm(forms.Form):
    name = NameField(max_length=100)
    files_only = forms.BooleanField(required=False)
    expires = forms.ChoiceField(choices=list(LIVES.items()), required=False)

    def clean_expires(self) -> timedelta | None:
        days = self.cleaned_data["expires"]
        return timedelta(days=int(days)) if days else None


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)  # every view here asks for a signed-in person first


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """This person's keys; a POST makes one and shows its secret in the answer, and never again."""
    if request.method != "POST":
        return _page(request)
    form = _KeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    key, secret = services.create_key(
        user=_person(request),
        name=form.cleaned_data["name"],
        streams_allowed=not form.cleaned_data["files_only"],
        expires_in=form.cleaned_data["expires"],
    )
    return _page(request, made=key, secret=secret)


@login_required
@require_POST
def revocation(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one key of one's own. Somebody else's does not exist."""
    services.revoke_key(key=get_object_or_404(ApiKey, pk=pk, account__user=_person(request)))
    return redirect("keys")


def _page(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    own = ApiKey.objects.filter(account__user=_person(request)).order_by("revoked_at", "-created_at")
    address = request.build_absolute_uri("/").rstrip("/")
    context = {"keys": own, "address": address, "lives": LIVES.items(), "now": timezone.now(), **extra}
    return render(request, "gateway/keys.html", context, status=status)
