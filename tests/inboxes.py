"""Inboxes of their own: the tables of a consumer's runtime in a throwaway schema."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from cdc import migrations
from cdc.database import open_pool
from cdc.ids import new_id
from cdc.manifest import CONSUMER_TABLES, OUTBOX_TABLES
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.store import BatchClaim, ClaimResult, Place
from consumers.runtime.window import InboxWindow
from tests.stack import RunningStack

PACKAGES = [OUTBOX_TABLES, CONSUMER_TABLES]
PLACE = Place("some.events", 0)


class Inbox:
    """The tables of a consumer in a schema of its own."""

    def __init__(self, stack: RunningStack) -> None:
        self.schema = f"inbox_{new_id().hex}"
        self._owner = stack.database_url("tailrace_owner")
        self._service = stack.database_url("analytics")
        with psycopg.connect(self._owner) as connection:
            name = sql.Identifier(self.schema)
            connection.execute(sql.SQL("create schema {}").format(name))
            connection.execute(sql.SQL("grant usage on schema {} to analytics").format(name))
        self.upgrade()

    def upgrade(self) -> None:
        """Apply the migrations that are missing."""
        migrations.upgrade(self._owner, schema=self.schema, packages=PACKAGES, role="analytics")

    def owner(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self._owner, options=f"-c search_path={self.schema}")

    def service(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self._service, options=f"-c search_path={self.schema}")

    def store_url(self) -> str:
        return f"{self._service}&options=-c%20search_path%3D{self.schema}"

    def keep(self, window: timedelta | None, consumer: str = "c") -> InboxWindow:
        """Have a consumer remember ids for a time, and see to the days as its worker does."""

        async def run() -> InboxWindow:
            async with open_pool(self.store_url()) as pool:
                store, covered = PostgresStore(consumer, pool), InboxWindow()
                await store.remember_for(window)
                await store.maintain(covered)
                return covered

        return asyncio.run(run())

    def take(self, *ids: UUID) -> int:
        """Take ids as a worker does; return how many were new."""

        async def run() -> ClaimResult:
            async with open_pool(self.store_url()) as pool:
                store = PostgresStore("c", pool)
                base = await store.begin(PLACE, 0)
                async with store.transaction() as transaction:
                    claim = BatchClaim(
                        place=PLACE,
                        base=base,
                        next_offset=base + 1,
                        message_ids=list(map(str, ids)),
                    )
                    [taken] = await store.take(transaction, [claim])
                    return taken

        taken = asyncio.run(run())
        return len(ids) if taken.new is None else len(taken.new)

    def days(self) -> list[str]:
        with self.owner() as connection:
            rows = connection.execute(
                "select relname from pg_inherits join pg_class on oid = inhrelid"
                " where inhparent = 'inbox'::regclass order by relname"
            )
            return [str(name).removeprefix("inbox_") for (name,) in rows]

    def drop(self) -> None:
        with psycopg.connect(self._owner) as connection:
            connection.execute(
                sql.SQL("drop schema {} cascade").format(sql.Identifier(self.schema))
            )


@contextmanager
def open_inbox(stack: RunningStack) -> Iterator[Inbox]:
    """Make an inbox, and drop it when the block ends."""
    inbox = Inbox(stack)
    try:
        yield inbox
    finally:
        inbox.drop()


def id_from(ago: timedelta) -> UUID:
    """Return a UUIDv7 as it would have been made then."""
    milliseconds = int((datetime.now(UTC) - ago).timestamp() * 1000)
    return UUID(f"{milliseconds:012x}{new_id().hex[12:]}")
