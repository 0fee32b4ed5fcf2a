"""Amounts of money as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

MOST = Decimal(1_000_000)
_WRITTEN = re.compile(r"\$?(\d{1,7}(?:\.\d{1,6})?)", re.ASCII)


class BadAmount(ValueError):
    """What was written is no amount. The text is a sentence for a person."""


def read_amount(written: str) -> Decimal | None:
    """US dollars; None for "unlimited". Raises BadAmount."""
    written = written.strip()
    if written.lower() == "unlimited":
        return None
    found = _WRITTEN.fullmatch(written)
    amount = Decimal(found[1]) if found else MOST + 1
    if amount > MOST:
        raise BadAmount(f'Write an amount from 0 to {MOST:f} dollars, as 12.50, or the word "unlimited".')
    return amount


def write_amount(amount: Decimal | None) -> str:
    """As it would be typed: 12.5, 20, unlimited."""
    return "unlimited" if amount is None else f"{amount.normalize():f}"
