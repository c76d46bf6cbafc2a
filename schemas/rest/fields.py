"""Field types of the REST contract: bounded text, quantities, currency codes, amounts of money and tax rates."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from schemas.money.amounts import MAX_QUANTITY, MoneyError, amount
from schemas.money.currencies import MINOR_UNIT_DECIMALS
from schemas.money.tax import RateError, rate
from schemas.rest.text import TextError, readable

MAX_TEXT = 128

_RFC3339 = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


def _readable(text: str) -> str:
    try:
        return readable(text)
    except TextError as error:
        raise PydanticCustomError("readable", "{reason}", {"reason": str(error)}) from None


def _active_currency(code: str) -> str:
    if code not in MINOR_UNIT_DECIMALS:
        raise PydanticCustomError(
            "currency", "must be an active ISO 4217 currency code in capitals, such as EUR"
        )
    return code


def _decimal(value: Any) -> Decimal:
    """Take a decimal string or an exact number; a float is refused, since it has lost its decimals already."""
    exact = isinstance(value, int) and not isinstance(value, bool)
    if exact or (isinstance(value, str) and _PLAIN_DECIMAL.fullmatch(value)):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise PydanticCustomError("decimal", 'must be a plain decimal, such as "29.33"')
    return value


def _moment(value: Any) -> datetime:
    """Take a time as RFC 3339 writes it, and no number that some parser would take for one."""
    if isinstance(value, datetime) and value.tzinfo:
        return value
    try:
        if isinstance(value, str) and _RFC3339.fullmatch(value.upper()):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass  # it has the form, and is no time of the calendar
    raise PydanticCustomError(
        "moment", "must be a time with its offset, such as 2026-11-28T00:00:00Z"
    )


def _amount(value: Any) -> Decimal:
    try:
        return amount(_decimal(value))
    except MoneyError as error:
        raise PydanticCustomError("amount", "{reason}", {"reason": str(error)}) from None


def _rate(value: Any) -> Decimal:
    try:
        return rate(_decimal(value))
    except RateError as error:
        raise PydanticCustomError("rate", "{reason}", {"reason": str(error)}) from None


Text = Annotated[
    str, Field(strict=True, min_length=1, max_length=MAX_TEXT), AfterValidator(_readable)
]
"""1 to 128 characters of any language or emoji, without blanks at the edges."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]
"""Whole units, 1 to a million."""

Currency = Annotated[
    str, Field(strict=True, max_length=3, examples=["EUR"]), AfterValidator(_active_currency)
]
"""Active ISO 4217 code."""

_AMOUNT: JsonSchemaValue = {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,4})?$"}
_AMOUNT_NUMBER: JsonSchemaValue = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**15}
_RATE: JsonSchemaValue = {"type": "string", "pattern": r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"}
_RATE_NUMBER: JsonSchemaValue = {"type": "number", "minimum": 0, "maximum": 1}

Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({**_AMOUNT, "examples": ["29.33"]}, mode="serialization"),
    WithJsonSchema({"anyOf": [_AMOUNT, _AMOUNT_NUMBER], "examples": ["29.33"]}, mode="validation"),
]
"""Money, not negative, below 10^15, at most four decimals. A string in JSON; a JSON number is understood too."""

TaxRate = Annotated[
    Decimal,
    BeforeValidator(_rate),
    WithJsonSchema({**_RATE, "examples": ["0.19"]}, mode="serialization"),
    WithJsonSchema({"anyOf": [_RATE, _RATE_NUMBER], "examples": ["0.19"]}, mode="validation"),
]
"""Tax as a part of the price, 0 to 1 with at most six decimals. A string in JSON; a JSON number is understood too."""

Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-28T00:00:00Z"]}),
]
"""A point in time, with its offset from UTC."""
