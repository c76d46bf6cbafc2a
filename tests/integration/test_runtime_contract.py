"""The contract of the runtime, kept by the store on Postgres."""

import asyncio
from collections.abc import AsyncIterator, Sequence
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


@asynccontextmanager
async def rig_on(stack: RunningStack) -> AsyncIterator[Rig]:
    """Yield a rig on a schema of its own."""
    database = PostgresDatabase(
        owner_url=stack.database_url("tailrace_owner"),
        url=stack.database_url("analytics"),
        packages=[],
        prepare=prepare,
    )

    async def write(transaction: Connection, message_id: UUID) -> None:
        await transaction.execute("insert into effect (message_id) values (%s)", [message_id])

    async def written() -> Sequence[UUID]:
        async with database.connection() as connection:
            rows = await connection.execute("select message_id from effect order by number")
            return [row[0] for row in await rows.fetchall()]

    async with database:
        yield await Rig(World(database, write, written)).start()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_on_postgres(stack: RunningStack, case: Case) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig:
            await case(rig)

    asyncio.run(run())
