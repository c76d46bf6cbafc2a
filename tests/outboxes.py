"""Outboxes of their own: the canary's tables in a throwaway schema, with days of messages as far back as wanted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from cdc import migrations, retention
from cdc.database import connect
from cdc.ids import new_id
from cdc.manifest import OUTBOX_TABLES
from cdc.retention import slot
from cdc.retention.rounds import Day, maintain
from cdc.shards import ALL
from infra.services import PUBLICATION
from tests.declaring import declare_topic
from tests.stack import RunningStack

SLOT = slot(PUBLICATION)

Connection = psycopg.Connection[tuple[Any, ...]]

INSERT = """
    insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id)
    values (%s, 'message', %s, 'canary', %s, 'canary.CanaryEmitted', %s, %s)
"""
FILL = """
    insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id, occurred_at)
    select id, 'message', %(topic)s, 'canary', 'old', 'canary.CanaryEmitted', %(payload)s, id, %(occurred_at)s
    from unnest(%(ids)s::uuid[]) as id
"""


def day_before(days: int) -> datetime:
    """Return noon of a day, by UTC.

    Args:
        days: How many days ago.
    """
    return datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=days)


class OutboxSchema:
    """The outbox of a service in a schema of its own.

    Args:
        stack: The running stack.
        published: Whether the connector carries it to Kafka.
    """

    def __init__(self, stack: RunningStack, *, published: bool = False) -> None:
        self.schema = f"outbox_{new_id().hex}"
        self._stack = stack
        with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
            name = sql.Identifier(self.schema)
            connection.execute(sql.SQL("create schema {}").format(name))
            connection.execute(sql.SQL("grant usage on schema {} to canary").format(name))
        self.upgrade(published=published)
        declare_topic(stack, "none", self.schema)

    def upgrade(self, *, published: bool = False) -> list[str]:
        """Apply the migrations that are missing."""
        return migrations.upgrade(
            self._stack.database_url("tailrace_owner"),
            schema=self.schema,
            packages=[OUTBOX_TABLES],
            role="canary",
            publications={PUBLICATION: ALL} if published else None,
        )

    def connect(self, role: str = "canary") -> Connection:
        """Connect as a role; its search_path leads to the schema."""
        options = f"-c search_path={self.schema}"
        return psycopg.connect(self._stack.database_url(role), options=options)

    def owner(self) -> Connection:
        """Connect as the owner of the tables."""
        return self.connect("tailrace_owner")

    def maintain(
        self, *, keep: int = 7, publisher: str = SLOT, dry_run: bool = False
    ) -> dict[str, Day]:
        """Have the outbox looked after by the role for it; return what became of each partition, by name."""
        with connect(self._stack.database_url(retention.ROLE), autocommit=True) as connection:
            days = maintain(
                connection,
                self.schema,
                publisher=publisher,
                kept=timedelta(days=keep),
                dry_run=dry_run,
            )
        return {day.name: day for day in days}

    def make_past(self, days: Sequence[int]) -> list[str]:
        """Make partitions for days of the past, as if they had been made ahead then; return their names.

        Args:
            days: How many days ago each is.
        """
        names = []
        with self.owner() as connection:
            until = connection.execute("select name from outbox_days() where first_day is null")
            for (name,) in until.fetchall():
                connection.execute(sql.SQL("drop table {}").format(sql.Identifier(name)))
            for ago in days:
                day = day_before(ago).date()
                names.append(f"outbox_message_{day:%Y%m%d}")
                connection.execute(
                    sql.SQL(
                        "create table {} partition of outbox_message"
                        " for values from (outbox_midnight({})) to (outbox_midnight({}))"
                    ).format(sql.Identifier(names[-1]), day, day + timedelta(days=1))
                )
        return names

    def fill(self, days_ago: int, rows: int, *, topic: str = "none", size: int = 100) -> list[UUID]:
        """Write messages as if it had been that day; return their ids."""
        ids = [new_id() for _ in range(rows)]
        declare_topic(self._stack, topic, self.schema)
        with self.owner() as connection:
            connection.execute(
                FILL.encode(),
                {
                    "ids": ids,
                    "topic": topic,
                    "payload": b"x" * size,
                    "occurred_at": day_before(days_ago),
                },
            )
        return ids

    def drop_bounds(self) -> None:
        """Make it an outbox of the time before it refused anything, without what came since."""
        with self.owner() as connection:
            connection.execute(
                "drop index outbox_flow; alter table outbox drop column began_at;"
                "drop table if exists outbox_delayed; drop function if exists outbox_delay_admit();"
                "drop trigger outbox_follow on outbox_event; drop trigger outbox_admit on outbox;"
                "drop function outbox_follow(), outbox_admit(); drop table outbox_topic"
            )

    def partitions(self) -> list[str]:
        """Return the names of all partitions of messages, in order."""
        with self.owner() as connection:
            rows = connection.execute(
                "select relname from pg_inherits join pg_class on oid = inhrelid"
                " where inhparent = 'outbox_message'::regclass order by relname"
            )
            return [str(name) for (name,) in rows]

    def ids(self) -> set[UUID]:
        """Return the ids of all messages."""
        with self.connect() as connection:
            return {
                i for (i,) in connection.execute("select id from outbox where kind = 'message'")
            }

    def drop(self) -> None:
        """Drop all of it."""
        with psycopg.connect(self._stack.database_url("tailrace_owner")) as connection:
            connection.execute(
                sql.SQL("drop schema {} cascade").format(sql.Identifier(self.schema))
            )


def send(connection: Connection, *, topic: str = "none", size: int = 100) -> UUID:
    """Write a message as its service does; committing is the caller's."""
    message_id = new_id()
    values = [message_id, topic, str(message_id), b"x" * size, message_id]
    connection.execute(INSERT.encode(), values)
    return message_id


@contextmanager
def open_outbox(stack: RunningStack, *, published: bool = False) -> Iterator[OutboxSchema]:
    """Make an outbox, and drop it when the block ends."""
    made = OutboxSchema(stack, published=published)
    try:
        yield made
    finally:
        made.drop()


@contextmanager
def slot_at_will(stack: RunningStack) -> Iterator[str]:
    """A replication slot that nobody reads, and that `confirm_all` alone moves, until the block ends."""
    name = f"test_{new_id().hex}"
    with psycopg.connect(stack.database_url("tailrace_capture"), autocommit=True) as connection:
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
        try:
            yield name
        finally:
            connection.execute("select pg_drop_replication_slot(%s)", [name])


def confirm_all(stack: RunningStack, name: str) -> None:
    """Have a slot say that all that was written so far is published."""
    with psycopg.connect(stack.database_url("tailrace_capture")) as connection:
        connection.execute("select pg_replication_slot_advance(%s, pg_current_wal_lsn())", [name])
