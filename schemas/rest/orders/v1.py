"""Orders as clients see them: the request that places one and the resource that it becomes."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from schemas.rest.fields import MAX_LINES, Amount, Currency, Quantity, Text
from schemas.rest.money import MoneyError, in_currency, total

_EXAMPLE: JsonDict = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book", "quantity": 3, "unit_price": "9.99"}],
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
    def _priced_in_currency(
        cls, lines: tuple[OrderLine, ...], info: ValidationInfo
    ) -> tuple[OrderLine, ...]:
        # Pydantic's own min_length counts sound lines, and would call an order of one bad line empty.
        if not lines:
            raise PydanticCustomError("lines", "must have at least one line")
        if "currency" not in info.data:
            return lines
        priced = _priced(lines, info.data["currency"])
        try:
            total((line.quantity, line.unit_price) for line in priced)
        except MoneyError as error:
            raise PydanticCustomError("total", "{reason}", {"reason": str(error)}) from None
        return priced


class Order(BaseModel):
    """An order. Amounts have the decimals of the currency's minor unit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

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
        return _priced(lines, info.data["currency"]) if "currency" in info.data else lines

    @field_validator("total")
    @classmethod
    def _total_in_currency(cls, value: Amount, info: ValidationInfo) -> Amount:
        return in_currency(value, info.data["currency"]) if "currency" in info.data else value


Line = TypeVar("Line", bound=OrderLine)


def _priced(lines: tuple[Line, ...], currency: str) -> tuple[Line, ...]:
    """Write each price with the currency's decimals; name every line at fault, not only one."""
    priced: list[Line] = []
    errors: list[InitErrorDetails] = []
    for index, line in enumerate(lines):
        try:
            price = in_currency(line.unit_price, currency)
        except MoneyError as error:
            errors.append(_price_error(index, line.unit_price, str(error)))
        else:
            priced.append(line.model_copy(update={"unit_price": price}))
    if errors:
        raise ValidationError.from_exception_data("lines", errors)
    return tuple(priced)


def _price_error(index: int, value: Any, reason: str) -> InitErrorDetails:
    kind = PydanticCustomError("amount", "{reason}", {"reason": reason})
    return InitErrorDetails(type=kind, loc=(index, "unit_price"), input=value)
