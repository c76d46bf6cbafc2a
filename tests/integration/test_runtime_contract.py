"""The contract of the runtime, kept by the store on Postgres."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from cdc.database import Connection
from consumers.testing.postgres import PostgresDatabase
from tests.rig import Rig, World
from tests.runtime_contract.cases import CASES, Case
from tests.stack import RunningStack


async def prepare(connection: Connection) -> None:
    await connection.execute(
        "create table effect (number bigint generated always as identity, message_id uuid not null)"
    )
    await connection.execute("grant select, insert on effect to analytics")


def schema_on(stack: RunningStack) -> PostgresDatabase:
    """Return a schema of its own, to be entered."""
    return PostgresDatabase(
        owner_url=stack.database_url("tailrace_owner"),
        url=stack.database_url("analytics"),
        packages=[],
        prepare=prepare,
    )


async def start_rig(database: PostgresDatabase) -> Rig:
    async def write(transaction: Connection, message_id: UUID) -> None:
        await transaction.execute("insert into effect (message_id) values (%s)", [message_id])

    async def written() -> Sequence[UUID]:
        async with database.connection() as connection:
            rows = await connection.execute("select message_id from effect order by number")
            return [row[0] for row in await rows.fetchall()]

    return await Rig(World(database, write, written)).start()


@asynccontextmanager
async def rig_on(stack: RunningStack) -> AsyncIterator[Rig]:
    """Yield a rig on a schema of its own."""
    async with schema_on(stack) as database:
        yield await start_rig(database)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def database(stack: RunningStack, runner: asyncio.Runner) -> Iterator[PostgresDatabase]:
    """A schema which begins anew for each case."""
    made = schema_on(stack)
    runner.run(made.__aenter__())
    yield made
    runner.run(made.__aexit__(None, None, None))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_on_postgres(runner: asyncio.Runner, database: PostgresDatabase, case: Case) -> None:
    async def run() -> None:
        await database.reset()
        await case(await start_rig(database))

    runner.run(run())
