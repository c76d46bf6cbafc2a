"""What lists in the REST contract share: they are asked for a page at a time, and say how to go on."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

USUAL = 50
MOST = 200

NEXT_PAGE = (
    "/v2/orders?limit=50&cursor=rfht1QMUOSZbIjIwMjYtMTEtMjlUMDY6MDU6MjkuOTgzMjc0WiIsIjAxYTIyNWU4Il0"
)
"""What a page of orders says of the next one, for instance."""

Limit = Annotated[int, Field(ge=1, le=MOST, description="How many a page has at most.")]


class AskForPage(BaseModel):
    """The query of a list. A parameter that is unknown is refused: it is a slip more often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Limit = USUAL
    cursor: Annotated[
        str | None,
        Field(
            description="From where on, as `next` of a page has it. It is good for the same list with the same filters."
        ),
    ] = None


Next = Annotated[
    str | None,
    Field(
        description="Path and query of the next page, as in `Link`; left out where this is the last one.",
        examples=[NEXT_PAGE],
    ),
]
"""Field of a page."""
