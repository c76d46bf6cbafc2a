"""Money: exact sums, the decimals of each currency, and nothing that would have to be rounded."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money.amounts import LIMIT, MoneyError, amount, in_currency, total
from schemas.money.currencies import MINOR_UNIT_DECIMALS

CURRENCIES = st.sampled_from(sorted(MINOR_UNIT_DECIMALS))


@st.composite
def priced_lines(draw: st.DrawFn) -> tuple[str, list[tuple[int, Decimal]]]:
    currency = draw(CURRENCIES)
    prices = st.decimals(0, 10**6, places=MINOR_UNIT_DECIMALS[currency])
    lines = draw(st.lists(st.tuples(st.integers(1, 10**6), prices), min_size=1, max_size=20))
    return currency, lines


@given(priced_lines())
def test_a_total_is_the_sum_in_minor_units(lines: tuple[str, list[tuple[int, Decimal]]]) -> None:
    currency, prices = lines
    decimals = MINOR_UNIT_DECIMALS[currency]
    cents = sum(quantity * int(price.scaleb(decimals)) for quantity, price in prices)
    text = f"{in_currency(total(prices), currency):f}"
    assert int(text.replace(".", "")) == cents
    assert len(text.partition(".")[2]) == decimals


@given(st.decimals(0, 10**15 - 1, places=4), CURRENCIES)
def test_an_amount_is_kept_to_the_last_digit_or_refused(value: Decimal, currency: str) -> None:
    try:
        assert in_currency(value, currency) == value
    except MoneyError:
        assert value.scaleb(MINOR_UNIT_DECIMALS[currency]) % 1 != 0


@given(st.decimals())
def test_no_decimal_whatever_breaks_the_check(value: Decimal) -> None:
    with contextlib.suppress(MoneyError):
        assert 0 <= amount(value) < LIMIT


def test_the_largest_order_is_summed_exactly() -> None:
    price = (LIMIT - Decimal("0.0001")) / 1_000_000
    exact = Decimal("999999999.9999")
    assert total([(1_000_000, exact)]) == Decimal("999999999999900.0000")
    with pytest.raises(MoneyError, match="below"):
        total([(1_000_000, price)] * 500)


@pytest.mark.parametrize(
    ("value", "currency", "written"),
    [
        ("29.3300", "EUR", "29.33"),
        ("29", "EUR", "29.00"),
        ("29.00", "JPY", "29"),
        ("1E+2", "JPY", "100"),
        ("0.001", "KWD", "0.001"),
        ("-0", "EUR", "0.00"),
        ("0E-400000", "EUR", "0.00"),
        ("1.2345", "CLF", "1.2345"),
        ("1.5", "DEM", "1.5000"),
    ],
)
def test_money_prints_with_its_currencys_decimals(value: str, currency: str, written: str) -> None:
    assert str(in_currency(Decimal(value), currency)) == written


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-0.01", "1E+15", "1E+400000"])
def test_what_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(MoneyError):
        amount(Decimal(value))


def test_currencies_are_codes_with_known_decimals() -> None:
    assert len(MINOR_UNIT_DECIMALS) == 165
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNIT_DECIMALS)
    assert {"EUR": 2, "JPY": 0, "BHD": 3, "UYW": 4}.items() <= MINOR_UNIT_DECIMALS.items()
