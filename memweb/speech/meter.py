"""What audio costs: time into units of five seconds, units into money.

A unit is owed as soon as it is begun. A price per hour is seldom a whole number of micro-dollars per unit, so a charge
is the difference of two rounded totals: however the audio arrives, charges add up to units x price, rounded once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from types import MappingProxyType

UNIT_MS = 5_000
UNITS_PER_HOUR = 3_600_000 // UNIT_MS
MICRO = Decimal("0.000001")

RATES: Mapping[str, Decimal] = MappingProxyType(
    {
        "elevenlabs": Decimal("0.39"),
        "assemblyai": Decimal("0.15"),
        "whisper-1": Decimal("3.60"),  # published as 0.001 a second
        "whisper-1-speaker": Decimal("7.20"),  # 0.002 a second
        "pyannote": Decimal("3.60"),  # 0.001 a second
        "multi-speaker": Decimal("6.00"),  # 0.1 a minute
    }
)
"""The hosted gateway's published prices, in US dollars per hour of audio."""

RATE_HEADER = "memweb-rate"
"""In the built-in gateway's handshake with memweb's own app: US dollars per hour, where somebody counts them."""

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Charge:
    """What is due now, in US dollars to the micro-dollar."""

    units: int
    amount: Decimal

    def __bool__(self) -> bool:
        return self.units > 0


def units_of(audio_ms: int) -> int:
    """Units begun: none for no audio, one from the first millisecond to the 5,000th."""
    return -(-max(0, audio_ms) // UNIT_MS)


def cost(units: int, per_hour: Decimal) -> Decimal:
    """The total for so many units, rounded half even to a micro-dollar, whatever the caller's decimal context."""
    exact = _EXACT.divide(_EXACT.multiply(per_hour, Decimal(units)), Decimal(UNITS_PER_HOUR))
    return exact.quantize(MICRO, context=_EXACT)


def seconds_of(audio_ms: int) -> int:
    """Seconds begun: what a whole file is charged by."""
    return -(-max(0, audio_ms) // 1000)


def file_cost(audio_ms: int, per_hour: Decimal) -> Decimal:
    """The price of a whole file, by the second begun, rounded half even to a micro-dollar."""
    exact = _EXACT.divide(_EXACT.multiply(per_hour, Decimal(seconds_of(audio_ms))), Decimal(3600))
    return exact.quantize(MICRO, context=_EXACT)


class Meter:
    """Counts one stream. Tell it how much audio there was in all; it says what is newly due.

    A total heard before, or a smaller one after a replay, is due nothing. After a restart give the units already
    charged.
    """

    def __init__(self, per_hour: Decimal, units: int = 0) -> None:
        """Raises ValueError for a price or a count below zero."""
        if per_hour < 0 or units < 0:
            raise ValueError("A meter counts from zero and at no negative price.")
        self._per_hour = per_hour
        self._units = units

    @property
    def units(self) -> int:
        """Charged so far."""
        return self._units

    @property
    def cost(self) -> Decimal:
        """Charged so far, in US dollars."""
        return cost(self._units, self._per_hour)

    @property
    def next(self) -> Decimal:
        """The price of the next unit: what a balance must hold for the stream to go on."""
        return cost(self._units + 1, self._per_hour) - self.cost

    def due(self, audio_ms: int) -> Charge:
        """What is newly due, `audio_ms` being all audio since the stream began. It then counts as charged."""
        before, units = self.cost, units_of(audio_ms) - self._units
        if units <= 0:
            return Charge(0, Decimal(0))
        self._units += units
        return Charge(units, self.cost - before)
