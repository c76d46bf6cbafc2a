"""Version 2 of an order: prices are before tax, each line says its tax rate and its tax."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from schemas.money.amounts import MAX_LINES
from schemas.money.tax import gross
from schemas.rest.fields import Amount, Currency, Moment, Quantity, TaxRate, Text
from schemas.rest.orders.lines import amount_in_currency, orderable, priced
from schemas.rest.pages import NEXT_PAGE, AskForPage, Next

Status = Literal["pending", "confirmed", "cancelled"]

_EXAMPLE: JsonDict = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book", "quantity": 3, "unit_price": "9.99", "tax_rate": "0.07"}],
}
_SUMMARY: JsonDict = {
    "order_id": "01a20999-13c2-7477-bc0d-7ecf0b47d38d",
    "status": "confirmed",
    "customer_id": "ada",
    "currency": "EUR",
    "total": "32.07",
    "placed_at": "2026-11-28T10:15:30.250000Z",
    "updated_at": "2026-11-28T10:15:30.500000Z",
    "version": 2,
    "payment_id": "01a20999-14d0-7b1f-a7a5-2f6f2d1c9e10",
    "fulfilment": "choreography",
}
_PLACED: JsonDict = {
    **_SUMMARY,
    "lines": [
        {
            "sku": "book",
            "quantity": 3,
            "unit_price": "9.99",
            "tax_rate": "0.07",
            "digital": False,
            "tax": "2.10",
        }
    ],
    "net": "29.97",
    "tax": "2.10",
}
_STATE: JsonDict = {
    name: _SUMMARY[name] for name in ("order_id", "status", "updated_at", "version", "payment_id")
}
_PAGE: JsonDict = {"orders": [_SUMMARY], "next": NEXT_PAGE}


class OrderLine(BaseModel):
    """One article to order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Text
    quantity: Quantity
    unit_price: Annotated[Amount, Field(description="Price of one unit before tax.")]
    tax_rate: Annotated[TaxRate, Field(description="Tax as a part of the price: 0.19 is 19 %.")]
    digital: Annotated[
        bool, Field(strict=True, description="It needs neither stock nor shipment.")
    ] = False


class PlacedLine(OrderLine):
    """One article of an order. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tax: Annotated[
        Amount,
        Field(
            description="Tax on the whole line: quantity times unit price times tax rate, rounded half up "
            "to the currency's minor unit."
        ),
    ]


class PlaceOrder(BaseModel):
    """Body of `POST /v2/orders`. An unknown field is refused: it is a slip more often."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_EXAMPLE]}
    )

    customer_id: Text
    currency: Currency
    lines: Annotated[
        tuple[OrderLine, ...],
        Field(max_length=MAX_LINES, json_schema_extra={"minItems": 1}),
    ]
    fulfilment: Annotated[
        Literal["choreography", "orchestration"] | None,
        Field(
            description="Whether each service goes on from the events of others, or waits for commands. The service "
            "chooses where it is not said."
        ),
    ] = None

    @field_validator("lines")
    @classmethod
    def _orderable(
        cls, lines: tuple[OrderLine, ...], info: ValidationInfo
    ) -> tuple[OrderLine, ...]:
        return orderable(lines, info, _total)


class Order(BaseModel):
    """An order. Amounts have the decimals of the currency's minor unit.

    An order that was placed in version 1 has the tax rate 0 in its lines.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_PLACED]}
    )

    order_id: UUID
    status: Status
    customer_id: str
    currency: str
    lines: tuple[PlacedLine, ...]
    net: Annotated[Amount, Field(description="Quantity times unit price of all lines.")]
    tax: Annotated[Amount, Field(description="Tax of all lines.")]
    total: Annotated[Amount, Field(description="What the customer pays: net and tax.")]
    placed_at: datetime
    updated_at: datetime
    version: Annotated[int, Field(ge=1, description="Rises by one with each change.")]
    payment_id: UUID | None = None
    cancel_reason: str | None = None
    fulfilment: str = "choreography"
    tier: Annotated[
        str | None,
        Field(
            description="Tier of the customer that the unit prices are for. It is left out, as are `tier_source` and "
            "`discount`, where `customer_id` is not the id of a user, and in orders that were placed in version 1."
        ),
    ] = None
    tier_source: Annotated[
        str | None,
        Field(
            description="`loyalty`, which knows the tier, or `fallback` where it did not answer in time and the "
            "lowest was taken."
        ),
    ] = None
    discount: Annotated[
        Amount | None,
        Field(description="By how much `total` is lower than with the unit prices that were sent."),
    ] = None

    @field_validator("lines")
    @classmethod
    def _lines_in_currency(
        cls, lines: tuple[PlacedLine, ...], info: ValidationInfo
    ) -> tuple[PlacedLine, ...]:
        return priced(lines, info, ("unit_price", "tax"))

    @field_validator("net", "tax", "total", "discount")
    @classmethod
    def _in_currency(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        return None if value is None else amount_in_currency(value, info)


class OrderState(BaseModel):
    """What can change about an order, as it stands after one of its changes; the fields are those of the order."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra={"examples": [_STATE]})

    order_id: UUID
    status: Status
    updated_at: datetime
    version: Annotated[int, Field(ge=1, description="Rises by one with each change.")]
    payment_id: UUID | None = None
    cancel_reason: str | None = None


class ListOrders(AskForPage):
    """Query of `GET /v2/orders`."""

    customer_id: Annotated[Text | None, Field(description="Only orders of this customer.")] = None
    status: Annotated[Status | None, Field(description="Only orders that stand so now.")] = None
    placed_from: Annotated[
        Moment | None, Field(description="Only orders that were placed then or later.")
    ] = None
    placed_before: Annotated[
        Moment | None, Field(description="Only orders that were placed earlier.")
    ] = None


class OrderSummary(BaseModel):
    """An order in a list, without its lines. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: UUID
    status: Status
    customer_id: str
    currency: str
    total: Annotated[Amount, Field(description="What the customer pays: net and tax.")]
    placed_at: datetime
    updated_at: datetime
    version: Annotated[int, Field(ge=1, description="Rises by one with each change.")]
    payment_id: UUID | None = None
    cancel_reason: str | None = None
    fulfilment: str = "choreography"

    @field_validator("total")
    @classmethod
    def _in_currency(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        return amount_in_currency(value, info)


class Orders(BaseModel):
    """A page of orders, newest first."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra={"examples": [_PAGE]})

    orders: tuple[OrderSummary, ...]
    next: Next = None


def _total(lines: tuple[OrderLine, ...], currency: str) -> Decimal:
    return gross(((line.quantity, line.unit_price, line.tax_rate) for line in lines), currency)
