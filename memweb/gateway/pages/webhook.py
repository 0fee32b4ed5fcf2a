"""The pages of the webhook: its address, its secret, and every delivery with every try."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memweb.accounts.models import User
from memweb.gateway import guard, keys, webhooks
from memweb.gateway.models import Account, Delivery, WebhookEndpoint

PAGE = 50
LATEST = 5


class _AddressForm(forms.Form):
    url = forms.CharField(max_length=guard.LONGEST_URL, label="Address")


def _account(request: HttpRequest) -> Account:
    return keys.account_of(user=cast("User", request.user))  # every view here asks for a signed-in person first


def _endpoint(request: HttpRequest) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint, account=_account(request))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest) -> HttpResponse:
    """The address; a POST sets it, and shows a new secret in the answer and never again."""
    if request.method != "POST":
        return _page(request)
    form = _AddressForm(request.POST)
    if not form.is_valid():
        return _page(request, problem="Give the address to post to, as https://example.org/hook.", status=422)
    try:
        _, secret = webhooks.set_address(account_id=_account(request).pk, url=form.cleaned_data["url"])
    except guard.Forbidden as error:
        return _page(request, problem=str(error), given=form.cleaned_data["url"], status=422)
    return _page(request, secret=secret, saved=True)


@login_required
@require_POST
def webhook_secret(request: HttpRequest) -> HttpResponse:
    """Another secret, shown in the answer and never again. The former one signs too for a day."""
    return _page(request, secret=webhooks.replace_secret(endpoint=_endpoint(request)), replaced=True)


@login_required
@require_POST
def webhook_state(request: HttpRequest) -> HttpResponse:
    """Pause it, or resume it: by `state`."""
    endpoint = _endpoint(request)
    if request.POST.get("state") == "paused":
        webhooks.pause(endpoint=endpoint)
    else:
        webhooks.resume(endpoint=endpoint)
    return redirect("webhook")


@login_required
@require_POST
def webhook_removal(request: HttpRequest) -> HttpResponse:
    webhooks.remove(account_id=_account(request).pk)
    return redirect("webhook")


@login_required
@require_POST
def webhook_trial(request: HttpRequest) -> HttpResponse:
    """Send a test delivery; its page says what came of it."""
    if webhooks.send_test(endpoint=_endpoint(request)) is None:
        messages.warning(request, "The receiver said that it is gone. Save its address again, then test.")
        return redirect("webhook")
    return redirect("deliveries")


@login_required
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """Every delivery, newest first, by state and task; a fragment for htmx, which asks while some were never tried."""
    rows = webhooks.deliveries(account_id=_account(request).pk)
    state, task = request.GET.get("state", ""), request.GET.get("task", "").strip()[:64].replace("\0", "")
    if state in Delivery.State.values:
        rows = rows.filter(state=state)
    if task:
        rows = rows.filter(lane__task_id=task)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    shown = list(rows[: PAGE + 1])
    context: dict[str, Any] = {"deliveries": shown[:PAGE], "more": shown[PAGE - 1].pk if len(shown) > PAGE else None}
    context |= {"state": state, "task": task, "states": Delivery.State.choices}
    context["pending"] = not before and any(_is_new(row) for row in shown)
    template = "gateway/_deliveries.html" if request.htmx else "gateway/deliveries.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _is_new(delivery: Delivery) -> bool:
    """Whether it is about to be tried for the first time."""
    return delivery.state == "waiting" and not delivery.attempts.all() and not webhooks.is_held(delivery)


@login_required
@require_POST
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Send one of one's own again. Somebody else's does not exist."""
    delivery = webhooks.replay(delivery=get_object_or_404(Delivery, pk=pk, lane__account=_account(request)))
    if webhooks.is_held(delivery):
        messages.warning(request, "It waits until you resume, then it is sent with the id it had.")
    else:
        messages.success(request, "It is sent again, with the id it had.")
    return redirect("deliveries")


def _page(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    account = _account(request)
    latest = webhooks.deliveries(account_id=account.pk)[:LATEST]
    endpoint = webhooks.find(account_id=account.pk)
    context = {"endpoint": endpoint, "given": endpoint.url if endpoint else "", "deliveries": latest, **extra}
    return render(request, "gateway/webhook.html", context, status=status)
