"""Tax on the lines of an order, and prices that are reduced: the one place where money is rounded.

The tax of a line is rounded half up to the currency's minor unit, as invoices are; sums of lines are exact.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation

from schemas.money.amounts import LIMIT, MoneyError, minor_unit, total

RATE_DECIMALS = 6
"""Enough for a rate such as 8.875 %, and for one in hundredths of a percent of it."""

_RATE = Context(prec=RATE_DECIMALS + 1, traps=[Inexact, InvalidOperation])
# A million units at nearly LIMIT, times a rate, need 32 digits.
_ROUNDED = Context(prec=50, rounding=ROUND_HALF_UP, traps=[InvalidOperation])


class RateError(ValueError):
    """The number is no tax rate."""


def rate(value: Decimal) -> Decimal:
    """Return the same tax rate without zeros at its end, such as `0.19`.

    Raises:
        RateError: the value is not from 0 to 1, or has more than six decimals.
    """
    if not value.is_finite() or not 0 <= value <= 1:
        raise RateError("must be from 0 to 1, such as 0.19 for 19 %")
    try:
        exact = value.copy_abs().quantize(Decimal(1).scaleb(-RATE_DECIMALS), context=_RATE)
    except Inexact:
        raise RateError(f"must have at most {RATE_DECIMALS} decimals") from None
    return exact.normalize(_RATE)


def tax(quantity: int, unit_price: Decimal, tax_rate: Decimal, currency: str) -> Decimal:
    """Return the tax of a line, rounded half up to the currency's minor unit."""
    exact = _ROUNDED.multiply(_ROUNDED.multiply(Decimal(quantity), unit_price), tax_rate)
    return exact.quantize(minor_unit(currency), context=_ROUNDED)


def reduced(price: Decimal, part: Decimal, currency: str) -> Decimal:
    """Return a price without a part of it, such as 0.05 for 5 %, rounded half up to the currency's minor unit."""
    return _ROUNDED.multiply(price, 1 - part).quantize(minor_unit(currency), context=_ROUNDED)


def gross(lines: Iterable[tuple[int, Decimal, Decimal]], currency: str) -> Decimal:
    """Return what lines come to with their tax.

    Raises:
        MoneyError: the sum is too large.
    """
    taken = tuple(lines)
    result = total((quantity, unit_price) for quantity, unit_price, _ in taken)
    for line in taken:
        result = _ROUNDED.add(result, tax(*line, currency))
    if result >= LIMIT:
        raise MoneyError(f"the total with tax must be below {LIMIT:,}")
    return result
