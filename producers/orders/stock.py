"""What the storefront has heard of the stock about an order that may have been placed before."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from producers.rest.problems import ProblemError
from producers.rest.storage import Storage
from schemas.rest.orders import OUT_OF_STOCK, short_of


async def _short_of(request: Request) -> tuple[str, ...]:
    return short_of.read(request.headers.get(short_of.HEADER))


ShortOf = Annotated[tuple[str, ...], Depends(_short_of)]
"""Endpoint parameter that receives the articles of which there is too little."""


async def require_stock(short: tuple[str, ...], storage: Storage) -> None:
    """Refuse an order for more than there is, unless it was placed before.

    It is refused before its unit of work begins, with which the refusal would be kept: later there may be enough.
    """
    if short:
        await storage.answer_again()
        raise ProblemError(409, short_of.told(short), kind=OUT_OF_STOCK)
