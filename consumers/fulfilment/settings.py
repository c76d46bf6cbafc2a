"""What may be set of fulfilment."""

from pydantic import BaseModel, Field


class OwnSettings(BaseModel):
    """How long participants are waited for."""

    # how long one may take, with what it has to do before, in seconds: a backlog is no reason to undo orders
    answer_within_s: float = Field(default=300.0, gt=0, le=86_400)
