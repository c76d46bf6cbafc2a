"""What may be set of the storefront."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class OwnSettings(BaseModel):
    """Whom the storefront asks about an order, and how long it waits for them."""

    orders_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 5_000
    # whether inventory is asked, over Kafka, before an order is passed on
    stock_check: Literal["off", "ask"] = "off"
    stock_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 500
