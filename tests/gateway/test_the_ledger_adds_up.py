"""Charges are added once, never changed, and leave the balance they say."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connection, connections

from memweb.accounts.models import User
from memweb.gateway import keys, ledger
from memweb.gateway.models import Account, LedgerEntry
from memweb.speech import meter

RATE = meter.RATES["elevenlabs"]
UNIT = meter.cost(1, RATE)


@pytest.fixture
def account(db: None) -> Account:
    return keys.account_of(user=User.objects.create_user("alice"))


def charge(account: Account, units: int, amount: Decimal = UNIT, session: str = "a-session") -> bool:
    return ledger.charge(
        account_id=account.pk,
        session=session,
        kind="stream",
        provider="elevenlabs",
        units=units,
        amount=amount,
        audio_ms=5000,
    )


def balance(account: Account) -> Decimal | None:
    return Account.objects.get(pk=account.pk).balance


def taken(account: Account) -> Decimal:
    return sum((entry.amount for entry in LedgerEntry.objects.filter(account=account)), Decimal(0))


def test_a_balance_pays_unit_by_unit_and_then_no_more(account: Account) -> None:
    ledger.set_balance(account_id=account.pk, balance=UNIT * 2)
    assert ledger.can_begin(account_id=account.pk, rate=RATE)
    assert charge(account, 1), "one unit is left"
    assert not charge(account, 2), "and now none"
    assert balance(account) == 0
    assert not ledger.can_begin(account_id=account.pk, rate=RATE)


def test_the_same_units_told_twice_are_charged_once(account: Account) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal(1))
    assert [charge(account, 1), charge(account, 1), charge(account, 2), charge(account, 1)] == [True] * 4
    assert balance(account) == 1 - 2 * UNIT
    assert charge(account, 1, session="another"), "another session has units of its own"
    assert balance(account) == 1 - 3 * UNIT


def test_an_unlimited_balance_stays_so_and_its_use_is_written_down(account: Account) -> None:
    assert ledger.can_begin(account_id=account.pk, rate=RATE)
    assert charge(account, 1)
    assert balance(account) is None
    assert taken(account) == UNIT


def test_every_entry_says_the_balance_it_left(account: Account) -> None:
    ledger.set_balance(account_id=account.pk, balance=Decimal("0.5"))
    charge(account, 1)
    ledger.charge_file(account_id=account.pk, session="file", provider="whisper-1", kind="file", audio_ms=1500)
    ledger.set_balance(account_id=account.pk, balance=Decimal("0.25"))
    after = Decimal(0)
    for entry in LedgerEntry.objects.order_by("pk"):
        after -= entry.amount
        assert entry.balance_after == after
    assert balance(account) == after == Decimal("0.25")


def test_a_file_is_charged_by_the_second_and_doubled_for_speakers(account: Account) -> None:
    def file(session: str, speaker: bool) -> Decimal:
        return ledger.charge_file(
            account_id=account.pk,
            session=session,
            provider="whisper-1",
            kind="file",
            audio_ms=6780,
            speaker=speaker,
        )

    assert file("one", False) == Decimal("0.007")
    assert file("two", True) == Decimal("0.014")
    assert file("two", True) == Decimal("0.014"), "told again"
    assert taken(account) == Decimal("0.021")


def test_live_audio_is_charged_by_the_count_of_the_books(account: Account) -> None:
    def heard(ms: int, session: str = "s") -> ledger.Heard:
        return ledger.Heard(account.pk, session, "elevenlabs", RATE, ms)

    ledger.set_balance(account_id=account.pk, balance=Decimal(1))
    ledger.charge_heard([heard(1)])
    ledger.charge_heard([heard(12_000), heard(4_000), heard(1, "other")])
    left = ledger.charge_heard([heard(12_000), ledger.Heard(account.pk + 1000, "s", "elevenlabs", RATE, 1)])
    assert left == {account.pk: 1 - meter.cost(3, RATE) - UNIT}
    assert ledger.paid_units(account_id=account.pk, session="s") == 3
    live = LedgerEntry.objects.filter(kind=LedgerEntry.LIVE)
    assert sum(entry.audio_ms for entry in live) == 20_000, "a unit begun is five seconds"


def test_an_hour_in_units_costs_what_an_hour_costs(account: Account) -> None:
    for ms in range(5_000, 3_600_001, 50_000):
        ledger.charge_heard([ledger.Heard(account.pk, "s", "elevenlabs", RATE, ms)])
    ledger.charge_heard([ledger.Heard(account.pk, "s", "elevenlabs", RATE, 3_600_000)])
    assert taken(account) == RATE


def test_entries_cannot_be_changed_or_deleted(account: Account) -> None:
    charge(account, 1)
    entry = LedgerEntry.objects.get()
    entry.amount = Decimal(0)
    for forbidden in (entry.save, entry.delete, LedgerEntry.objects.all().delete):
        with pytest.raises(TypeError):
            forbidden()
    with pytest.raises(TypeError):
        LedgerEntry.objects.update(amount=0)
    assert LedgerEntry.objects.get().amount == UNIT
    account.user.delete()
    assert not LedgerEntry.objects.exists(), "an account takes its books along"


@pytest.mark.django_db(transaction=True)
def test_charges_that_come_at_once_wait_for_each_other() -> None:
    account = keys.account_of(user=User.objects.create_user("alice"))
    ledger.set_balance(account_id=account.pk, balance=Decimal(1))

    def work(name: int) -> None:
        try:
            for units in range(1, 6):
                charge(account, units, session=f"s{name}")
                charge(account, units, session="shared")
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert balance(account) == 1 - 25 * UNIT
    assert taken(account) == 25 * UNIT - 1
    assert connection.vendor in ("sqlite", "postgresql")
