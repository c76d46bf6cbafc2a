"""A schema of its own in a given Postgres database: made by the service's migrations, and dropped at the end."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from psycopg.rows import dict_row, namedtuple_row

from cdc.context import MessageContext
from cdc.database import Connection, Pool, open_pool
from cdc.delayed import publish_due
from cdc.manifest import CONSUMER_TABLES, OUTBOX_TABLES
from cdc.outbox import Outbox
from cdc.sql import load_queries
from consumers.runtime.consumer import Consumer
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.store import Store
from consumers.runtime.throwaway import ThrowawaySchema, with_names
from consumers.runtime.window import InboxWindow
from consumers.testing.beginning import Beginning
from consumers.testing.comparing import Tables, Unordered
from consumers.testing.database import Observed, Parked, Sent, text_of_key
from consumers.testing.schemas import codec_of_all, local_codec
from schemas.message import Message

QUERIES = load_queries(__package__)


class PostgresDatabase:
    """A throwaway schema, to be entered with `async with`.

    Handlers work in it as the service's role, with the rights that the migrations give to that role.

    Args:
        owner_url: libpq URL of a role that may create schemas; it will own the tables.
        url: libpq URL of the service's role.
        packages: Packages of migrations of tables of its own, in the order in which they are applied; what all
            consumers have is made besides.
        prepare: Writes what there is in the beginning, on a connection of the owner that is committed afterwards.
    """

    def __init__(
        self,
        *,
        owner_url: str,
        url: str,
        packages: Sequence[str],
        prepare: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self.schema = f"scenario_{secrets.token_hex(6)}"
        self._made = ThrowawaySchema(
            name=self.schema,
            owner_url=owner_url,
            url=url,
            packages=[*packages, OUTBOX_TABLES, CONSUMER_TABLES],
        )
        self._prepare = prepare
        self._pool: Pool | None = None
        self._beginning: Beginning | None = None

    async def __aenter__(self) -> Self:
        await self._make()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._drop()

    @property
    def pool(self) -> Pool:
        """Connections of the service's role to the schema, until the next reset."""
        if self._pool is None:
            raise RuntimeError("the schema was not made; enter it with `async with`")
        return self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Connect as the owner, who may see and change everything; what was done is committed at the end."""
        async with self._made.connection() as connection:
            yield connection

    async def reset(self) -> None:
        """Go back to what the schema began with: everything is gone that was written since."""
        if self._beginning is None:
            await self._make()
            return
        await self.pool.close()
        async with self.connection() as connection:
            await self._beginning.bring_back(connection)
        await self._open_pool()

    async def open(self, consumer: Consumer) -> tuple[Store, InboxWindow]:
        store, window = PostgresStore(consumer.name, self.pool), InboxWindow()
        await store.remember_for(consumer.inbox_window)
        await store.maintain(window)
        return store, window

    def outbox(self, messages: Iterable[type[Message]] | None = None) -> Outbox:
        return Outbox(codec_of_all() if messages is None else local_codec(messages))

    async def pass_time(self, seconds: float, *, of_delayed: bool = False) -> None:
        async with self.connection() as connection:
            await connection.execute(QUERIES["pass_time"], {"seconds": seconds})
            if of_delayed:
                await connection.execute(QUERIES["pass_time_of_delayed"], {"seconds": seconds})
        if of_delayed:
            await publish_due(self.pool)

    async def state(self) -> Tables:
        """Return the rows of the service's own tables."""
        async with self.connection() as connection:
            tables = await (await connection.execute(QUERIES["tables"])).fetchall()
            cursor = connection.cursor(row_factory=dict_row)
            state = Tables()
            for (table,) in tables:
                rows = await cursor.execute(with_names("select * from {}", table))
                state[table] = Unordered(await rows.fetchall())
        return state

    async def look(self, consumer: str) -> Observed:
        """Return what is to be seen of a consumer; what was sent is that of the whole service."""
        who = {"consumer": consumer}
        async with self.connection() as connection:
            cursor = connection.cursor(row_factory=namedtuple_row)
            sent = await (await cursor.execute(QUERIES["sent"])).fetchall()
            delayed: list[Any] = await (await cursor.execute(QUERIES["delayed"])).fetchall()
            parked = await (await cursor.execute(QUERIES["parked"], who)).fetchall()
            [[applied, duplicates]] = await (
                await cursor.execute(QUERIES["progress"], who)
            ).fetchall()
        return Observed(
            sent=[_sent(row) for row in sent],
            delayed=[_sent(row, row.not_before) for row in delayed],
            parked=[_parked(row) for row in parked],
            applied=applied,
            duplicates=duplicates,
        )

    async def _make(self) -> None:
        await self._drop()
        await self._made.make()
        async with self.connection() as connection:
            if self._prepare is not None:
                await self._prepare(connection)
            self._beginning = await Beginning.of(connection)
        await self._open_pool()

    async def _open_pool(self) -> None:
        self._pool = open_pool(self._made.inside_url, check=False)
        await self._pool.open(wait=True)

    async def _drop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
        await self._made.drop()


def _sent(row: Any, not_before: datetime | None = None) -> Sent:
    return Sent(
        message_id=row.id,
        message=codec_of_all().decode(row.payload),
        topic=row.topic,
        key=row.aggregate_id,
        version=row.aggregate_version,
        context=MessageContext(
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
            traceparent=row.traceparent,
        ),
        reply_to=row.reply_to,
        expires_at=row.expires_at,
        not_before=not_before,
    )


def _parked(row: Any) -> Parked:
    return Parked(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=text_of_key(row.key),
        message_id=row.message_id,
        type=row.type,
        reason=row.reason,
        error=f"{row.error_class}: {row.error_text}" if row.error_class else "",
        traceback=row.traceback,
        attempts=row.attempts,
        is_dead=row.is_dead,
    )
