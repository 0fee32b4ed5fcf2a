"""The page of usage and cost: one's own; for the owner of the machine everybody's, and their balances."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from memweb.accounts.models import User
from memweb.gateway import keys, ledger, usage
from memweb.gateway.amounts import BadAmount, read_amount, write_amount
from memweb.gateway.models import Account
from memweb.gateway.providers.bindings import answering


class _BalanceForm(forms.Form):
    balance = forms.CharField(max_length=40)

    def clean_balance(self) -> Decimal | None:
        try:
            return read_amount(self.cleaned_data["balance"])
        except BadAmount as error:
            raise ValidationError(str(error)) from None


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)  # every view here asks for a signed-in person first


@login_required
@require_safe
def usage_page(request: HttpRequest) -> HttpResponse:
    """A month of one's own, or of the person the owner asks for."""
    return _page(request, _of_whom(request))


@login_required
@require_safe
def usage_csv(request: HttpRequest) -> HttpResponse:
    """The same month as a table for spreadsheets."""
    first = _month(request)
    content = usage.csv_of(account=keys.account_of(user=_of_whom(request)), first=first)
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="memweb-usage-{first:%Y-%m}.csv"'
    return response


@login_required
@require_POST
def balance(request: HttpRequest, pk: int) -> HttpResponse:
    """Set somebody's balance: an amount, or unlimited."""
    if not _person(request).is_superuser:
        raise PermissionDenied
    person = get_object_or_404(User, pk=pk, is_active=True)
    form = _BalanceForm(request.POST)
    if not form.is_valid():
        told = {"refused": person, "typed": request.POST.get("balance", "")[:40], "refusal": form.errors["balance"][0]}
        return _page(request, _person(request), status=422, **told)
    ledger.set_balance(account_id=keys.account_of(user=person).pk, balance=form.cleaned_data["balance"])
    messages.success(request, f"The balance of {person.username} is set.")
    return redirect(reverse("usage") + "#accounts")


def _balances() -> list[tuple[User, str]]:
    """Everybody, and their balance as it would be typed."""
    known = dict(Account.objects.values_list("user_id", "balance"))
    people = User.objects.filter(is_active=True).order_by("username")
    return [(person, write_amount(known.get(person.pk))) for person in people]


def _of_whom(request: HttpRequest) -> User:
    """The person whose books are asked for. Others' do not exist, but for the owner."""
    asked = request.GET.get("user", "")
    person = _person(request)
    if not asked or asked == person.username:
        return person
    if not person.is_superuser:
        raise Http404
    return get_object_or_404(User, username=asked)


def _month(request: HttpRequest) -> date:
    """The first day of the month asked for; this month where none is. Raises Http404."""
    asked = request.GET.get("month", "")
    if not asked:
        return timezone.localdate().replace(day=1)
    try:
        first = date.fromisoformat(f"{asked}-01")
    except ValueError:
        raise Http404 from None
    if not 2000 <= first.year <= 2100:
        raise Http404
    return first


def _page(request: HttpRequest, person: User, *, status: int = 200, **extra: Any) -> HttpResponse:
    account = keys.account_of(user=person)
    viewer = _person(request)
    context = {
        "person": person,
        "own": person == viewer,
        "account": account,
        "month": usage.month_of(account=account, first=_month(request)),
        "this_month": timezone.localdate().replace(day=1),
        "answering": [(usage.NAMES[name], host) for name, host in answering().items()],
        "people": _balances() if viewer.is_superuser else None,
        **extra,
    }
    return render(request, "gateway/usage.html", context, status=status)
