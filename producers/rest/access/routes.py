"""Routes of an API: each needs the scope of the API that its method stands for."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from producers.rest.access.guard import Guard
from producers.rest.body import JsonRoute
from schemas.rest.api import Api


class ApiRoute(JsonRoute):
    """A route that only those get through whose credentials allow it, where the service asks for any."""

    api: ClassVar[Api]

    @property
    def method(self) -> str:
        return next(iter(self.methods or ()))

    @property
    def scope_needed(self) -> str:
        return self.api.scope_of(self.method)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler, needed = super().get_route_handler(), self.scope_needed

        async def handle(request: Request) -> Response:
            guard: Guard = request.app.state.guard
            guard.require(request.scope, needed)
            return await handler(request)

        return handle


def route_of(api: Api) -> type[ApiRoute]:
    """Return the class of an API's routes that have no versions."""
    return type("RouteOfApi", (ApiRoute,), {"api": api})
