"""What a dictation costs at the gateway built in is shown while it runs, where somebody counts: as it is charged."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from memweb.speech import meter
from tests.page_client import PageClient
from tests.running import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.speech]

BALANCE = "from memweb.gateway import keys\nprint(keys.account_of(user=User.objects.get(username='owner')).balance)"


def shown(page: PageClient) -> list[str | None]:
    return [message["cost"] for message in page.messages if message["t"] == "state"]


async def test_who_has_a_balance_sees_what_it_loses(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        session = server.sign_in()
        async with PageClient(server, session, provider="elevenlabs") as page:
            await page.record(10)
            await page.ended()
        assert set(shown(page)) == {None}, "nobody counts"
        server.manage("setbalance", "1", "--user", "owner")
        async with PageClient(server, session, provider="elevenlabs") as page:
            await page.record(52)
            await page.until(lambda: page.acked == 52, "the sound to be safe")
            page.cut()  # what is sent again is not charged again
            await page.record(10)
            await page.ended()
        two_units = meter.cost(2, meter.RATES["elevenlabs"])
        assert shown(page)[-1] == f"{two_units:.4f}"
        await page.until(lambda: Decimal(server.ask(BALANCE)) == 1 - two_units, "the charge to be written")
