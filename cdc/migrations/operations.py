"""Building blocks for migrations: the outbox tables of a service."""

import re
from importlib import resources
from types import ModuleType
from typing import Any, cast

import psycopg
from alembic import op
from psycopg import sql
from psycopg.abc import QueryNoTemplate

CREATE_OUTBOX = """
create table outbox (
    id                uuid        not null,
    kind              text        not null,
    seq               bigint      generated always as identity,
    topic             text        not null,
    source            text        not null default {service},
    specversion       text        not null default '1.0',
    aggregate_type    text        not null,
    aggregate_id      text        not null,
    aggregate_version bigint,
    type              text        not null,
    payload           bytea       not null,
    correlation_id    uuid        not null,
    causation_id      uuid,
    traceparent       text,
    occurred_at       timestamptz not null default clock_timestamp()
) partition by list (kind);

-- The event log: kept for good. The version constraint is the optimistic lock of every aggregate.
create table outbox_event partition of outbox (
    constraint outbox_event_id primary key (id),
    constraint outbox_event_version unique (aggregate_type, aggregate_id, aggregate_version),
    constraint outbox_event_has_version check (aggregate_version >= 1 and aggregate_version is not null)
) for values in ('event');

-- Commands, replies and signs of life: worthless once delivered, so days of them can be dropped whole.
create table outbox_message partition of outbox (
    constraint outbox_message_has_no_version check (aggregate_version is null)
) for values in ('message') partition by range (occurred_at);
create table outbox_message_default partition of outbox_message default;

-- A message is a fact: the service adds and reads, nobody changes or removes.
grant select, insert on outbox to {role};

comment on column outbox.specversion is
    'version of CloudEvents; a column because Connect can add no header whose text looks like a number';
"""


def create_outbox(*, service: str, role: str) -> None:
    """Create the outbox of a service and have it captured.

    Args:
        service: Name that the service's messages carry as their `ce_source`.
        role: Database role of the service; it may add and read messages, never change or remove one.
    """
    execute(
        sql.SQL(CREATE_OUTBOX).format(service=sql.Literal(f"/{service}"), role=sql.Identifier(role))
    )
    publication = _attribute("publication")
    if publication is not None:
        _publish(publication)


def drop_outbox() -> None:
    """Drop the outbox with all its messages; the publication forgets it by itself."""
    execute("drop table outbox")


def execute(statement: QueryNoTemplate) -> None:
    """Run SQL composed with psycopg in the migration's transaction.

    Args:
        statement: One or more statements without parameters.
    """
    _connection().execute(statement)


def execute_file(package: ModuleType, file: str, *, role: str) -> None:
    """Run a file of SQL in the migration's transaction.

    Args:
        package: Package that holds the file.
        file: File name. In it `:role` stands for the role and `:schema` for the schema in which the migration works.
        role: Database role of the service.
    """
    text = resources.files(package).joinpath(file).read_text()
    names = {":role": sql.Identifier(role), ":schema": sql.Identifier(current_schema())}
    parts = re.split(r"(?<!:)(:role|:schema)\b", text)
    execute(sql.Composed([names.get(part) or sql.SQL(cast(Any, part)) for part in parts]))


def current_schema() -> str:
    """Return the schema in which the migration works; a service's own has the name of its role."""
    [schema] = _connection().execute("select current_schema()").fetchone() or [None]
    return str(schema)


def _connection() -> psycopg.Connection[Any]:
    return cast(psycopg.Connection[Any], op.get_bind().connection.driver_connection)


def _attribute(name: str) -> str | None:
    config = op.get_context().config
    value: str | None = None if config is None else config.attributes[name]
    return value


def _publish(publication: str) -> None:
    """Add the outbox to the publication, as one table whatever its partitions, so that each row is sent once."""
    exists = _connection().execute("select 1 from pg_publication where pubname = %s", [publication])
    statement = (
        "alter publication {} add table outbox"
        if exists.fetchone()
        else "create publication {} for table outbox "
        "with (publish = 'insert', publish_via_partition_root)"
    )
    execute(sql.SQL(statement).format(sql.Identifier(publication)))
