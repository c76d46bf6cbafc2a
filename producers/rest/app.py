"""The application object of a REST service, with the shared edge in place."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from producers.rest import deadlines, figures, limits, metrics, problems
from producers.rest.access.guard import Guard, Guarded
from producers.rest.access.routes import ApiRoute
from producers.rest.conditional import Conditional
from producers.rest.context import RequestContext
from producers.rest.deadlines import Deadlines, GivenUp
from producers.rest.description import describe
from producers.rest.event_stream import EventStreams
from producers.rest.idempotency.exchange import Repeatable
from producers.rest.leaving import Leaving
from producers.rest.settings import RequestSettings
from producers.rest.shedding import Load, Shedding
from producers.rest.versions import negotiated, served

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class RestApp(FastAPI):
    """An application whose description also tells of its versions, its problems and who may call."""

    api_routes: Sequence[ApiRoute] = ()

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = describe(super().openapi(), self.router.routes, self.api_routes)
        return self.openapi_schema


def build_app(
    *,
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    settings: RequestSettings | None = None,
) -> FastAPI:
    """Return an application that answers every error with a problem and gives every request a context.

    Args:
        routers: Its endpoints. Those that are served in versions can be had without a version in the path, too.
        settings: Bounds of its requests; the usual ones if there are none.
    """
    settings = settings or RequestSettings()
    guard = Guard(settings, keys_database_url=settings.keys_database_url)
    without_version = negotiated(routers)
    versions = (version for api in served(without_version) for version in api.versions)
    app = RestApp(
        title=title,
        description=description,
        version=str(max((version.number for version in versions), default=1)),
        lifespan=_guarded(lifespan, guard),
        redirect_slashes=False,
        responses=problems.answers("default"),
    )
    for router in routers:
        app.include_router(router)
    routes = (route for router in routers for route in router.routes)
    app.api_routes = [route for route in routes if isinstance(route, ApiRoute)]
    app.include_router(figures.router)
    app.include_router(metrics.router)
    app.router.routes.extend(without_version)
    app.state.guard = guard
    app.router.middleware_stack = Guarded(Repeatable(app.router.middleware_stack), guard)
    problems.install(app)
    deadlines.install(app)
    app.add_middleware(Conditional)
    _bound(app, settings)
    app.state.registration = None  # until whoever runs it says otherwise
    app.add_middleware(Leaving)
    app.state.request_times = metrics.RequestTimes()
    app.add_middleware(
        RequestContext,
        log_from_s=settings.log_requests_ms / 1000,
        times=app.state.request_times,
    )
    return app


def _guarded(lifespan: Lifespan, guard: Guard) -> Lifespan:
    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        async with guard.kept_up(), lifespan(app):
            yield

    return opened


def _bound(app: FastAPI, settings: RequestSettings) -> None:
    """Have requests served within their time, and no more at once than may be."""
    app.state.load, app.state.given_up = Load(settings.requests_in_flight), GivenUp()
    # each holds a connection, of which others need some, too
    most = min(settings.streams_open, limits.max_connections() // 2)
    app.state.streams = EventStreams(most)
    app.add_middleware(
        Deadlines,
        default_s=settings.request_timeout_ms / 1000,
        most_s=settings.request_timeout_max_ms / 1000,
        given_up=app.state.given_up,
    )
    app.add_middleware(Shedding, load=app.state.load)
