"""What may be set of orders."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class OwnSettings(BaseModel):
    """How orders are taken that leave something open."""

    # form of fulfilment of an order that says nothing of it
    fulfilment: Literal["choreography", "orchestration"] = "choreography"
    # how long an order waits for what users know of its customer, in milliseconds; then it has the lowest tier
    users_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 400
