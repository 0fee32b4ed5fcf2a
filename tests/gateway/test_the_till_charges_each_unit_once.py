"""A frame costs a comparison; charges are written beside it, in groups, and each unit of a session only once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from memweb.accounts.models import User
from memweb.gateway import keys, ledger
from memweb.gateway import till as tills
from memweb.gateway.models import Account, LedgerEntry
from memweb.gateway.till import Empty, Till
from memweb.speech import meter

pytestmark = pytest.mark.django_db(transaction=True)

RATE = meter.RATES["assemblyai"]
UNIT = meter.cost(1, RATE)


@pytest.fixture
def account() -> Iterator[Account]:
    yield keys.account_of(user=User.objects.create_user("alice"))
    tills._thread.submit(lambda: __import__("django.db").db.connections.close_all()).result()


def opened(till: Till, account: Account, **of_session: Any) -> Any:
    return till.open(account_id=account.pk, **({"session": "s", "provider": "assemblyai"} | of_session))


@database_sync_to_async
def written(account: Account) -> tuple[int, Decimal, Decimal | None]:
    """Seconds charged, dollars charged, and what is left."""
    entries = list(LedgerEntry.objects.filter(account=account, kind=LedgerEntry.LIVE))
    seconds = sum(entry.audio_ms for entry in entries) // 1000
    return seconds, sum((e.amount for e in entries), Decimal(0)), Account.objects.get(pk=account.pk).balance


give = database_sync_to_async(ledger.set_balance)


async def test_each_begun_unit_is_charged_and_no_frame_in_between_is_written(account: Account) -> None:
    till = Till()
    tab = await opened(till, account)
    for ms in range(100, 12_001, 100):
        assert tab.heard(ms)
    await till.close()
    assert await written(account) == (15, meter.cost(3, RATE), None)


async def test_an_empty_balance_does_not_begin(account: Account) -> None:
    await give(account_id=account.pk, balance=UNIT - meter.MICRO)
    with pytest.raises(Empty):
        await opened(Till(), account)


async def test_a_balance_stops_before_the_first_frame_it_does_not_pay_for(account: Account) -> None:
    await give(account_id=account.pk, balance=meter.cost(2, RATE))
    till = Till()
    tab = await opened(till, account)
    passed = next(ms for ms in range(100, 60_000, 100) if not tab.heard(ms)) - 100
    assert passed == 10_000
    await till.close()
    assert await written(account) == (10, meter.cost(2, RATE), Decimal(0))


async def test_sessions_of_one_account_share_its_balance_before_anything_is_written(account: Account) -> None:
    await give(account_id=account.pk, balance=UNIT)
    till = Till()
    one, other = await opened(till, account), await opened(till, account, session="other")
    assert one.heard(100)
    assert not other.heard(100)
    await till.close()
    assert (await written(account))[2] == 0


async def test_what_a_session_sends_again_is_not_charged_again(account: Account) -> None:
    till = Till()
    first = await opened(till, account)
    assert first.heard(12_000)
    again = await opened(till, account, offset_ms=7_000)
    assert again.heard(5_000), "up to where it had come"
    assert again.heard(9_000), "and a unit further"
    await till.close()
    later = await opened(Till(), account, offset_ms=0)
    assert later.heard(20_000)
    assert await written(account) == (20, meter.cost(4, RATE), None)


async def test_what_a_crash_kept_from_the_books_is_charged_when_the_session_goes_on(account: Account) -> None:
    lost = Till()
    lost.owe = lambda due: None  # type: ignore[method-assign]
    assert (await opened(lost, account)).heard(17_000)
    till = Till()
    tab = await opened(till, account, offset_ms=16_000)
    assert tab.heard(100)
    await till.close()
    assert await written(account) == (20, meter.cost(4, RATE), None)


async def test_charges_wait_for_a_database_that_is_away(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    charge, failures = tills._charge, []

    def away(heard: Any) -> Any:
        failures.append(1)
        if len(failures) < 3:
            raise OperationalError("away")
        return charge(heard)

    monkeypatch.setattr(tills, "_charge", away)
    monkeypatch.setattr(tills, "SPACING_SECONDS", 0.01)
    till = Till()
    tab = await opened(till, account)
    assert tab.heard(1)
    await asyncio.sleep(0)
    assert tab.heard(5_001)
    async with asyncio.timeout(10):
        while len(failures) < 3:
            await asyncio.sleep(0.01)
    await till.close()
    assert await written(account) == (10, meter.cost(2, RATE), None)


async def test_many_sessions_are_written_in_few_transactions(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    charge, groups = tills._charge, []
    monkeypatch.setattr(tills, "_charge", lambda heard: groups.append(len(heard)) or charge(heard))
    till = Till()
    tabs = [await opened(till, account, session=str(number)) for number in range(40)]
    for tab in tabs:
        assert tab.heard(100)
        await asyncio.sleep(0)
    await till.close()
    assert sum(groups) == 40
    assert len(groups) <= 2
