"""REST services with a database: what they are told, the units of work of requests, and Postgres when it is away."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psycopg
from fastapi import APIRouter, FastAPI
from psycopg.errors import QueryCanceled
from psycopg_pool import PoolTimeout
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from cdc.context import MessageContext
from cdc.database import Connection, Pool, Trial, begin, borrow, open_pool
from cdc.deadline import LEAST_S, current_deadline
from cdc.delayed import published_when_due
from cdc.manifest import Service
from cdc.outbox import Outbox
from cdc.tracing.spans import doing
from cdc.work import RequestWork, UnitOfWork
from producers.rest.app import Lifespan, build_app
from producers.rest.body import JsonRoute
from producers.rest.deadlines import current_trace, too_late
from producers.rest.figures import HEALTHY
from producers.rest.idempotency.exchange import current_exchange
from producers.rest.limits import AnswerLimits
from producers.rest.problems import ProblemError, answers, response_of, unavailable
from producers.rest.settings import ServiceSettings
from producers.rest.state import of_state
from producers.rest.timeout_headers import MOST_RESERVE_S
from schemas.message import Message
from schemas.rest.problem import UNAVAILABLE

POOL_TIMEOUT_S = 2.0
"""Shorter than callers wait: they should hear that the database is away, not give up on this service."""
RETRY_AFTER_S = 2


class StorageSettings(ServiceSettings, AnswerLimits):
    """What a service with a database needs to know."""

    # libpq URL of the service's own role
    database_url: Annotated[str, Field(min_length=1, repr=False)]
    # base URL of the registry's Confluent-compatible API
    registry_url: Annotated[str, Field(min_length=1)]
    schema_cache: Path  # directory in which schema ids are kept


@dataclass(frozen=True, slots=True)
class Storage:
    """The database and the outbox in it."""

    pool: Pool
    outbox: Outbox
    # how long an answer is kept under the key of its request
    answers_kept: timedelta = timedelta(days=1)

    def connection(self, trial: Trial | None = None) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection, see `borrow`."""
        return borrow(self.pool, trial)

    @asynccontextmanager
    async def work(
        self, context: MessageContext, *, keeps_answer: bool = True
    ) -> AsyncIterator[UnitOfWork]:
        """Open a unit of work for a request; it is committed when the block ends.

        Under an `Idempotency-Key` it is committed together with the answer, once that is complete. A request that was
        answered before ends here, as does one whose twin is at work, or whose key belongs to another.

        Args:
            keeps_answer: Whether the answer may be kept; where it tells a secret, such a key is passed over.
        """
        exchange = current_exchange() if keeps_answer else None
        with doing("transaction", context) as transaction:
            transaction.error = (
                ""  # what is refused is rolled back as well; the answer tells which it was
            )
            async with (
                self.connection(begin)  # which commits it at the end
                if exchange is None
                else exchange.effect(self.connection, kept_for=self.answers_kept)
            ) as connection:
                yield RequestWork(connection, self.outbox, transaction.context)
                # whoever does not see the end of the commit that follows cannot know what it came to
                current_trace().may_be_done = True

    async def answer_again(self) -> None:
        """End a request here that was answered before under its `Idempotency-Key`; nothing happens to any other.

        For endpoints that ask others before their unit of work begins, which ends such a request as well.
        """
        if exchange := current_exchange():
            await exchange.answer_again(self.connection)


Stored = Annotated[Storage, of_state("storage")]  # endpoint parameter that receives the storage


def build_stored_app(
    service: Service,
    settings: StorageSettings,
    *,
    description: str,
    routers: Sequence[APIRouter],
    events: Iterable[type[Message]],
    beside: Lifespan = lambda _: nullcontext(),
    about_health: str = "Say whether requests can be served: the database answers.",
) -> FastAPI:
    """Return a service that opens its database and its outbox when it starts.

    Args:
        events: Every class that it writes to the outbox.
        beside: What else it opens when it starts, and closes at the end.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        outbox = Outbox.open(settings.registry_url, settings.schema_cache, events)
        pool = open_pool(settings.database_url, timeout_s=POOL_TIMEOUT_S)
        async with pool, published_when_due(pool), beside(app):
            kept = timedelta(hours=settings.answers_kept_h)
            app.state.storage = Storage(pool, outbox, kept)
            yield

    router = APIRouter(route_class=JsonRoute, responses=answers(503))
    router.get("/health", description=about_health, responses=HEALTHY)(health)
    app = build_app(
        title=f"Tailrace {service.name}",
        description=description,
        routers=[router, *routers],
        lifespan=lifespan,
        settings=settings,
    )
    _answer_for_postgres(app, f"the {service.name} database")
    return app


async def health(storage: Stored) -> dict[str, str]:
    """Say whether the database answers."""
    async with storage.connection() as connection:
        await connection.execute("select 1")
    return {"status": "ok"}


def _answer_for_postgres(app: FastAPI, database: str) -> None:
    @app.exception_handler(PoolTimeout)
    async def on_no_connection(request: Request, _: PoolTimeout) -> Response:
        if _time_is_up():
            return response_of(too_late(), request)
        problem = unavailable(
            f"no connection to {database} was to be had in time: it cannot be reached, or has more to do than it can; "
            "nothing was done, try again",
            retry_after_s=RETRY_AFTER_S,
        )
        return response_of(problem, request)

    @app.exception_handler(psycopg.OperationalError)
    async def on_database_error(request: Request, error: psycopg.OperationalError) -> Response:
        if isinstance(error, QueryCanceled) and _time_is_up():
            return response_of(too_late(), request)
        # With an SQLSTATE the server itself said no and rolled back; without one the connection
        # broke, and that may have been between the commit and the word of it.
        if error.sqlstate:
            return response_of(unavailable(f"{database} refused: {error}"), request)
        detail = f"the connection to {database} broke; whether anything was kept is unknown"
        return response_of(ProblemError(503, detail, kind=UNAVAILABLE), request)


def _time_is_up() -> bool:
    """Tell whether so little time is left that Postgres was told to stop."""
    deadline = current_deadline()
    return deadline is not None and deadline.remaining_s() <= MOST_RESERVE_S + LEAST_S
