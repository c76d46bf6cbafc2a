"""What may be set of payments."""

from decimal import Decimal

from pydantic import BaseModel, Field


class OwnSettings(BaseModel):
    """How the simulated card processor is, and how customers take turns at it."""

    # largest amount that it takes, in any currency
    card_limit: Decimal = Field(default=Decimal(10_000), ge=0)
    # how long its answer takes, in milliseconds
    card_latency_ms: int = Field(default=0, ge=0, le=60_000)
    # What is held for one order leaves less credit for the next: it would be declined although the first one may be
    # given up. So a customer's card is asked for one orchestrated order at a time, and the others wait for that.
    one_order_at_a_time: bool = False
