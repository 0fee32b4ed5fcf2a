"""What an account has used, by day and by provider, read from the ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from memweb.gateway.amounts import write_amount
from memweb.gateway.models import Account, LedgerEntries, LedgerEntry
from memweb.speech import meter

NAMES = {
    "elevenlabs": "ElevenLabs",
    "assemblyai": "AssemblyAI",
    "whisper-1": "Whisper",
    "pyannote": "Speakers told apart",
    "openai": "OpenAI",
}
SHADES = 4
WIDTH, HEIGHT, STEP, BAR = 630, 136, 20, 14
"""Of the plot, in its own units; STEP is a day's share of the width."""


@dataclass(frozen=True, slots=True)
class Line:
    """One provider's share."""

    provider: str
    shade: int
    audio_ms: int
    amount: Decimal

    @property
    def name(self) -> str:
        return NAMES.get(self.provider, self.provider)

    @property
    def rate(self) -> str:
        """The published price, in words; empty where there are several."""
        rate = meter.RATES.get(self.provider)
        return "" if rate is None else f"${rate:.2f} an hour"


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of the plot."""

    shade: int
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day: what each provider of the month cost, in the order of `Month.lines`."""

    day: date
    amounts: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        return sum(self.amounts, Decimal(0))


@dataclass(frozen=True, slots=True)
class Month:
    """A month of one account."""

    first: date
    lines: tuple[Line, ...]
    days: tuple[Day, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def audio_ms(self) -> int:
        return sum(line.audio_ms for line in self.lines)

    @property
    def used_days(self) -> tuple[Day, ...]:
        return tuple(day for day in self.days if day.total)

    @property
    def dearest(self) -> Day:
        return max(self.days, key=lambda day: day.total)

    @property
    def before(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        return next_month(self.first)

    @property
    def bars(self) -> Iterator[Bar]:
        """The plot: a day's charges one on the other, the dearest day as high as the plot."""
        most = self.dearest.total
        for at, day in enumerate(self.days):
            y = HEIGHT
            for line, amount in zip(self.lines, day.amounts, strict=True):
                height = round(amount / most * HEIGHT) if most else 0
                if amount and not height:
                    height = 1
                if height:
                    y = max(0, y - height)
                    yield Bar(line.shade, at * STEP + (STEP - BAR) // 2, y, height)

    @property
    def width(self) -> int:
        return len(self.days) * STEP


def next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def month_of(*, account: Account, first: date) -> Month:
    """This account's month that begins on `first`, in the time zone pages are shown in."""
    used = (
        _charges(account, first)
        .annotate(day=TruncDate("created_at"))
        .values("day", "provider")
        .annotate(cost=Sum("amount"), audio=Sum("audio_ms"))
        .order_by("day", "provider")
    )
    rows = list(used)
    providers = sorted({row["provider"] for row in rows})
    lines = tuple(
        Line(
            provider,
            at % SHADES + 1,
            sum(row["audio"] for row in rows if row["provider"] == provider),
            sum((row["cost"] for row in rows if row["provider"] == provider), Decimal(0)),
        )
        for at, provider in enumerate(providers)
    )
    by_day = {(row["day"], row["provider"]): row["cost"] for row in rows}
    length = (next_month(first) - first).days
    days = tuple(
        Day(day, tuple(by_day.get((day, provider), Decimal(0)) for provider in providers))
        for day in (first + timedelta(days=at) for at in range(length))
    )
    return Month(first, lines, days)


def csv_of(*, account: Account, first: date) -> bytes:
    """Every entry of the month, charges and changes of the balance, oldest first. No cell is a formula."""
    table = io.StringIO()
    rows = csv.writer(table, quoting=csv.QUOTE_ALL)
    rows.writerow(["time", "kind", "provider", "session", "seconds", "dollars", "balance"])
    for entry in _entries(account, first).order_by("pk").iterator():
        rows.writerow(
            [
                timezone.localtime(entry.created_at).isoformat(timespec="seconds"),
                _cell(entry.kind),
                _cell(entry.provider),
                _cell(entry.session),
                f"{entry.audio_ms / 1000:g}",
                write_amount(entry.amount),
                write_amount(entry.balance_after),
            ]
        )
    return table.getvalue().encode("utf-8-sig")


def _entries(account: Account, first: date) -> LedgerEntries:
    zone = timezone.get_current_timezone()
    begin, end = (
        timezone.make_aware(datetime(day.year, day.month, day.day), zone) for day in (first, next_month(first))
    )
    return LedgerEntry.objects.filter(account=account, created_at__gte=begin, created_at__lt=end)


def _charges(account: Account, first: date) -> LedgerEntries:
    return _entries(account, first).exclude(kind=LedgerEntry.BALANCE)


def _cell(text: str) -> str:
    return "'" + text if text.lstrip()[:1] in tuple("=+-@|%\t\r＝＋－＠") and text.strip() else text
