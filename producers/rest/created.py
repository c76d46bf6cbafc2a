"""The answer to a POST that made something: 201, and where it can be found."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

CREATED: dict[int | str, dict[str, Any]] = {201: {"headers": {"Location": {}}}}
"""What the API description says about it."""


class NewLocation:
    """Where what a request made can be found from now on: below the path of the request."""

    def __init__(self, path: str, headers: MutableHeaders) -> None:
        self._path = path
        self._headers = headers

    def tell(self, key: object) -> None:
        """Tell the client where it is, by its last segment."""
        self._headers["location"] = f"{self._path}/{key}"


async def _location(request: Request, response: Response) -> NewLocation:
    return NewLocation(request.scope["path"], response.headers)


Location = Annotated[NewLocation, Depends(_location)]
"""Endpoint parameter that tells where the new thing is."""
