"""What the versions of an order share: lines priced in the order's currency, each fault named where it is."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from schemas.money.amounts import MoneyError, in_currency

Line = TypeVar("Line", bound=BaseModel)
Lines = tuple[Line, ...]
PRICE = ("unit_price",)


def orderable(
    lines: Lines[Line], info: ValidationInfo, total_of: Callable[[Lines[Line], str], Decimal]
) -> Lines[Line]:
    """Return the lines of an order that is to be placed, priced in its currency.

    Args:
        lines: Sound lines.
        info: Holds the order's currency, if that is sound itself.
        total_of: Adds lines up in a currency; raises `MoneyError` when they come to too much.
    """
    # Pydantic's own min_length counts sound lines, and would call an order of one bad line empty.
    if not lines:
        raise PydanticCustomError("lines", "must have at least one line")
    lines = priced(lines, info)
    if "currency" in info.data:
        try:
            total_of(lines, info.data["currency"])
        except MoneyError as error:
            raise PydanticCustomError("total", "{reason}", {"reason": str(error)}) from None
    return lines


def priced(
    lines: Lines[Line], info: ValidationInfo, fields: tuple[str, ...] = PRICE
) -> Lines[Line]:
    """Write each amount with the currency's decimals; name every one at fault, not only the first.

    Args:
        lines: Sound lines.
        info: Holds the order's currency, if that is sound itself.
        fields: Fields of a line that are amounts.
    """
    if "currency" not in info.data:
        return lines
    errors: list[InitErrorDetails] = []
    result = []
    for index, line in enumerate(lines):
        amounts = {}
        for field in fields:
            value = getattr(line, field)
            try:
                amounts[field] = in_currency(value, info.data["currency"])
            except MoneyError as error:
                errors.append(_error((index, field), value, str(error)))
        result.append(line.model_copy(update=amounts))
    if errors:
        raise ValidationError.from_exception_data("lines", errors)
    return tuple(result)


def amount_in_currency(value: Decimal, info: ValidationInfo) -> Decimal:
    """Write an amount of an order with the decimals of its currency."""
    return in_currency(value, info.data["currency"]) if "currency" in info.data else value


def _error(location: tuple[int, str], value: Decimal, reason: str) -> InitErrorDetails:
    kind = PydanticCustomError("amount", "{reason}", {"reason": reason})
    return InitErrorDetails(type=kind, loc=location, input=value)
