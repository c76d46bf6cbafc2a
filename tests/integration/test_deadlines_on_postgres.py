"""Requests with a deadline on a real database: statements end with it, and what was committed is not called undone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pytest
from fastapi import APIRouter
from psycopg.pq import TransactionStatus

from cdc.context import MessageContext
from cdc.database import Pool, Trial, begin, borrow, open_pool
from cdc.deadline import Deadline, within
from cdc.ids import new_id
from infra.services import SUPERUSER
from producers.orders.domain import EVENTS, PlaceOrder
from producers.orders.handlers import place_order
from producers.orders.service import SERVICE
from producers.rest.body import JsonRoute
from producers.rest.context import Context
from producers.rest.storage import StorageSettings, Stored, build_stored_app
from schemas.messages.orders import OrderLine
from tests.answers import assert_problem
from tests.hops import asked, served, until
from tests.stack import RunningStack

EXCEEDED = "urn:tailrace:problem:deadline-exceeded"
UNKNOWN = "urn:tailrace:problem:too-slow"
CONTEXT = MessageContext(correlation_id=new_id())
COMMAND = PlaceOrder(
    customer_id="never",
    currency="EUR",
    lines=(OrderLine(sku="book", quantity=1, unit_price=Decimal(1)),),
)
ENDS = {"request-timeout-ms": "300"}

router = APIRouter(route_class=JsonRoute)


@router.get("/sleep")
async def sleep(storage: Stored, context: Context) -> None:
    async with storage.work(context) as work:
        await work.connection.execute("select pg_sleep(60)")


@router.get("/read-slowly")
async def read_slowly(storage: Stored) -> None:
    async with storage.connection() as connection:
        await connection.execute("select pg_sleep(60)")


@router.get("/bound")
async def bound(storage: Stored, context: Context) -> list[Any]:
    async with storage.work(context) as work:
        query = "select current_setting('statement_timeout'), pg_backend_pid()"
        return list(await (await work.connection.execute(query)).fetchone() or ())


@router.post("/commit-and-hang")
async def commit_and_hang(storage: Stored, context: Context) -> None:
    async with storage.work(context) as work:
        await work.connection.execute("select 1")
    await asyncio.Event().wait()


@router.post("/hang-before-the-commit")
async def hang_before_the_commit(storage: Stored, context: Context) -> None:
    async with storage.work(context) as work:
        await place_order(COMMAND, work)
        await asyncio.Event().wait()


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> StorageSettings:
    return StorageSettings(
        port=1,
        database_url=stack.database_url("orders"),
        registry_url=stack.settings.registry_url,
        schema_cache=stack.settings.schema_cache,
    )


@asynccontextmanager
async def service(settings: StorageSettings) -> AsyncIterator[tuple[Any, str]]:
    app = build_stored_app(SERVICE, settings, description="slow", routers=[router], events=EVENTS)
    async with app.router.lifespan_context(app), served(app) as url:
        yield app, url


def sleeping(stack: RunningStack) -> int:
    return count(stack, "query = %s and state = 'active'", "select pg_sleep(60)")


def count(stack: RunningStack, condition: LiteralString, value: object) -> int:
    """Return how many sessions there are with a condition."""
    with psycopg.connect(stack.database_url("orders")) as connection:
        query: LiteralString = "select count(*) from pg_stat_activity where " + condition
        row = connection.execute(query, [value]).fetchone()
        assert row
        found: int = row[0]
        return found


@pytest.mark.parametrize("path", ["/sleep", "/read-slowly"])
def test_a_statement_ends_with_the_request_and_its_connection_serves_the_next(
    stack: RunningStack, settings: StorageSettings, path: str
) -> None:
    async def scenario() -> None:
        async with service(settings) as (app, url):
            first = (await asked(f"{url}/bound")).json()[1]
            for _ in range(3):
                began = time.monotonic()
                problem = assert_problem(await asked(url + path, headers=ENDS), 504)
                assert time.monotonic() - began < 5
                assert problem["type"] == EXCEEDED
                assert (await asked(f"{url}/bound")).status_code == 200
            stats = app.state.storage.pool.get_stats()
            assert not stats.get("connections_lost")
            assert not stats.get("returns_bad")
            assert count(stack, "pid = %s", first) == 1
            assert sleeping(stack) == 0

    asyncio.run(scenario())


def test_postgres_ends_what_takes_too_long_though_nobody_tells_it_to(
    settings: StorageSettings,
) -> None:
    async def scenario() -> None:
        async with service(settings) as (app, _):
            storage = app.state.storage
            with within(Deadline.after(0.3)), pytest.raises(psycopg.errors.QueryCanceled):
                async with storage.work(CONTEXT) as work:
                    await work.connection.execute("select pg_sleep(60)")
            # the wait for a connection, and a deadline of old, are nothing to who has none
            async with storage.work(CONTEXT) as work:
                found = await work.connection.execute("show statement_timeout")
                assert await found.fetchone() == ("0",)

    asyncio.run(scenario())


def test_statements_have_what_remains_and_never_for_ever(settings: StorageSettings) -> None:
    async def scenario() -> None:
        async with service(settings) as (_, url):
            for budget in (60_000, 1_000, 200):
                headers = {"request-timeout-ms": str(budget)}
                said = (await asked(f"{url}/bound", headers=headers)).json()[0]
                milliseconds = int(said.removesuffix("ms").removesuffix("s"))
                if not said.endswith("ms"):
                    milliseconds *= 1000
                assert 0 < milliseconds < budget
            for budget in range(2, 8):
                said = await asked(f"{url}/bound", headers={"request-timeout-ms": str(budget)})
                assert said.status_code == 504 or said.json()[0] not in {"0", "0ms"}

    asyncio.run(scenario())


def test_who_hangs_up_has_the_statement_cancelled(
    stack: RunningStack, settings: StorageSettings
) -> None:
    async def scenario() -> None:
        async with service(settings) as (app, url):
            waiting = [asyncio.create_task(asked(f"{url}/sleep")) for _ in range(5)]
            await until(lambda: sleeping(stack) == 5)
            for each in waiting:
                each.cancel()
            await until(lambda: sleeping(stack) == 0)
            await until(lambda: app.state.given_up.abandoned == 5)
            assert (await asked(f"{url}/bound")).status_code == 200

    asyncio.run(scenario())


def test_no_connection_is_waited_for_longer_than_there_is_time(settings: StorageSettings) -> None:
    async def scenario() -> None:
        async with service(settings) as (app, url):
            pool = app.state.storage.pool
            held = [await pool.getconn() for _ in range(pool.max_size)]
            began = time.monotonic()
            problem = assert_problem(await asked(f"{url}/bound", headers=ENDS), 504)
            assert problem["type"] == EXCEEDED
            assert time.monotonic() - began < 1.5
            for connection in held:
                await pool.putconn(connection)
            assert (await asked(f"{url}/bound")).status_code == 200

    asyncio.run(scenario())


def test_what_may_be_committed_is_not_called_undone(
    stack: RunningStack, settings: StorageSettings
) -> None:
    async def scenario() -> None:
        async with service(settings) as (_, url):
            said = await asked(f"{url}/commit-and-hang", "POST", headers=ENDS)
            assert assert_problem(said, 504)["type"] == UNKNOWN
            said = await asked(f"{url}/hang-before-the-commit", "POST", headers=ENDS)
            assert assert_problem(said, 504)["type"] == EXCEEDED
        with psycopg.connect(stack.database_url("orders")) as connection:
            query = "select count(*) from customer_order where customer_id = 'never'"
            assert connection.execute(query).fetchone() == (0,)

    asyncio.run(scenario())


@pytest.mark.parametrize("trial", [None, begin])
def test_whoever_is_cancelled_while_a_connection_is_lent_hears_of_it(
    stack: RunningStack, trial: Trial | None
) -> None:
    async def hold(pool: Pool) -> None:
        async with borrow(pool, trial):
            await asyncio.Event().wait()

    async def scenario() -> None:
        async with open_pool(stack.database_url("orders"), timeout_s=5) as pool:
            for turns in range(200):
                task = asyncio.create_task(hold(pool))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task], timeout=10)
                assert task.cancelled()
            all_of_it = [await pool.getconn() for _ in range(pool.max_size)]
            for lent in all_of_it:
                assert lent.info.transaction_status is TransactionStatus.IDLE
                await pool.putconn(lent)

    asyncio.run(scenario())


def test_whoever_is_cancelled_as_a_connection_comes_free_hears_of_it(stack: RunningStack) -> None:
    async def scenario() -> None:
        async with open_pool(stack.database_url("orders"), max_size=1, timeout_s=5) as pool:
            for turns in range(40):
                lent = await pool.getconn()
                waiting = asyncio.create_task(pool.getconn())
                while not pool.get_stats()["requests_waiting"]:  # noqa: ASYNC110 - it tells in no other way
                    await asyncio.sleep(0)
                await pool.putconn(lent)
                for _ in range(turns):
                    await asyncio.sleep(0)
                heard = waiting.cancel()
                await asyncio.wait([waiting], timeout=10)
                if heard:
                    assert waiting.cancelled(), turns
                else:
                    await pool.putconn(waiting.result())

    asyncio.run(scenario())


def test_connections_that_were_lost_together_are_opened_anew_together(stack: RunningStack) -> None:
    async def backend(pool: Pool, taken: asyncio.Barrier | None = None) -> int:
        async with pool.connection() as connection:
            if taken:
                await taken.wait()  # each has a connection of its own
            return connection.info.backend_pid

    async def scenario() -> None:
        async with open_pool(stack.database_url("orders"), timeout_s=2) as pool:
            taken = asyncio.Barrier(5)
            first = set(await asyncio.gather(*(backend(pool, taken) for _ in range(5))))
            with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as postgres:
                ended = "select pg_terminate_backend(pid, 10000) from unnest(%s::int[]) pid"
                assert postgres.execute(ended, [list(first)]).fetchall() == [(True,)] * 5
            assert await backend(pool) not in first

    asyncio.run(scenario())
