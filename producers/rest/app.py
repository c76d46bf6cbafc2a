"""The application object of a REST service, with the shared edge in place."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI

from producers.rest import problems
from producers.rest.context import RequestContext

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_app(*, title: str, description: str, router: APIRouter, lifespan: Lifespan) -> FastAPI:
    """Return an application that answers every error with a problem and gives every request a context.

    Args:
        title: Name of the service in its API description.
        description: What it does, in a sentence or two.
        router: Its endpoints.
        lifespan: Opens what the endpoints need and closes it at the end.
    """
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        responses=problems.RESPONSES,
    )
    app.include_router(router)
    app.add_middleware(RequestContext)
    problems.install(app)
    return app
