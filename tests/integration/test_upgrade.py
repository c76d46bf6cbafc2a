"""A database of the time when each service made the outbox and inbox tables by itself, brought to today's tables.

`database_0_1.sql.gz` is a dump of one, made by the migrations of November 2026 and filled by hand: orders that wait,
are paid and are cancelled, their events and payments, a dead letter, positions, an inbox, a snapshot, a replay, and a
relay under way.
"""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cdc import migrations
from cdc.database import SyncConnection
from cdc.ids import new_id
from cdc.shards import ALL
from infra.drift.declared import declared_parts, parts_of
from infra.services import MIGRATIONS, OWNER, SCHEMAS, SUPERUSER
from tests.stack import RunningStack

DUMP = Path(__file__).with_name("database_0_1.sql.gz")
TABLES = (
    "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables"
    " where table_schema = any(%s) and table_type = 'BASE TABLE' and table_name not like 'alembic_version%%'"
    " order by 1"
)


@pytest.fixture
def database(stack: RunningStack) -> Iterator[str]:
    """Restore the old database, and give its name."""
    name = f"old_{new_id().hex}"
    identifier = sql.Identifier(name)
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} owner {}").format(identifier, sql.Identifier(OWNER))
        )
        try:
            with connected(stack, name) as old:
                old.execute(gzip.decompress(DUMP.read_bytes()))
                make_schemas(old)
            yield name
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(identifier))


def make_schemas(connection: SyncConnection) -> None:
    """Make the schemas of services that came later, as whoever sets up a database does before the migrations."""
    for schema in SCHEMAS:
        name = sql.Identifier(schema)
        connection.execute(
            sql.SQL("create schema if not exists {} authorization {}").format(
                name, sql.Identifier(OWNER)
            )
        )
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(name, name))


def connected(stack: RunningStack, database: str) -> SyncConnection:
    return psycopg.connect(stack.database_url(SUPERUSER, database), autocommit=True)


def upgrade(stack: RunningStack, database: str) -> list[str]:
    return [
        revision
        for schema, packages in MIGRATIONS.items()
        for revision in migrations.upgrade(
            stack.database_url(OWNER, database),
            schema=schema,
            packages=packages,
            publications={"tailrace_outbox": ALL},
        )
    ]


def rows_of(connection: SyncConnection) -> dict[str, list[dict[str, Any]]]:
    tables = [table for (table,) in connection.execute(TABLES, [list(SCHEMAS)])]
    return {
        table: [
            row for (row,) in connection.execute(f"select to_jsonb(t) from {table} as t".encode())
        ]
        for table in tables
    }


def told_of(rows: list[dict[str, Any]], columns: Iterable[str]) -> list[str]:
    """Return what rows say in some columns, in an order of its own."""
    return sorted(str({name: row[name] for name in columns}) for row in rows)


def flat(text: str | None) -> str:
    """Return a definition without its parentheses: a dump that was restored has more of them around its `and`s."""
    return (text or "none").replace("(", "").replace(")", "")


def test_nothing_is_lost_and_the_tables_are_those_of_today(
    stack: RunningStack, database: str
) -> None:
    with connected(stack, database) as connection:
        before = rows_of(connection)
        assert sum(map(len, before.values())) > 30, "there is nothing that could be lost"
        applied = upgrade(stack, database)
        after = rows_of(connection)
        for table, rows in before.items():
            columns = sorted({name for row in rows for name in row})
            assert told_of(after[table], columns) == told_of(rows, columns), table
        assert "outbox_0006" in applied
        assert "outbox.reply_to" in applied
        with connected(stack, "tailrace") as live:
            declared = declared_parts(stack.deployment.main, stack.deployment.state, live)
        for schema, parts in declared.items():
            found = parts_of(connection, schema)
            assert {part: flat(found.get(part)) for part in parts} == {
                part: flat(value) for part, value in parts.items()
            }


def test_a_second_time_there_is_nothing_to_do(stack: RunningStack, database: str) -> None:
    upgrade(stack, database)
    assert upgrade(stack, database) == []


def test_services_go_on_where_they_were(stack: RunningStack, database: str) -> None:
    upgrade(stack, database)
    with connected(stack, database) as connection:
        connection.execute("set role orders; set search_path = orders")
        [[last]] = connection.execute("select max(seq) from outbox").fetchall()
        connection.execute(
            "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
            " correlation_id) select gen_random_uuid(), 'event', topic, aggregate_type, aggregate_id, 2, type, payload,"
            " correlation_id from outbox where aggregate_version = 1 and aggregate_id like '%1' limit 1"
        )
        [[mine]] = connection.execute("select max(seq) from outbox").fetchall()
        assert mine > last
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
                " correlation_id) select gen_random_uuid(), 'event', topic, aggregate_type, aggregate_id, 2, type,"
                " payload, correlation_id from outbox where aggregate_version = 2 limit 1"
            )
