"""Version 1 of an order: prices are what the customer pays, and nothing is said of tax."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from schemas.money.amounts import MAX_LINES, total
from schemas.rest.fields import Amount, Currency, Quantity, Text
from schemas.rest.orders.lines import amount_in_currency, orderable, priced

_EXAMPLE: JsonDict = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book", "quantity": 3, "unit_price": "9.99"}],
}
_PLACED: JsonDict = {
    **_EXAMPLE,
    "order_id": "01a20999-13c2-7477-bc0d-7ecf0b47d38d",
    "status": "confirmed",
    "total": "29.97",
    "placed_at": "2026-11-28T10:15:30.250000Z",
    "updated_at": "2026-11-28T10:15:30.500000Z",
    "version": 2,
    "payment_id": "01a20999-14d0-7b1f-a7a5-2f6f2d1c9e10",
}


class OrderLine(BaseModel):
    """One article to order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Text
    quantity: Quantity
    unit_price: Amount


class PlacedLine(OrderLine):
    """One article of an order. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PlaceOrder(BaseModel):
    """Body of `POST /v1/orders`. An unknown field is refused: it is a slip more often."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_EXAMPLE]}
    )

    customer_id: Text
    currency: Currency
    lines: Annotated[
        tuple[OrderLine, ...],
        Field(max_length=MAX_LINES, json_schema_extra={"minItems": 1}),
    ]

    @field_validator("lines")
    @classmethod
    def _orderable(
        cls, lines: tuple[OrderLine, ...], info: ValidationInfo
    ) -> tuple[OrderLine, ...]:
        return orderable(lines, info, _total)


class Order(BaseModel):
    """An order. Its total is quantity times unit price of all lines; amounts have the decimals of the currency.

    An order that was placed with tax in a later version has the tax in its unit prices. Where a line's amount does not
    divide evenly by its quantity, the line is shown as two, whose unit prices differ by one minor unit.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_PLACED]}
    )

    order_id: UUID
    status: Literal["pending", "confirmed", "cancelled"]
    customer_id: str
    currency: str
    lines: tuple[PlacedLine, ...]
    total: Amount
    placed_at: datetime
    updated_at: datetime
    version: Annotated[int, Field(ge=1, description="Rises by one with each change.")]
    payment_id: UUID | None = None
    cancel_reason: str | None = None

    @field_validator("lines")
    @classmethod
    def _lines_in_currency(
        cls, lines: tuple[PlacedLine, ...], info: ValidationInfo
    ) -> tuple[PlacedLine, ...]:
        return priced(lines, info)

    @field_validator("total")
    @classmethod
    def _total_in_currency(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        return amount_in_currency(value, info)


def _total(lines: tuple[OrderLine, ...], _: str) -> Decimal:
    return total((line.quantity, line.unit_price) for line in lines)
