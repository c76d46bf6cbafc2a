"""What may be set of inventory."""

from pydantic import BaseModel, Field


class OwnSettings(BaseModel):
    """What there is where nobody has counted."""

    # units that there are of an article which was never stocked
    default_stock: int = Field(default=0, ge=0, le=10**15)
