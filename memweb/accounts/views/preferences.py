"""The settings page and what it saves. Every part works as a plain form; htmx saves as things are changed."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from memweb.accounts import services
from memweb.accounts.forms import GatewayForm, PasswordForm, PersonForm, PreferencesForm
from memweb.accounts.gateways import gateway_chosen
from memweb.accounts.models import User
from memweb.upstream.address import gateway_for
from memweb.upstream.trial import Trial, try_gateway


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)  # every view here asks for a signed-in person first


@login_required
@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    """Everything that can be chosen."""
    return _settings(request)


@login_required
@require_POST
def preference(request: HttpRequest) -> HttpResponse:
    """Save the choices named by the hidden ``field`` inputs of one form, and no others."""
    user = _person(request)
    form = PreferencesForm(request.POST, instance=services.preferences_of(user))
    named = set(request.POST.getlist("field"))
    form.fields = {name: field for name, field in form.fields.items() if name in named}
    if not form.fields or not form.is_valid():
        return _refused(request, "This cannot be chosen here. Reload the page and choose again.")
    services.save_preferences(user=user, **form.cleaned_data)
    return _saved(request)


@login_required
@require_POST
def gateway(request: HttpRequest) -> HttpResponse:
    """Choose the built-in gateway or another; an empty key field keeps the key that is there."""
    try:
        typed = _typed_gateway(request)
    except ValidationError as error:
        return _refused(request, error.messages[0])
    services.choose_gateway(user=_person(request), chosen=typed)
    return _saved(request)


@login_required
@require_POST
def gateway_trial(request: HttpRequest) -> HttpResponse:
    """Try the gateway that is typed, which need not be saved, and say what came of it."""
    try:
        typed = _typed_gateway(request)
    except ValidationError as error:
        trial = Trial(False, error.messages[0])
    else:
        trial = try_gateway(gateway_chosen(_person(request), typed))
    if request.headers.get("HX-Request"):
        return render(request, "registration/_trial.html", {"trial": trial})
    (messages.success if trial.works else messages.warning)(request, trial.sentence)
    return redirect(reverse("settings") + "#gateway")


@login_required
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Set or change the password. This session goes on, all others end."""
    user = _person(request)
    form = PasswordForm(request.POST, user=user)
    if not form.is_valid():
        return _settings(request, status=422, password_form=form)
    services.change_password(user=user, password=form.cleaned_data["password"])
    update_session_auth_hash(request, user)
    messages.success(request, "The password is set. Other devices are signed out.")
    return redirect(reverse("settings") + "#account")


@login_required
@require_POST
def people(request: HttpRequest) -> HttpResponse:
    """Add a further user and show the link that lets them in, once."""
    _owner_only(request)
    form = PersonForm(request.POST)
    if not form.is_valid():
        return _settings(request, status=422, person_form=form)
    return _show_link(request, services.add_person(name=form.cleaned_data["name"]))


@login_required
@require_POST
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """A fresh sign-in link for somebody, shown once."""
    _owner_only(request)
    return _show_link(request, get_object_or_404(User, pk=pk, is_active=True))


@login_required
@require_POST
def forget_everywhere(request: HttpRequest) -> HttpResponse:
    """Sign out on every device, this one included."""
    services.sign_out_everywhere(user=_person(request))
    return redirect("sign-in")


def _typed_gateway(request: HttpRequest) -> services.ChosenGateway:
    """The gateway as the form has it. Raises ValidationError with a sentence."""
    if request.POST.get("where") == "built-in":
        return services.ChosenGateway()
    form = GatewayForm(request.POST, user=_person(request))
    if not form.is_valid():
        raise ValidationError(_first_error(form))
    url, key = form.cleaned_data["url"], form.cleaned_data["key"]
    kept = services.gateway_of(_person(request))
    # A kept key belongs to the address it was given for: it does not travel to another.
    return services.ChosenGateway(url, key or (kept.key if url == kept.url else ""))


def _owner_only(request: HttpRequest) -> None:
    if not _person(request).is_superuser:
        raise PermissionDenied


def _show_link(request: HttpRequest, person: User) -> HttpResponse:
    path = reverse("sign-in-link", args=[services.make_link(user=person)])
    return _settings(request, new_link=request.build_absolute_uri(path), new_person=person)


def _settings(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    user = _person(request)
    preferences = services.preferences_of(user)
    context = {
        "preferences": preferences,
        "form": PreferencesForm(instance=preferences),
        "set_up": gateway_for(user_id=user.pk),
        "people": User.objects.order_by("username") if user.is_superuser else None,
        **extra,
    }
    return render(request, "registration/settings.html", context, status=status)


def _saved(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return render(request, "registration/_saved.html")
    messages.success(request, "Saved.")
    return redirect("settings")


def _refused(request: HttpRequest, sentence: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return render(request, "registration/_saved.html", {"refusal": sentence})
    messages.warning(request, sentence)
    return redirect("settings")


def _first_error(form: forms.Form) -> str:
    return str(next(iter(form.errors.values()))[0])
