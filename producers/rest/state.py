"""What an application keeps in its state, as parameters of its endpoints."""

from typing import Any

from fastapi import Depends
from starlette.requests import Request


def of_state(name: str) -> Any:
    """Return what marks an endpoint parameter that receives what the application keeps by a name."""

    async def current(
        request: Request,
    ) -> Any:  # a plain function would cost a trip through a thread
        return getattr(request.app.state, name)

    return Depends(current)
