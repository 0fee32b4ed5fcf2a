"""The books: what each account was charged and given. Entries are only ever added.

A charge names its session and how many units that session has had in all, so telling it twice changes nothing. The
balance is read and written with the account's row locked, and every entry keeps the balance it left behind. A balance
of None is unlimited: its use is written down all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from memweb.gateway.models import Account, LedgerEntry
from memweb.speech import meter

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Heard:
    """How much audio a live session has had in all, to be charged by its ledger's own count of what was paid."""

    account_id: int
    session: str
    provider: str
    rate: Decimal
    """US dollars per hour."""
    audio_ms: int


def rate_of(provider: str) -> Decimal:
    """US dollars per hour of live audio. Raises KeyError for a provider without a price."""
    return meter.RATES[provider]


def can_begin(*, account_id: int, rate: Decimal) -> bool:
    """Whether the balance holds one unit at `rate` dollars an hour."""
    return can_pay(account_id=account_id, amount=meter.cost(1, rate))


def can_pay(*, account_id: int, amount: Decimal) -> bool:
    """Whether the balance holds this amount."""
    balance = Account.objects.values_list("balance", flat=True).get(pk=account_id)
    return balance is None or balance >= amount


def paid_units(*, account_id: int, session: str) -> int:
    """Units this session has been charged so far."""
    entries = LedgerEntry.objects.filter(account_id=account_id, session=session)
    return entries.order_by("-units").values_list("units", flat=True).first() or 0


def standing(*, account_id: int, session: str) -> tuple[Decimal | None, int]:
    """The balance of the account, and the units this session has been charged."""
    balance = Account.objects.values_list("balance", flat=True).get(pk=account_id)
    return balance, paid_units(account_id=account_id, session=session)


def charge(
    *, account_id: int, session: str, kind: str, provider: str, units: int, amount: Decimal, audio_ms: int
) -> bool:
    """Charge units that a session has newly begun. False when what is left pays no further unit like these.

    `units` counts all of the session up to now, these included; a count that was charged before changes nothing.
    `amount` and `audio_ms` are of the new units alone.
    """
    with transaction.atomic():
        account = _locked(account_id)
        already = paid_units(account_id=account_id, session=session)
        if units > already:
            _append(
                account,
                session=session,
                kind=kind,
                provider=provider,
                units=units,
                amount=amount,
                audio_ms=audio_ms,
            )
    return account.balance is None or account.balance >= _next_like(amount, units - already)


def charge_heard(heard: Iterable[Heard]) -> dict[int, Decimal | None]:
    """Charge live sessions for the units they have begun, in one transaction. The balances left, by account.

    Units are counted here, under the lock: two connections of one session cannot both charge the same unit. An account
    that is gone is left out.
    """
    balances: dict[int, Decimal | None] = {}
    ordered = sorted(heard, key=lambda one: one.account_id)  # locks are taken in one order everywhere
    with transaction.atomic():
        account: Account | None = None
        for one in ordered:
            if account is None or account.pk != one.account_id:
                account = Account.objects.select_for_update().filter(pk=one.account_id).first()
            if account is not None:
                _charge_one(account, one)
                balances[account.pk] = account.balance
    return balances


def file_price(*, provider: str, audio_ms: int, speaker: bool = False) -> Decimal:
    """What a whole file costs. Telling speakers apart doubles the price where the provider has a price for it."""
    rate = meter.RATES[provider]
    if speaker:
        rate = meter.RATES.get(f"{provider}-speaker", rate)
    return meter.file_cost(audio_ms, rate)


def charge_file(
    *, account_id: int, session: str, provider: str, kind: str, audio_ms: int, speaker: bool = False
) -> Decimal:
    """Charge a whole file by the second, once for each `session`. What it was charged."""
    amount = file_price(provider=provider, audio_ms=audio_ms, speaker=speaker)
    with transaction.atomic():
        account = _locked(account_id)
        known = LedgerEntry.objects.filter(account=account, session=session).first()
        if known is not None:
            return known.amount
        seconds = meter.seconds_of(audio_ms)
        _append(
            account,
            session=session,
            kind=kind,
            provider=provider,
            units=seconds,
            amount=amount,
            audio_ms=audio_ms,
        )
    return amount


def set_balance(*, account_id: int, balance: Decimal | None) -> Account:
    """Give the account this balance, from now on; None is unlimited. The change is an entry like every other."""
    with transaction.atomic():
        account = _locked(account_id)
        before = account.balance
        account.balance = balance
        account.save(update_fields=["balance"])
        LedgerEntry.objects.create(
            account=account,
            session=f"balance-{uuid.uuid4()}",
            kind=LedgerEntry.BALANCE,
            amount=(before or NOTHING) - (balance or NOTHING),
            balance_after=balance,
        )
    return account


def _charge_one(account: Account, heard: Heard) -> None:
    already = paid_units(account_id=account.pk, session=heard.session)
    units = meter.units_of(heard.audio_ms)
    if units <= already:
        return
    _append(
        account,
        session=heard.session,
        kind=LedgerEntry.LIVE,
        provider=heard.provider,
        units=units,
        amount=meter.cost(units, heard.rate) - meter.cost(already, heard.rate),
        audio_ms=(units - already) * meter.UNIT_MS,
    )


def _next_like(amount: Decimal, units: int) -> Decimal:
    """What a further unit costs, by the price of these: at least a micro-dollar, so that an empty balance is empty."""
    return max((amount / max(1, units)).quantize(meter.MICRO), meter.MICRO)


def _locked(account_id: int) -> Account:
    return Account.objects.select_for_update().get(pk=account_id)


def _append(
    account: Account, *, session: str, kind: str, provider: str, units: int, amount: Decimal, audio_ms: int
) -> None:
    """One entry, and the locked account's balance with it."""
    if account.balance is not None:
        account.balance -= amount
        account.save(update_fields=["balance"])
    LedgerEntry.objects.create(
        account=account,
        session=session,
        kind=kind,
        provider=provider,
        units=units,
        amount=amount,
        audio_ms=audio_ms,
        balance_after=account.balance,
    )
