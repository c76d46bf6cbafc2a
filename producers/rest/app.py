"""The application object of a REST service, with the shared edge in place."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI

from producers.rest import problems
from producers.rest.context import RequestContext
from producers.rest.description import describe
from producers.rest.idempotency.exchange import Repeatable
from producers.rest.versions import negotiated, served

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class RestApp(FastAPI):
    """An application whose description also tells of its versions and its problems."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = describe(super().openapi(), self.router.routes)
        return self.openapi_schema


def build_app(
    *, title: str, description: str, routers: Sequence[APIRouter], lifespan: Lifespan
) -> FastAPI:
    """Return an application that answers every error with a problem and gives every request a context.

    Args:
        routers: Its endpoints. Those that are served in versions can be had without a version in the path, too.
    """
    without_version = negotiated(routers)
    versions = (version for api in served(without_version) for version in api.versions)
    app = RestApp(
        title=title,
        description=description,
        version=str(max((version.number for version in versions), default=1)),
        lifespan=lifespan,
        redirect_slashes=False,
        responses=problems.answers("default"),
    )
    for router in routers:
        app.include_router(router)
    app.router.routes.extend(without_version)
    app.router.middleware_stack = Repeatable(app.router.middleware_stack)
    app.add_middleware(RequestContext)
    problems.install(app)
    return app
