"""Which form of fulfilment an order gets that says nothing of it."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from schemas.messages.orders import Fulfilment


async def _by_default(request: Request) -> Fulfilment:
    fulfilment: Fulfilment = request.app.state.fulfilment
    return fulfilment


DefaultForm = Annotated[Fulfilment, Depends(_by_default)]  # endpoint parameter that receives it
