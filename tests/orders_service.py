"""The orders service on a schema of its own that nothing captures, so that no worker takes its orders."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import httpx2
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from cdc import migrations
from cdc.manifest import OUTBOX_TABLES, REST_TABLES
from cdc.outbox import Outbox
from infra.services import OWNER
from producers.orders.bootstrap import Settings, create_app
from producers.orders.domain import EVENTS
from tests.stack import RunningStack


@dataclass(frozen=True, slots=True)
class Orders:
    """The service, its client, and the same database and outbox to look behind it."""

    client: httpx2.AsyncClient
    url: str
    outbox: Outbox

    async def row(self, order_id: object) -> dict[str, Any] | None:
        async with await psycopg.AsyncConnection.connect(self.url, row_factory=dict_row) as c:
            query = "select * from customer_order where order_id = %s"
            return await (await c.execute(query, [str(order_id)])).fetchone()

    async def events(self, order_id: object) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.url, row_factory=dict_row) as c:
            query = "select * from outbox where aggregate_id = %s order by aggregate_version"
            return await (await c.execute(query, [str(order_id)])).fetchall()


@contextmanager
def orders_alone(stack: RunningStack, schema: LiteralString) -> Iterator[Settings]:
    """Make a schema for the service, and yield the settings that it has in it."""
    owner = stack.database_url(OWNER)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(f"grant usage on schema {schema} to orders")
        migrations.upgrade(
            owner,
            schema=schema,
            packages=["producers.orders.migrations", OUTBOX_TABLES, REST_TABLES],
            role="orders",
        )
    url = make_conninfo(stack.database_url("orders"), options=f"-c search_path={schema}")
    yield Settings(
        port=1,
        database_url=url,
        registry_url=stack.settings.registry_url,
        schema_cache=stack.settings.schema_cache,
    )
    # anew, since a test may have restarted Postgres
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"drop schema {schema} cascade")


@asynccontextmanager
async def orders_service(settings: Settings) -> AsyncIterator[Orders]:
    app = create_app(settings)
    outbox = Outbox.open(settings.registry_url, settings.schema_cache, EVENTS)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://orders"
        ) as client,
    ):
        yield Orders(client, settings.database_url, outbox)


def start_orders(
    settings: Settings, port: int, *before: str, **changes: object
) -> "subprocess.Popen[str]":
    """Start the service as a process.

    Args:
        settings: What it is told.
        port: Where it listens.
        before: A module with arguments that runs it, if it is not to run by itself.
        changes: Settings that differ.
    """
    told = settings.model_dump() | {"port": port} | changes
    own = {
        f"TAILRACE_{name.upper()}": str(value) for name, value in told.items() if value is not None
    }
    return subprocess.Popen(
        [sys.executable, "-m", *before, "producers.rest", "orders"],
        env=os.environ | own,
        stderr=subprocess.DEVNULL,
        text=True,
    )
