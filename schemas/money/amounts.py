"""Exact money: amounts are decimals that never round, with as many decimals as their currency's minor unit has."""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation

from schemas.money.currencies import MINOR_UNIT_DECIMALS

MAX_DECIMALS = 4
LIMIT = Decimal(10) ** 15
"""Amounts are below this, so that each fits `numeric(19,4)` in Postgres and in Avro."""

MAX_QUANTITY = 1_000_000
MAX_LINES = 500
# So many lines of so many units at nearly LIMIT need 28 digits; more headroom costs nothing.
_EXACT = Context(prec=50, traps=[Inexact, InvalidOperation])


class MoneyError(ValueError):
    """The number is no amount of money, or not one of this currency."""


def amount(value: Decimal, decimals: int = MAX_DECIMALS) -> Decimal:
    """Return the same amount written with exactly this many decimals.

    Args:
        value: Any decimal; zeros at its end do not count.

    Raises:
        MoneyError: the value is not finite, is negative, is too large, or would have to be rounded.
    """
    if not value.is_finite():
        raise MoneyError("must be a finite number")
    if value < 0:
        raise MoneyError("must not be negative")
    if value >= LIMIT:
        raise MoneyError(f"must be below {LIMIT:,}")
    try:
        return value.copy_abs().quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    except Inexact:
        raise MoneyError(f"must have at most {decimals} decimals") from None


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency, such as `0.01`; 0.0001 for a code that is no longer active."""
    return Decimal(1).scaleb(-MINOR_UNIT_DECIMALS.get(currency, MAX_DECIMALS))


def in_currency(value: Decimal, currency: str) -> Decimal:
    """Return the same amount written with the decimals of a currency's minor unit, such as `29.30` in EUR.

    Raises:
        MoneyError: the value is no amount of this currency.
    """
    try:
        return amount(value, MINOR_UNIT_DECIMALS.get(currency, MAX_DECIMALS))
    except MoneyError as error:
        raise MoneyError(f"{error} in {currency}") from None


def total(prices: Iterable[tuple[int, Decimal]]) -> Decimal:
    """Return the exact sum of quantity times unit price.

    Raises:
        MoneyError: the sum is too large.
    """
    result = Decimal(0)
    for quantity, unit_price in prices:
        result = _EXACT.add(result, _EXACT.multiply(Decimal(quantity), unit_price))
    if result >= LIMIT:
        raise MoneyError(f"the total must be below {LIMIT:,}")
    return result
