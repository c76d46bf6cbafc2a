"""The console as a web application: which page is where."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from cdc.chores import cancel
from infra.console.board import Board
from infra.console.contracts.routes import contract_routes
from infra.console.flow.routes import flow_routes
from infra.console.guard import Guard
from infra.console.installation import Installation
from infra.console.listening import Listening
from infra.console.outboxes.routes import outbox_routes
from infra.console.pages import STATIC, Files
from infra.console.parked.routes import parked_routes
from infra.console.replays.routes import replay_routes
from infra.console.routes import Site
from infra.console.sagas.routes import saga_routes
from infra.console.signing_in.door import Door
from infra.console.signing_in.routes import sign_in_routes
from infra.console.signing_in.sessions import Sessions
from infra.console.streams import stream
from infra.console.topics.routes import topic_routes
from infra.console.users import Users
from infra.console.visitor import Visitor

OVERVIEW = ("wrong", "picture", "parts", "slot")


def create_app(installation: Installation, listening: Listening) -> Starlette:
    """Return the console of an installation."""
    cookie = "__Host-console" if listening.is_secure else "console"
    sessions = _sessions(installation, listening)
    anybody = Visitor(
        suggested=installation.actor,
        may_act=installation.mode == "act",
        token=secrets.token_urlsafe(24),  # made anew with each process
    )
    site = Site(installation, secrets.token_urlsafe(9), _load_board)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(site.warm_up())
        yield
        await cancel([warming])
        await site.close()

    app = Starlette(
        routes=[
            Route("/health", _health),
            *_common_routes(site),
            *flow_routes(site),
            *saga_routes(site),
            *parked_routes(site),
            *topic_routes(site),
            *contract_routes(site),
            *replay_routes(site),
            *outbox_routes(site),
            *(
                sign_in_routes(site, sessions, cookie, is_secure=listening.is_secure)
                if sessions
                else ()
            ),
            Mount("/static", Files(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, origins=listening.origins, is_secure=listening.is_secure),
            Middleware(Door, sessions=sessions, anybody=anybody, cookie=cookie),
        ],
        exception_handlers={HTTPStatus.NOT_FOUND: _missing(site)},
        lifespan=lifespan,
    )
    app.state.end = site.end
    return app


def _sessions(installation: Installation, listening: Listening) -> Sessions | None:
    if listening.users is None:
        return None
    users = Users(listening.users)
    users.find("")  # complains about a file that cannot be used
    return Sessions(users, installation, secrets.token_bytes(32))


def _load_board(site: Site) -> Callable[[], Board]:
    from infra.console.outboxes import view as outboxes
    from infra.console.overview import page, sources
    from infra.console.parked import view as parked
    from infra.console.replays import view as replays
    from infra.console.sagas import view as sagas
    from infra.schema_access import Schemas

    schemas = Schemas(site.installation.seen)
    looked_at = [
        source
        for part in (sources, parked, sagas, replays, outboxes)
        for source in part.sources(site.installation, schemas)
    ]
    panels = [
        panel
        for part in (page, parked, sagas, replays, outboxes)
        for panel in part.panels(site.pages)
    ]
    return lambda: Board(looked_at, panels)


def _common_routes(site: Site) -> list[Route]:
    async def overview(_request: Request) -> Response:
        return await site.page("overview.html", *OVERVIEW)

    async def events(request: Request) -> Response:
        board = await site.board()
        names = request.query_params.get("panels", "").split(",")
        if unknown := [name for name in names if not board.knows(name)]:
            return PlainTextResponse(f"There is no panel {unknown[0]!r}.\n", HTTPStatus.NOT_FOUND)
        return stream(board, names, site.process)

    return [site.get("/", overview), site.get("/events", events)]


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _missing(site: Site) -> Callable[[Request, Exception], Response]:
    def missing(_request: Request, _error: Exception) -> Response:
        return site.trouble(
            HTTPStatus.NOT_FOUND, "There is no such page", "Those there are stand above."
        )

    return missing
