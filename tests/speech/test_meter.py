"""Time into units, units into money."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memweb.speech import meter
from memweb.speech.meter import Charge, Meter

prices = st.sampled_from(sorted(set(meter.RATES.values()))) | st.decimals(0, 1000, places=4)


@pytest.mark.parametrize(("ms", "units"), [(-5, 0), (0, 0), (1, 1), (5000, 1), (5001, 2), (3_600_000, 720)])
def test_a_unit_is_owed_as_soon_as_it_is_begun(ms, units):
    assert meter.units_of(ms) == units


@pytest.mark.parametrize(("provider", "hour"), [("elevenlabs", "0.39"), ("assemblyai", "0.15"), ("whisper-1", "3.6")])
def test_an_hour_costs_the_published_price(provider, hour):
    counted = Meter(meter.RATES[provider])
    for ms in range(100, 3_600_001, 100):
        counted.due(ms)
    assert counted.cost == Decimal(hour)


@given(prices, st.lists(st.integers(0, 10_000_000), max_size=30))
def test_charges_add_up_to_units_times_price_however_the_audio_arrives(price, totals):
    counted = Meter(price)
    charges = [counted.due(total) for total in totals]
    units = meter.units_of(max(totals, default=0))
    assert sum(charge.units for charge in charges) == counted.units == units
    assert sum(charge.amount for charge in charges) == counted.cost == meter.cost(units, price)
    assert abs(Fraction(counted.cost) - Fraction(price) * units / 720) <= Fraction(1, 2_000_000)
    assert all(charge.amount >= 0 for charge in charges)


@given(prices, st.lists(st.integers(0, 10_000_000), max_size=10))
def test_a_replay_is_never_charged_twice(price, totals):
    counted = Meter(price)
    for total in totals:
        counted.due(total)
    before = counted.cost
    assert [counted.due(total) for total in totals] == [Charge(0, Decimal(0))] * len(totals)
    assert counted.cost == before


@given(prices, st.integers(0, 10_000_000), st.integers(0, 10_000_000))
def test_a_restart_goes_on_where_it_stopped(price, first, second):
    whole, before = Meter(price), Meter(price)
    before.due(first)
    after = Meter(price, before.units)
    after.due(max(first, second))
    whole.due(max(first, second))
    assert after.cost == whole.cost


def test_charging_each_unit_by_itself_would_drift():
    alone = (Decimal("0.39") / 720).quantize(meter.MICRO)
    assert alone * 720 != Decimal("0.39")


def test_the_next_unit_has_a_price_before_it_is_begun():
    counted = Meter(Decimal("0.39"))
    price = counted.next
    assert counted.due(1) == Charge(1, price)
    assert price == Decimal("0.000542")


def test_a_charge_of_nothing_is_false():
    counted = Meter(Decimal(0))
    assert not counted.due(0)
    assert counted.due(1)
    assert counted.cost == 0


def test_the_callers_decimal_context_does_not_matter():
    with localcontext() as careless:
        careless.prec = 3
        assert meter.cost(123_456, Decimal("0.39")) == Decimal("66.872000")


@pytest.mark.parametrize(
    ("model", "ms", "price"),
    [
        ("whisper-1", 6_780, "0.007"),
        ("whisper-1-speaker", 6_780, "0.014"),
        ("pyannote", 1, "0.001"),
        ("elevenlabs", 3_600_000, "0.39"),
        ("assemblyai", 1_000, "0.000042"),
        ("whisper-1", 0, "0"),
        ("whisper-1", -1, "0"),
    ],
)
def test_a_file_costs_its_seconds_begun(model, ms, price):
    assert meter.file_cost(ms, meter.RATES[model]) == Decimal(price)


@pytest.mark.parametrize(("price", "units"), [("-0.01", 0), ("1", -1)])
def test_a_meter_below_zero_is_refused(price, units):
    with pytest.raises(ValueError, match="counts from zero"):
        Meter(Decimal(price), units)
