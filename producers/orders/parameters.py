"""Parameters of the endpoints of orders: the form of fulfilment by default, and what is short of stock."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from producers.rest.problems import ProblemError
from producers.rest.state import of_state
from producers.rest.storage import Storage
from schemas.messages.orders import Fulfilment
from schemas.rest.orders import OUT_OF_STOCK, short_of

DefaultForm = Annotated[Fulfilment, of_state("fulfilment")]
"""Receives the form of fulfilment that an order gets which says nothing of it."""


async def _short_of(request: Request) -> tuple[str, ...]:
    return short_of.read(request.headers.get(short_of.HEADER))


ShortOf = Annotated[tuple[str, ...], Depends(_short_of)]
"""Receives the articles of which there is too little, as the storefront has heard of the stock."""


async def require_stock(short: tuple[str, ...], storage: Storage) -> None:
    """Refuse an order for more than there is, unless it was placed before.

    It is refused before its unit of work begins, with which the refusal would be kept: later there may be enough.
    """
    if short:
        await storage.answer_again()
        raise ProblemError(409, short_of.told(short), kind=OUT_OF_STOCK)
