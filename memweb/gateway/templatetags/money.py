"""Money and lengths of sound as people read them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from django import template

register = template.Library()

CENT = Decimal("0.01")


@register.filter
def dollars(amount: Decimal) -> str:
    """To the cent; what is less than a cent is said to be."""
    if 0 < amount < CENT:
        return "under $0.01"
    rounded = amount.quantize(CENT, ROUND_HALF_UP)
    return f"-${-rounded:,}" if rounded < 0 else f"${rounded:,}"


@register.filter
def sounding(audio_ms: int) -> str:
    """9 h 47 min; seconds where it is less than a minute."""
    minutes = audio_ms // 60_000
    if not minutes:
        return f"{audio_ms // 1000} s"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
