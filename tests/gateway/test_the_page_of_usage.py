"""Usage by day and provider: one's own, for the owner everybody's with their balances, and as a table to download."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.test import Client

from memweb.accounts.models import User
from memweb.accounts.services import ensure_owner
from memweb.gateway import keys, ledger, usage
from memweb.gateway.amounts import BadAmount, read_amount
from memweb.gateway.models import Account, LedgerEntry
from memweb.gateway.templatetags import money

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def maya(client: Client) -> User:
    user = User.objects.create_user("maya")
    client.force_login(user, backend=BACKEND)
    return user


def used(user: User, day: str, provider: str, ms: int, session: str = "s") -> None:
    """Audio on a day in November 2026."""
    account = keys.account_of(user=user)
    ledger.charge_file(
        account_id=account.pk, session=f"{session}-{day}-{provider}", provider=provider, kind="file", audio_ms=ms
    )
    last = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    # The one place that sets a time: rows are written now, and a month is to be shown.
    QuerySet(LedgerEntry).filter(pk=last).update(
        created_at=datetime.fromisoformat(f"2026-11-{day}T12:00").replace(tzinfo=UTC)
    )


def month(user: User) -> usage.Month:
    return usage.month_of(account=keys.account_of(user=user), first=date(2026, 11, 1))


def test_a_month_adds_up_by_day_and_by_provider(maya: User) -> None:
    used(maya, "01", "elevenlabs", 3_600_000)
    used(maya, "01", "whisper-1", 60_000)
    used(maya, "30", "elevenlabs", 1_800_000)
    shown = month(maya)
    assert [(line.name, line.amount, line.audio_ms) for line in shown.lines] == [
        ("ElevenLabs", Decimal("0.585"), 5_400_000),
        ("Whisper", Decimal("0.06"), 60_000),
    ]
    assert [day.day.day for day in shown.used_days] == [1, 30]
    assert shown.total == sum(day.total for day in shown.days) == Decimal("0.645")
    assert len(shown.days) == 30


def test_the_plot_has_a_bar_for_each_charge_within_its_frame(maya: User) -> None:
    used(maya, "02", "elevenlabs", 3_600_000)
    used(maya, "02", "whisper-1", 1_000)
    used(maya, "17", "elevenlabs", 360_000)
    bars = list(month(maya).bars)
    assert [(bar.x, bar.shade) for bar in bars] == [(23, 1), (23, 2), (323, 1)]
    assert all(bar.height >= 1 and bar.y >= 0 and bar.y + bar.height <= usage.HEIGHT for bar in bars)
    assert bars[0].height > 8 * bars[2].height


def test_the_page_says_the_same_in_plot_and_tables(client: Client, maya: User) -> None:
    used(maya, "02", "elevenlabs", 3_600_000)
    page = client.get("/settings/usage/?month=2026-11").content.decode()
    assert "The dearest day was 2 November with $0.39" in page
    assert re.search(r"<rect class=\"by-1\" x=\"23\" y=\"0\" width=\"14\" height=\"136\"/>", page)
    assert page.count("$0.39") >= 5
    assert "of an unlimited balance" in page
    assert "Nothing was used" in client.get("/settings/usage/?month=2026-10").content.decode()
    assert client.get("/settings/usage/").status_code == 200


@pytest.mark.parametrize("query", ["month=2026-13", "month=x", "month=0001-01", "user=nobody", "user=owner"])
def test_what_is_not_there_is_404(client: Client, maya: User, query: str) -> None:
    ensure_owner()
    for path in ("/settings/usage/", "/settings/usage/csv/"):
        assert client.get(f"{path}?{query}").status_code == 404


def test_the_owner_sees_everybody_and_sets_balances(client: Client, maya: User) -> None:
    used(maya, "02", "elevenlabs", 3_600_000)
    assert b"Accounts" not in client.get("/settings/usage/").content
    assert client.post(f"/settings/usage/balance/{maya.pk}/", {"balance": "5"}).status_code == 403
    client.force_login(ensure_owner(), backend=BACKEND)
    assert b"$0.39" in client.get("/settings/usage/?user=maya&month=2026-11").content
    assert client.post(f"/settings/usage/balance/{maya.pk}/", {"balance": "$12.50"}).status_code == 302
    assert Account.objects.get(user=maya).balance == Decimal("12.5")
    assert b'value="12.5"' in client.get("/settings/usage/").content
    assert f'/balance/{maya.pk}/#accounts"' in client.get("/settings/usage/").content.decode()
    refused = client.post(f"/settings/usage/balance/{maya.pk}/", {"balance": "plenty"})
    assert refused.status_code == 422
    assert b"Write an amount from 0" in refused.content
    assert b'value="plenty"' in refused.content
    client.post(f"/settings/usage/balance/{maya.pk}/", {"balance": "Unlimited"})
    assert Account.objects.get(user=maya).balance is None


def test_the_table_for_spreadsheets_has_every_entry_and_no_formula(client: Client, maya: User) -> None:
    used(maya, "02", "elevenlabs", 1_500, session="=1+1")
    used(maya, "03", "assemblyai", 2_000)
    answer = client.get("/settings/usage/csv/?month=2026-11")
    assert answer["Content-Disposition"] == 'attachment; filename="memweb-usage-2026-11.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["provider"], row["seconds"], row["dollars"], row["balance"]) for row in rows] == [
        ("elevenlabs", "1.5", "0.000217", "unlimited"),
        ("assemblyai", "2", "0.000083", "unlimited"),
    ]
    assert rows[0]["session"] == "'=1+1-02-elevenlabs"


@pytest.mark.parametrize(
    ("written", "amount"),
    [("12.50", "12.5"), (" $3 ", "3"), ("0", "0"), ("1000000", "1000000"), ("0.000001", "0.000001")],
)
def test_amounts_are_read_as_people_write_them(written: str, amount: str) -> None:
    assert read_amount(written) == Decimal(amount)
    assert read_amount("Unlimited") is None


@pytest.mark.parametrize("written", ["", "-1", "1e5", "NaN", "1,5", "1000000.01", "٣", "0.0000001", "$"])
def test_what_is_no_amount_is_refused_in_words(written: str) -> None:
    with pytest.raises(BadAmount, match=r"as 12\.50"):
        read_amount(written)


def test_money_and_time_are_shown_as_people_read_them() -> None:
    shown = [money.dollars(Decimal(amount)) for amount in ("0", "0.004", "0.005", "0.01", "1234.5", "-0.5")]
    assert shown == ["$0.00", "under $0.01", "under $0.01", "$0.01", "$1,234.50", "-$0.50"]
    assert [money.sounding(ms) for ms in (0, 59_000, 60_000, 35_220_000)] == ["0 s", "59 s", "1 min", "9 h 47 min"]


def test_the_shell_sets_balances_and_makes_keys_of_every_kind(maya: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("setbalance", "7.25", user="maya")
    assert Account.objects.get(user=maya).balance == Decimal("7.25")
    call_command("setbalance", "unlimited", user="maya")
    assert Account.objects.get(user=maya).balance is None
    assert capsys.readouterr().out == "maya: $7.25\nmaya: unlimited\n"
    for bad in (["setbalance", "lots"], ["setbalance", "1", "--user", "nobody"], ["createkey", "--user", "nobody"]):
        with pytest.raises(CommandError):
            call_command(*bad)
    call_command("createkey", "--user", "maya", "--no-streams", "--expires", "30")
    caller = keys.find(capsys.readouterr().out.strip())
    assert caller is not None
    assert not caller.streams_allowed
    days = (maya.gateway_account.keys.get().expires_at - maya.gateway_account.keys.get().created_at).days
    assert days in (29, 30)
    for bad_days in ("0", "x", "99999"):
        with pytest.raises(CommandError):
            call_command("createkey", "--expires", bad_days)


def test_createuser_prints_a_link_that_lets_them_in(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("createuser", "Theo")
    link = capsys.readouterr().out.strip()
    assert client.get("/" + link.split("/", 3)[3]).status_code == 302
    assert client.get("/settings/").context["user"].username == "Theo"
    with pytest.raises(CommandError, match="already has this name"):
        call_command("createuser", "theo")


def test_a_key_for_files_only_is_made_on_the_page(client: Client, maya: User) -> None:
    answer = client.post("/settings/keys/", {"name": "Archive", "files_only": "on", "expires": "30"})
    secret = "sk-mem-" + answer.content.decode().split('<code id="secret">sk-mem-')[1].split("<")[0]
    caller = keys.find(secret)
    assert caller is not None
    assert not caller.streams_allowed
    assert b"files only, until" in client.get("/settings/keys/").content
    assert client.post("/settings/keys/", {"name": "Archive", "expires": "31"}).status_code == 422
